"""Stage 8: writes go on through failures, who was away catches up, and what that costs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
import redis.asyncio

from kvlab.config import ClusterConfig
from kvlab.core.clocks import highest
from kvlab.errors import Outcome, RingChangeFailed
from kvlab.messages import HandBack, NodeId, Siblings, TookBack
from kvlab.script.rehearsal import read_scenario
from kvlab.script.run import Report, config_of, run_scenario
from kvlab.stages.s08_sloppy import SloppyNode
from kvlab.trace.events import AnyEvent, Hinted
from kvlab.world.sim import SimWorld
from kvlab.world.world import World
from tests.services.test_handoff import intercept
from tests.stages.test_stages import ok, put_seen
from tests.worlds import run_in, until

CHAPTER = Path(__file__).parents[2] / "chapters" / "08_sloppy"
SCENARIOS = sorted(CHAPTER.glob("*.scenario"))
KEY = b"cart:42"


def live(
    body: Callable[[SimWorld], Awaitable[None]], told: list[AnyEvent] | None = None, **config: Any
) -> None:
    """In the simulator, with gossip that is quick to notice."""
    quick = {"stage": 8, "timeout_ms": 100, "gossip_ms": 50, "suspect_ms": 200, "fail_ms": 400}
    world = SimWorld(ClusterConfig(**{**quick, **config}))
    if told is not None:
        world.watch(told.append)

    async def lived() -> None:
        async with world:
            await body(world)

    world.run(lived())


async def placed(world: World) -> tuple[list[NodeId], list[NodeId]]:
    """The key's home replicas, and the other nodes."""
    homes = await world.replicas(KEY)
    return list(homes), [node for node in world.up() if node not in homes]


async def noticed(world: World, *away: NodeId) -> None:
    """Wait until all that are up take just these for failed."""

    async def known() -> bool:
        return all(
            [
                (await world.belief(node, other) == "failed") == (other in away)
                and (other in away or await world.belief(node, other) == "alive")
                for node in world.up()
                for other in world.nodes
            ]
        )

    await until(world, known, 5)


async def kill(world: World, *nodes: NodeId) -> None:
    for node in nodes:
        await world.kill(node)
    await noticed(world, *[node for node in world.nodes if node not in world.up()])


async def hints(world: World) -> dict[NodeId, dict[NodeId, int]]:
    """Who keeps how many, and for whom."""
    kept = {node: await world.hints(node) for node in world.up()}
    return {node: counts for node, counts in kept.items() if counts}


async def handed_back(world: World) -> None:
    async def none() -> bool:
        return not await hints(world)

    await until(world, none, 5)


# -- the chapter's scenarios -----------------------------------------------------------------------


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_chapters_scenarios_hold_in_the_simulator(path: Path) -> None:
    """`stale_read` is pitfall 4. Seen to fail: with hints=off its second put is refused."""
    scenario = read_scenario(path)

    async def body(world: World) -> Report:
        return await run_scenario(scenario, world)

    report = run_in("sim", config_of(scenario), body)
    assert report.failure is None


def test_on_real_processes_a_hint_is_kept_shown_to_a_redis_client_and_handed_back() -> None:
    scenario = read_scenario(CHAPTER / "handoff.scenario")

    async def body(world: World) -> Report:
        report = await run_scenario(scenario, world)
        homes, others = await placed(world)
        await kill(world, homes[2])
        ok(await world.put(KEY, b"cheese", via=homes[0], w=3))
        keeper = next(iter(await hints(world)))
        async with redis.asyncio.Redis(port=world.info(keeper).port, protocol=3) as client:
            assert keeper in others
            shown = await client.execute_command("KV.HINTS")  # type: ignore[no-untyped-call]
            assert shown == {homes[2].encode(): 1}
        return report

    report = run_in("process", config_of(scenario), body)
    assert report.failure is None


# -- writes go on ----------------------------------------------------------------------------------


def test_writes_and_reads_go_on_with_one_home_replica_left() -> None:
    async def body(world: SimWorld) -> None:
        homes, others = await placed(world)
        ok(await world.put(KEY, b"milk", via=homes[0], w=3))
        await kill(world, *homes[1:])
        for via in (homes[0], others[0]):
            ok(await put_seen(world, KEY, b"bread", via))
            assert ok(await world.get(KEY, via=via)) == (b"bread",)

    live(body)


def test_writes_and_reads_go_on_with_no_home_replica_left_and_all_of_them_catch_up() -> None:
    async def body(world: SimWorld) -> None:
        homes, others = await placed(world)
        await kill(world, *homes)
        written = await world.put(KEY, b"milk", via=others[0])
        assert (ok(written), written.took_ms < 20) == ((), True)  # nobody waits for those known to be away
        for value in (b"bread", b"cheese"):
            ok(await put_seen(world, KEY, value, others[1]))
        assert ok(await world.get(KEY, via=others[2])) == (b"cheese",)
        for other in others:
            assert await world.peek(other, KEY) == ()
        for home in homes:
            await world.restart(home)
        await handed_back(world)
        for home in homes:
            assert await world.peek(home, KEY) == (b"cheese",)

    live(body, nodes=6)


