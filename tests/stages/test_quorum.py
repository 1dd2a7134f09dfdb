"""Stage 5: N, R and W, and what they promise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
import redis
import redis.asyncio

from kvlab.check.history import Operation, Verdict
from kvlab.check.linear import linearizable
from kvlab.config import ClusterConfig
from kvlab.core.placement import Placement
from kvlab.core.ring import Ring, joined
from kvlab.errors import Outcome, UserError
from kvlab.messages import Fetch, Keep, Member, Message, NodeId
from kvlab.stages import PRESETS, checked
from kvlab.trace.events import AnyEvent, Repaired
from kvlab.world.control import Result
from kvlab.world.sim import SimWorld
from kvlab.world.world import World
from tests.stages.test_stages import live, ok, replicas_hold, settled
from tests.world.test_transfer import meddle
from tests.worlds import run_in

Body = Callable[[SimWorld], Awaitable[None]]


async def replica_and_stranger(world: World, key: bytes) -> tuple[tuple[NodeId, ...], NodeId]:
    """The key's replicas, and a node that is none of them."""
    replicas = await world.replicas(key)
    return replicas, next(node for node in world.up() if node not in replicas)


async def cut_off(world: SimWorld, *nodes: NodeId) -> None:
    """These on one side, everybody else on the other."""
    await world.partition([list(nodes), [node for node in world.up() if node not in nodes]])


# -- N, R, W -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("w", "dead"), [(1, 2), (2, 1), (3, 0)])
def test_a_write_is_done_with_w_replicas_and_not_with_one_fewer(w: int, dead: int) -> None:
    async def body(world: SimWorld) -> None:
        replicas, via = await replica_and_stranger(world, b"k")
        for node in replicas[:dead]:
            await world.kill(node)
        ok(await world.put(b"k", b"v", via=via, w=w))
        await world.kill(replicas[dead])
        result = await world.put(b"k", b"again", via=via, w=w)
        assert (result.outcome, result.error) == (Outcome.UNKNOWN, "QuorumNotReached")
        assert f"has to hear from {w} of 3" in result.text

    live(5, body)


@pytest.mark.parametrize("r", [1, 2, 3])
def test_a_read_is_done_with_r_replicas_and_not_with_one_fewer(r: int) -> None:
    async def body(world: SimWorld) -> None:
        replicas, via = await replica_and_stranger(world, b"k")
        ok(await world.put(b"k", b"v", via=via, w=3))
        for node in replicas[: 3 - r]:
            await world.kill(node)
        assert ok(await world.get(b"k", via=via, r=r)) == (b"v",)
        await world.kill(replicas[3 - r])
        result = await world.get(b"k", via=via, r=r)
        assert result.error == "QuorumNotReached"

    live(5, body)


def test_a_redis_client_says_for_each_request_how_many_have_to_answer() -> None:
    """With one of three replicas dead two can be had and three cannot, whatever the cluster began with."""

    async def body(world: World) -> None:
        (*_, last), via = await replica_and_stranger(world, b"k")
        await world.kill(last)
        async with redis.asyncio.Redis(port=world.info(via).port) as client:

            async def say(*words: str | int) -> Any:
                return await cast(Any, client).execute_command(*words)

            assert await say("KV.PUT", "k", "two", "W", 2) == b"OK"
            with pytest.raises(redis.ResponseError, match="UNKNOWN the write has to hear from 3 of 3"):
                await say("KV.PUT", "k", "three", "W", 3)
            assert await say("KV.GET", "k", "R", 2) == [None, [b"three"]]  # unknown is perhaps
            assert await say("KV.PUT", "k", "one", "W", 1) == b"OK"
            with pytest.raises(redis.ResponseError, match="the read has to hear from 3 of 3"):
                await say("KV.GET", "k", "R", 3)
            with pytest.raises(redis.ResponseError, match="must be 1 to 3"):
                await say("KV.GET", "k", "R", 4)

    run_in("process", ClusterConfig(stage=5, nodes=4, timeout_ms=500), body)


def test_all_n_replicas_are_written_though_only_w_are_waited_for() -> None:
    async def body(world: SimWorld) -> None:
        ok(await world.put(b"k", b"v", w=1))
        await settled(world)
        assert list((await replicas_hold(world, b"k")).values()) == [(b"v",)] * 3

    live(5, body)


def test_a_slow_replica_holds_up_nobody() -> None:
    async def body(world: SimWorld) -> None:
        replicas, via = await replica_and_stranger(world, b"k")
        await world.slow(replicas[0], None, 90)
        assert (await world.put(b"k", b"v", via=via)).took_ms < 90
        assert (await world.get(b"k", via=via)).took_ms < 90

    live(5, body)


def test_a_read_quorum_meets_every_write_quorum() -> None:
    """R + W > N: whichever replica missed the write, the read returns it."""

    async def body(world: SimWorld) -> None:
        replicas, via = await replica_and_stranger(world, b"k")
        for i, away in enumerate(replicas):
            await cut_off(world, away)
            ok(await world.put(b"k", b"%d" % i, via=via))
            await world.heal()
            for other in replicas:
                if other != away:
                    await cut_off(world, other)
                    assert ok(await world.get(b"k", via=via)) == (b"%d" % i,)
                    await world.heal()

    for seed in range(5):
        live(5, body, seed=seed)