def test_who_numbers_a_write_without_being_a_home_replica_never_uses_a_dot_twice() -> None:
    """Pitfall 9. Two blind writes by way of one stand-in are two siblings. Seen to fail: with one actor
    for all of a node's writes, the second takes the first one's dot, and the replicas throw it away."""

    async def body(world: SimWorld) -> None:
        homes, others = await placed(world)
        await kill(world, *homes)
        ok(await world.put(KEY, b"milk", via=others[0]))
        ok(await world.put(KEY, b"bread", via=others[0]))
        assert set(ok(await world.get(KEY, via=others[1]))) == {b"milk", b"bread"}
        for home in homes:
            await world.restart(home)
        await handed_back(world)
        for home in homes:
            assert set(await world.peek(home, KEY)) == {b"milk", b"bread"}

    live(body, nodes=6)


def test_who_numbers_writes_without_being_a_home_replica_remembers_nothing_of_them() -> None:
    """Else each key that was ever written while its homes were away would cost its stand-in memory for good.
    Seen to fail: an entry a key."""

    async def body(world: SimWorld) -> None:
        keys = [b"k%d" % i for i in range(40)]
        strange = [key for key in keys if "n6" not in await world.replicas(key)]
        assert strange
        await kill(world, NodeId("n1"), NodeId("n2"), NodeId("n3"))
        for key in strange:
            await world.put(key, b"v", via="n6")
        numbered = cast(SloppyNode, world.host("n6").node).actors
        assert numbered.begun > 0  # it did number some
        assert not numbered.last

    live(body, nodes=6)


def test_a_home_replica_goes_on_numbering_under_one_name_while_the_others_are_away() -> None:
    """Pitfall 10: actors must not grow with every write."""

    async def body(world: SimWorld) -> None:
        homes, _ = await placed(world)
        await kill(world, *homes[1:])
        for i in range(10):
            ok(await put_seen(world, KEY, b"%d" % i, homes[0]))
        copy = world.host(homes[0]).node.store.peek(KEY, world.now_ms())
        assert isinstance(copy, Siblings)
        [(actor, _)] = copy.context.clock
        assert highest(copy.context, actor) == 10

    live(body)


def test_a_delete_that_a_replica_has_missed_is_brought_home_too() -> None:
    async def body(world: SimWorld) -> None:
        homes, _ = await placed(world)
        ok(await world.put(KEY, b"milk", via=homes[0], w=3))
        await world.pause(homes[2])
        await noticed_by(world, homes[0], homes[2], "failed")
        ok(await world.delete(KEY, via=homes[0]))
        await world.resume(homes[2])
        assert await world.peek(homes[2], KEY) == (b"milk",)
        await handed_back(world)
        assert await world.peek(homes[2], KEY) == ()
        assert ok(await world.get(KEY, via=homes[2], r=1)) == ()

    live(body)


async def noticed_by(world: World, node: NodeId, other: NodeId, belief: str) -> None:
    async def known() -> bool:
        return await world.belief(node, other) == belief

    await until(world, known, 5)


def test_concurrent_writes_on_both_sides_of_a_cut_are_siblings_everywhere_when_it_heals() -> None:
    async def body(world: SimWorld) -> None:
        homes, others = await placed(world)
        left, right = [homes[0], *others], homes[1:]
        await world.partition([left, right])
        await noticed_by(world, homes[0], homes[1], "failed")
        await noticed_by(world, homes[1], homes[0], "failed")
        for via, value in ((homes[0], b"milk"), (homes[1], b"bread")):
            ok(await world.put(KEY, value, via=via))
        await world.heal()
        await handed_back(world)
        await world.sleep(1)
        for home in homes[1:]:
            assert set(await world.peek(home, KEY)) == {b"milk", b"bread"}
        assert set(ok(await world.get(KEY))) == {b"milk", b"bread"}

    live(body)


# -- what a stand-in says to a read ----------------------------------------------------------------


def test_a_stand_in_that_has_heard_of_nothing_does_not_make_a_key_missing() -> None:
    """Pitfall 5. Seen to fail: with `Answers.add` counting it like a home replica, which answers later."""

    async def body(world: SimWorld) -> None:
        homes, others = await placed(world)
        ok(await world.put(KEY, b"milk", via=homes[0], w=3))
        await kill(world, *homes[1:])
        for other in others:
            await world.slow(homes[0], other, 20)
        for via in others:
            assert ok(await world.get(KEY, via=via)) == (b"milk",)

    live(body)


def test_a_key_whose_replicas_are_all_away_is_not_said_to_be_missing() -> None:
    async def body(world: SimWorld) -> None:
        homes, others = await placed(world)
        ok(await world.put(KEY, b"milk", via=homes[0], w=3))
        await kill(world, *homes)
        result = await world.get(KEY, via=others[0])
        assert (result.outcome is Outcome.OK, result.error) == (False, "QuorumNotReached")

    live(body, nodes=6)