def test_the_presets_set_what_their_promises_say() -> None:
    strong = checked(ClusterConfig(stage=5, preset="strong"))
    weak = checked(ClusterConfig(stage=5, preset="weak"))
    eventual = checked(ClusterConfig(stage=5, preset="eventual"))
    assert (strong.r, strong.w, strong.read_write_back) == (2, 2, True)
    assert (weak.r, weak.w, weak.read_repair) == (1, 1, False)
    assert (eventual.r, eventual.w, eventual.read_repair) == (1, 1, True)
    assert set(PRESETS) == {"strong", "weak", "eventual"}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"preset": "strong", "r": 1}, "leave them out, or the preset"),
        ({"preset": "mighty"}, "the presets are strong, weak, eventual"),
        ({"r": 1, "w": 2, "read_write_back": True}, "only if r . w > n"),
        ({"r": 4}, "must be 1 to 3"),
        ({"memory_bytes": 4096}, "has no byte budget"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(config: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        checked(ClusterConfig(stage=5, **config))


# -- versions ------------------------------------------------------------------------------------


def test_a_missed_quorum_is_unknown_and_may_surface_later() -> None:
    """Nothing rolls back the replica that took the write: the next read may find it, and then spreads it."""

    async def body(world: SimWorld) -> None:
        replicas, via = await replica_and_stranger(world, b"k")
        ok(await world.put(b"k", b"old", via=via, w=3))
        await cut_off(world, via, replicas[0])
        result = await world.put(b"k", b"new", via=via)
        assert result.outcome is Outcome.UNKNOWN
        await world.heal()
        assert ok(await world.get(b"k", via=via, r=3)) == (b"new",)
        await settled(world)
        assert list((await replicas_hold(world, b"k")).values()) == [(b"new",)] * 3

    live(5, body)


def test_a_write_that_nobody_confirmed_is_unknown_as_long_as_somebody_is_silent() -> None:
    """Here nobody has it, but who could know that?"""

    async def body(world: SimWorld) -> None:
        _, via = await replica_and_stranger(world, b"k")
        await cut_off(world, via)
        assert (await world.put(b"k", b"v", via=via)).outcome is Outcome.UNKNOWN
        assert list((await replicas_hold(world, b"k")).values()) == [()] * 3

    live(5, body)


def test_a_coordinator_whose_clock_is_slow_loses_a_write_that_it_acknowledged() -> None:
    """What is broken here, and what stage 6 mends."""

    async def body(world: SimWorld) -> None:
        await world.skew("n1", -5000)
        ok(await world.put(b"k", b"first", via="n2"))
        ok(await world.put(b"k", b"second", via="n1"))
        assert ok(await world.get(b"k", via="n2", r=3)) == (b"first",)

    live(5, body)


def test_writes_of_one_coordinator_never_tie() -> None:
    async def body(world: SimWorld) -> None:
        puts = []
        for value in (b"c", b"a", b"b"):  # at one moment, and not in the order of a tie-break
            puts.append(asyncio.ensure_future(world.put(b"k", value, via="n1")))
        await asyncio.gather(*puts)
        await settled(world)
        assert ok(await world.get(b"k", r=3)) == (b"b",)

    live(5, body)


def test_replicas_agree_on_concurrent_writes_with_one_stamp() -> None:
    """Pitfall: equal stamps need a tie-break, and every replica the same."""

    async def body(world: SimWorld) -> None:
        await asyncio.gather(*(world.put(b"k", via.encode(), via=via) for via in world.up()))
        await settled(world)
        assert list((await replicas_hold(world, b"k")).values()) == [(b"n5",)] * 3

    live(5, body)


def test_a_delete_is_a_write_that_an_older_value_cannot_undo() -> None:
    async def body(world: SimWorld) -> None:
        replicas, via = await replica_and_stranger(world, b"k")
        ok(await world.put(b"k", b"v", via=via, w=3))
        await cut_off(world, replicas[2])
        ok(await world.delete(b"k", via=via))
        await world.heal()
        assert await world.peek(replicas[2], b"k") == (b"v",)  # it has not heard of it
        assert ok(await world.get(b"k", via=via, r=3)) == ()
        await settled(world)
        assert await world.peek(replicas[2], b"k") == ()

    live(5, body)


def test_a_value_that_expired_does_not_uncover_the_one_before_it() -> None:
    """Pitfall: a time to live is in the copy, absolute, and what expires leaves a tombstone."""

    async def body(world: SimWorld) -> None:
        replicas, via = await replica_and_stranger(world, b"k")
        ok(await world.put(b"k", b"old", via=via, w=3))
        await cut_off(world, replicas[2])
        ok(await world.put(b"k", b"brief", via=via, expires_ms=world.now_ms() + 500))
        await world.heal()
        await world.sleep(1)
        assert ok(await world.get(b"k", via=via, r=3)) == ()

    live(5, body)


# -- read repair ---------------------------------------------------------------------------------


def repairs(told: list[AnyEvent]) -> list[NodeId]:
    return [event.peer for event in told if isinstance(event, Repaired)]


async def one_behind(world: SimWorld, missing: bool) -> tuple[NodeId, NodeId]:
    """Let the key's third replica miss a write; returns it, and a node to read through."""
    replicas, via = await replica_and_stranger(world, b"k")
    if not missing:
        ok(await world.put(b"k", b"old", via=via, w=3))
    await cut_off(world, replicas[2])
    ok(await world.put(b"k", b"new", via=via))
    await settled(world)
    await world.heal()
    return replicas[2], via


@pytest.mark.parametrize("missing", [False, True], ids=["stale", "missing"])
def test_a_read_repairs_the_replica_that_is_behind(missing: bool) -> None:
    async def body(world: SimWorld) -> None:
        behind, via = await one_behind(world, missing)
        told: list[AnyEvent] = []
        world.watch(told.append)
        ok(await world.get(b"k", via=via, r=3))
        await settled(world)
        assert await world.peek(behind, b"k") == (b"new",)
        assert repairs(told) == [behind]
        ok(await world.get(b"k", via=via, r=3))
        await settled(world)
        assert repairs(told) == [behind]  # and nothing more to do

    live(5, body)


def test_a_replica_that_answers_after_the_rth_is_repaired_too() -> None:
    """Pitfall: replies after the R-th dropped."""

    async def body(world: SimWorld) -> None:
        behind, via = await one_behind(world, missing=False)
        await world.slow(behind, None, 30)
        assert (await world.get(b"k", via=via)).took_ms < 30
        await settled(world)
        assert await world.peek(behind, b"k") == (b"new",)

    live(5, body)


def test_a_late_newer_answer_repairs_those_that_were_counted() -> None:
    async def body(world: SimWorld) -> None:
        replicas, via = await replica_and_stranger(world, b"k")
        ok(await world.put(b"k", b"old", via=via, w=3))
        await cut_off(world, via, replicas[0])
        assert (await world.put(b"k", b"new", via=via)).outcome is Outcome.UNKNOWN
        await world.heal()
        await world.slow(replicas[0], None, 30)
        assert ok(await world.get(b"k", via=via)) == (b"old",)
        await settled(world)
        assert list((await replicas_hold(world, b"k")).values()) == [(b"new",)] * 3

    live(5, body)


def test_without_read_repair_the_difference_stays() -> None:
    async def body(world: SimWorld) -> None:
        behind, via = await one_behind(world, missing=False)
        ok(await world.get(b"k", via=via, r=3))
        await settled(world)
        assert await world.peek(behind, b"k") == (b"old",)

    live(5, body, read_repair=False)


def test_a_repair_does_not_go_to_who_has_given_the_key_up_meanwhile() -> None:
    """A copy at a node that is no replica would be nobody's to mend: it is there when the key comes back."""

    async def body(world: SimWorld) -> None:
        after = Placement(Ring(joined(world.ring, Member(NodeId("n6")))), 3)
        for key in (b"k%d" % i for i in range(100)):
            replicas = await world.replicas(key)
            if "n6" in after.replicas(key):
                break
        loser = next(node for node in replicas if node not in after.replicas(key))
        via = next(node for node in world.up() if node not in replicas)

        def fate(sender: NodeId, to: NodeId, message: Message) -> list[float]:
            if isinstance(message, Keep) and message.epoch == 0 and to == loser:
                return []
            return [0.5] if isinstance(message, Fetch) and to == loser else [0.0]

        meddle(world, fate)
        ok(await world.put(key, b"v", via=via, w=2))
        ok(await world.get(key, via=via, r=2))
        await world.add("n6")
        assert world.at_ms() < 500  # the loser is yet to answer
        await settled(world)
        assert loser not in await world.replicas(key)
        assert await world.peek(loser, key) == ()

    live(5, body, timeout_ms=1000)


# -- is it a register? ---------------------------------------------------------------------------


async def two_reads_during_a_write(world: SimWorld) -> list[Operation]:
    """One writer whose write reaches the replicas slowly, and readers on both sides of it."""
    replicas, via = await replica_and_stranger(world, b"k")
    others = [node for node in world.up() if node != via]
    history: list[Operation] = []

    def remember(result: Result, begun: float, value: bytes | None = None) -> None:
        history.append(
            Operation(
                result.kind, b"k", session=result.via, start_ms=begun, end_ms=world.at_ms(),
                outcome=result.outcome, value=value, found=result.values,
            )
        )  # fmt: skip

    async def write(value: bytes, w: int | None = None) -> None:
        begun = world.at_ms()
        remember(await world.put(b"k", value, via=via, w=w), begun, value)

    async def reads(node: NodeId) -> None:
        for _ in range(4):
            begun = world.at_ms()
            remember(await world.get(b"k", via=node), begun)
            await world.sleep(0.005)

    await write(b"old", 3)
    for replica in replicas[1:]:
        await world.slow(via, replica, 40)
    await asyncio.gather(write(b"new"), *(reads(node) for node in others))
    return history


def verdicts(**config: Any) -> list[Verdict]:
    found = []

    async def body(world: SimWorld) -> None:
        found.append(linearizable(await two_reads_during_a_write(world)).verdict)

    for seed in range(12):
        live(5, body, seed=seed, timeout_ms=300, **config)
    return found


def test_r_plus_w_above_n_is_not_linearizable_and_the_checker_says_so() -> None:
    """Pitfall: quorum is not linearizable: a read finds the new value, and a later one the old."""
    assert Verdict.ILLEGAL in verdicts(read_repair=False)


def test_what_is_written_back_before_it_is_returned_is_linearizable() -> None:
    assert set(verdicts(read_write_back=True)) == {Verdict.OK}