def test_a_write_is_found_in_hints_alone() -> None:
    """Though who stands in for whom is another matter once the last home replica is gone."""

    async def body(world: SimWorld) -> None:
        homes, others = await placed(world)
        await kill(world, *homes[1:])
        ok(await world.put(KEY, b"milk", via=homes[0], w=3))
        await kill(world, homes[0])
        assert ok(await world.get(KEY, via=others[0])) == (b"milk",)

    live(body)


# -- bringing it home ------------------------------------------------------------------------------


def test_a_hint_delivered_twice_and_after_what_replaced_it_changes_nothing() -> None:
    """Pitfall 17. Seen to fail: with an `on_keep` that stores what comes, milk is back."""

    async def body(world: SimWorld) -> None:
        homes, _ = await placed(world)
        await kill(world, homes[2])
        ok(await world.put(KEY, b"milk", via=homes[0], w=3))
        seen = intercept(world, [HandBack], [[0.3, 0.9], [0.0]])
        await world.restart(homes[2])
        await handed_back(world)
        ok(await put_seen(world, KEY, b"bread", homes[0]))
        await world.sleep(2)
        assert len(seen) >= 2
        assert await world.peek(homes[2], KEY) == (b"bread",)

    live(body)


def test_an_owner_that_dies_in_the_middle_of_a_handoff_gets_all_of_it_the_next_time() -> None:
    """Pitfall 17. Seen to fail: with hints deleted when they are sent."""

    async def body(world: SimWorld) -> None:
        homes, _ = await placed(world)
        await kill(world, homes[2])
        keys = [b"%d" % i for i in range(900)]
        mine = [key for key in keys if homes[2] in await world.replicas(key)]
        await asyncio.gather(*[world.put(key, b"milk", w=3) for key in mine])
        seen = intercept(world, [TookBack], [[0.0], []])
        await world.restart(homes[2])

        async def second() -> bool:
            return len(seen) >= 2

        await until(world, second, 5)
        await kill(world, homes[2])
        assert await hints(world)
        await world.restart(homes[2], empty=False)
        await handed_back(world)
        assert (await world.count(homes[2])).keys == len(mine)

    live(body, durable=True)


def test_a_hint_that_has_expired_leaves_its_owner_behind() -> None:
    """Pitfall 18: until stage 9 compares the replicas, only a read of this very key mends it."""
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        homes, _ = await placed(world)
        await kill(world, homes[2])
        ok(await world.put(KEY, b"milk", via=homes[0], w=3))
        await handed_back(world)  # to nobody
        await world.restart(homes[2])
        await world.sleep(3)
        assert await world.peek(homes[2], KEY) == ()
        ok(await world.get(KEY, via=homes[2], r=3))
        await world.sleep(0.1)
        assert await world.peek(homes[2], KEY) == (b"milk",)

    live(body, told, hint_ttl_ms=500)
    assert [event.what for event in told if isinstance(event, Hinted)] == ["kept", "expired"]


def test_while_members_come_and_go_no_acknowledged_write_is_lost_and_hints_find_their_way() -> None:
    async def body(world: SimWorld) -> None:
        homes, _ = await placed(world)
        keys = [b"%d" % i for i in range(60)]
        await kill(world, homes[2])
        for key in keys:
            ok(await world.put(key, b"milk", via=homes[0], w=3))
        await world.remove(homes[2])
        await world.add("n7")
        await handed_back(world)
        for key in keys:
            assert ok(await world.get(key)) == (b"milk",)

    live(body, nodes=6)


def test_a_keeper_that_leaves_hands_back_its_hints_first() -> None:
    """Seen to fail: with a node that just goes, 300 copies are nowhere but at two home replicas."""

    async def body(world: SimWorld) -> None:
        homes, others = await placed(world)
        await kill(world, homes[2])
        keys = [b"%d" % i for i in range(900)]
        mine = [key for key in keys if homes[2] in await world.replicas(key)]
        await asyncio.gather(*[world.put(key, b"milk", w=3) for key in mine])
        await world.restart(homes[2])
        await noticed(world)
        await world.remove(others[0])
        await handed_back(world)
        for key in mine:
            assert await world.peek(homes[2], key) == (b"milk",)

    live(body, nodes=5)


def test_a_keeper_that_cannot_hand_back_its_hints_does_not_leave_and_goes_on_keeping() -> None:
    async def body(world: SimWorld) -> None:
        homes, _ = await placed(world)
        await kill(world, homes[2])
        ok(await world.put(KEY, b"milk", via=homes[0], w=3))
        [keeper] = await hints(world)
        with pytest.raises(RingChangeFailed, match=f"{homes[2]} did not answer"):
            await world.remove(keeper)
        seen = await world.get(KEY, via=homes[0])
        ok(await world.put(KEY, b"bread", via=homes[0], w=3, context=seen.context))
        await world.restart(homes[2])
        await handed_back(world)
        assert await world.peek(homes[2], KEY) == (b"bread",)

    live(body, nodes=5)
