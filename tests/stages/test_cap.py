"""Stage 2: what a cut does to three mirrors that would rather be consistent, and to three that would rather
be available. In the simulator, but for what needs a Redis client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest
import redis

from kvlab.check.history import Operation, Verdict
from kvlab.check.linear import linearizable
from kvlab.config import ClusterConfig
from kvlab.errors import Outcome, UserError
from kvlab.messages import NodeId
from kvlab.stages import checked
from kvlab.trace.events import AnyEvent, Believed, Locked, Overwritten, Sent
from kvlab.world.control import Result
from kvlab.world.sim import SimWorld
from kvlab.world.world import World
from tests.worlds import run_in, until

N1, N2, N3 = NodeId("n1"), NodeId("n2"), NodeId("n3")
DETECTION_S = 1.5
"""A node is suspected after a second of silence: by then everybody knows."""
RECONCILED_S = 1.0
"""Some beats: by then those who hear each other again have exchanged what they hold."""


def live(
    choice: str, body: Callable[[SimWorld], Awaitable[None]], seed: int = 1, durable: bool = False
) -> list[AnyEvent]:
    """Live through the body; returns all that was told."""
    world = SimWorld(ClusterConfig(stage=2, choice=choice, seed=seed, timeout_ms=100, durable=durable))
    told: list[AnyEvent] = []
    world.watch(told.append)

    async def lived() -> None:
        async with world:
            await body(world)

    world.run(lived())
    return told


def overwritten(told: list[AnyEvent]) -> list[tuple[NodeId, bytes, tuple[bytes, ...], tuple[bytes, ...]]]:
    return [
        (event.node, event.key, event.values, event.by) for event in told if isinstance(event, Overwritten)
    ]


async def cut(world: World, *groups: list[str], found_out: bool = True) -> None:
    await world.partition(groups)
    if found_out:
        await world.sleep(DETECTION_S)


async def heal(world: World) -> None:
    await world.heal()
    await world.sleep(RECONCILED_S)


async def put(world: World, value: str, via: str, key: bytes = b"k") -> None:
    """An acknowledged write, and some time, in which ap lets the others know."""
    result = await world.put(key, value.encode(), via=via)
    assert result.outcome is Outcome.OK, result
    await world.sleep(0.02)


async def held(world: World, key: bytes = b"k") -> list[tuple[bytes, ...]]:
    return [await world.peek(node, key) for node in world.up()]


async def reads(world: World, key: bytes = b"k") -> list[tuple[bytes, ...]]:
    results = [await world.get(key, via=node) for node in world.up()]
    assert {result.outcome for result in results} == {Outcome.OK}, results
    return [result.values for result in results]


def says(result: Result) -> tuple[str, str]:
    return str(result.outcome), result.error


# -- the choice --------------------------------------------------------------------------------------


def test_ca_is_refused_with_the_argument_why() -> None:
    with pytest.raises(UserError, match=r"nobody is asked; and when a write arrives on one side"):
        checked(ClusterConfig(stage=2, choice="ca"))


@pytest.mark.parametrize("config", [ClusterConfig(stage=2, r=1), ClusterConfig(stage=2, w=3)])
def test_the_choice_says_how_many_confirm_and_no_number_does(config: ClusterConfig) -> None:
    with pytest.raises(UserError, match="as the choice"):
        checked(config)


# -- cp: a cut locks writes ---------------------------------------------------------------------------


def test_a_cut_is_found_out_by_silence_and_not_before() -> None:
    """Nobody writes, and nobody is told; both sides come to know."""

    async def body(world: SimWorld) -> None:
        await world.sleep(0.5)
        await cut(world, ["n1"], ["n2", "n3"], found_out=False)
        await world.sleep(0.5)
        assert {await world.belief(a, b) for a in world.up() for b in world.up() if a != b} == {"alive"}
        await world.sleep(DETECTION_S)
        seen = {(a, b): await world.belief(a, b) for a in world.up() for b in world.up() if a != b}
        assert {pair for pair, belief in seen.items() if belief == "suspect"} == {
            (N1, N2), (N1, N3), (N2, N1), (N3, N1)
        }  # fmt: skip

    told = live("cp", body)
    assert [e.missing for e in told if isinstance(e, Locked) and e.node == N2][-1] == (N1,)


@pytest.mark.parametrize("via", ["n1", "n2"])
def test_from_then_on_a_write_is_refused_at_once_with_the_reason_and_reaches_nobody(via: str) -> None:
    async def body(world: SimWorld) -> None:
        await put(world, "before", "n3")
        await cut(world, ["n1"], ["n2", "n3"])
        for refused in (await world.put(b"k", b"during", via=via), await world.delete(b"k", via=via)):
            assert says(refused) == ("failed", "WritesLocked")
            assert refused.took_ms == 0
            assert ("n2 and n3 cannot be told" if via == "n1" else "n1 cannot be told") in refused.text
        assert await held(world) == [(b"before",)] * 3
        await heal(world)
        assert await held(world) == [(b"before",)] * 3

    live("cp", body)


def test_reads_go_on_everywhere_while_writes_are_locked_and_after_the_heal_writes_do_too() -> None:
    async def body(world: SimWorld) -> None:
        await put(world, "before", "n1")
        await world.sleep(0.1)
        await cut(world, ["n1"], ["n2"], ["n3"])
        assert await reads(world) == [(b"before",)] * 3
        await heal(world)
        for via in world.up():
            await put(world, f"after by {via}", via)
        assert await reads(world) == [(b"after by n3",)] * 3

    told = live("cp", body)
    for node in (N1, N2, N3):
        missing = [event.missing for event in told if isinstance(event, Locked) and event.node == node]
        assert len(max(missing, key=len)) == 2
        assert missing[-1] == ()


def test_a_slow_network_is_not_a_cut() -> None:
    """Answers that take longer than the silence that is borne still come one after the other."""

    async def body(world: SimWorld) -> None:
        await world.sleep(0.1)
        for slower in range(100, 1300, 300):
            await world.slow("n1", None, slower)
            await world.sleep(3)
        assert await world.belief("n1", "n2") == await world.belief("n2", "n1") == "alive"

    told = live("cp", body)
    assert not [event for event in told if isinstance(event, Locked) and event.missing]


def test_while_one_of_two_cuts_is_mended_writes_stay_locked() -> None:
    async def body(world: SimWorld) -> None:
        await cut(world, ["n1"], ["n2"], ["n3"])
        await cut(world, ["n1", "n2"], ["n3"])
        for via in world.up():
            assert says(await world.put(b"k", b"v", via=via)) == ("failed", "WritesLocked")
        assert await world.belief("n1", "n2") == "alive"
        await heal(world)
        await put(world, "v", "n3")

    live("cp", body)


def test_a_cable_that_is_cut_in_one_direction_is_found_out_at_both_of_its_ends() -> None:
    async def body(world: SimWorld) -> None:
        world.faults.set(N1, N2, loss=1.0)
        await world.sleep(DETECTION_S)
        assert [await world.belief(a, b) for a, b in (("n1", "n2"), ("n2", "n1"))] == ["suspect", "suspect"]
        assert [await world.belief("n3", other) for other in ("n1", "n2")] == ["alive", "alive"]
        assert says(await world.put(b"k", b"v", via="n2")) == ("failed", "WritesLocked")
        assert says(await world.put(b"k", b"v", via="n3")) == ("ok", "")  # all three hold it
        assert await held(world) == [(b"v",)] * 3

    live("cp", body)


def test_a_dead_node_locks_writes_until_it_is_back_and_has_everything() -> None:
    async def body(world: SimWorld) -> None:
        for i in range(500):  # several chunks
            await put(world, "v", "n1", b"k%d" % i)
        await world.kill("n2")
        await world.sleep(DETECTION_S)
        assert says(await world.put(b"k", b"v", via="n1")) == ("failed", "WritesLocked")
        assert len(await reads(world, b"k7")) == 2
        await world.restart("n2")
        assert (await world.get(b"k499", via="n2")).values == (b"v",)  # it waits until it can know
        assert (await world.count("n2")).keys == 500
        await heal(world)
        await put(world, "v", "n2")

    live("cp", body)


def test_a_node_that_came_back_empty_takes_no_part_before_it_has_heard_from_all() -> None:
    async def body(world: SimWorld) -> None:
        await put(world, "v", "n1")
        await world.kill("n1")
        await cut(world, ["n1", "n2"], ["n3"], found_out=False)
        await world.restart("n1")
        await world.sleep(DETECTION_S)
        assert await world.peek("n1", b"k") == (b"v",)  # from n2; what n3 has, it cannot know
        assert says(await world.get(b"k", via="n1")) == ("failed", "Busy")
        assert says(await world.put(b"k", b"w", via="n1")) == ("failed", "WritesLocked")
        await heal(world)
        assert await reads(world) == [(b"v",)] * 3

    live("cp", body)


# -- cp: the write that the cut caught ------------------------------------------------------------------


def test_a_write_that_the_cut_catches_is_unknown_and_its_key_alone_cannot_be_read_where_it_came_to() -> None:
    async def body(world: SimWorld) -> None:
        await put(world, "old", "n1")
        await put(world, "v", "n1", b"other")
        await world.sleep(0.1)
        await cut(world, ["n1"], ["n2", "n3"], found_out=False)
        assert says(await world.put(b"k", b"new", via="n2")) == ("unknown", "ReplicasMissing")
        assert await held(world) == [(b"old",), (b"new",), (b"new",)]
        await world.sleep(DETECTION_S)
        assert (await world.get(b"k", via="n1")).values == (b"old",)
        for via in ("n2", "n3"):
            doubt = await world.get(b"k", via=via)
            assert says(doubt) == ("failed", "InDoubt")
            assert "when n1 fell silent" in doubt.text
        assert await reads(world, b"other") == [(b"v",)] * 3
        await heal(world)
        assert await reads(world) == [(b"new",)] * 3
        await cut(world, ["n1"], ["n2"], ["n3"])
        assert await reads(world) == [(b"new",)] * 3  # and no doubt is left

    live("cp", body)


def test_a_read_that_meets_a_write_in_doubt_has_all_nodes_hold_it_first() -> None:
    """Else n2 could answer with the new value, and n1 after that with the old one."""

    async def body(world: SimWorld) -> None:
        await put(world, "old", "n1")
        await world.sleep(0.1)
        await world.slow("n3", "n1", 60)
        writing = asyncio.ensure_future(world.put(b"k", b"new", via="n3"))
        await world.sleep(0.02)
        assert await held(world) == [(b"old",), (b"new",), (b"new",)]
        assert (await world.get(b"k", via="n2")).values == (b"new",)
        assert await world.peek("n1", b"k") == (b"new",)
        assert (await writing).outcome is Outcome.UNKNOWN  # its answer from n1 came too late
        await heal(world)

    live("cp", body)


async def client(world: SimWorld, number: int, random: Random, history: list[Operation]) -> None:
    """Reads, and writes of values that nobody else writes, one after the other, of two keys."""
    for i in range(40):
        await world.sleep(random.uniform(0, 0.15))
        key, via = random.choice([b"a", b"b"]), random.choice(world.members())
        begun, value = world.at_ms(), b"%d-%d" % (number, i)
        write = random.random() < 0.5
        result = await (world.put(key, value, via=via) if write else world.get(key, via=via))
        kind, written = ("put", value) if write else ("get", None)
        history.append(
            Operation(kind, key, via, begun, world.at_ms(), result.outcome, written, result.values)
        )


async def trouble(world: SimWorld, random: Random) -> None:
    """Cuts, pauses, loss, wrong clocks, and a node that loses its memory, or comes back with it."""
    for _ in range(4):
        victim = random.choice(world.members())
        others = [node for node in world.members() if node != victim]
        match random.randrange(5):
            case 0:
                await world.partition([[victim], others])
                await world.sleep(random.uniform(0.05, 2))
                await world.heal()
            case 1:
                await world.pause(victim)
                await world.sleep(random.uniform(0.05, 2))
                await world.resume(victim)
            case 2:
                await world.lose(victim, None, 0.3)
                await world.sleep(1)
                await world.heal()
            case 3:
                await world.skew(victim, random.randrange(-5000, 5000))
            case _:
                await world.kill(victim)
                await world.sleep(random.uniform(0, 2))
                await world.restart(victim)
        await world.sleep(random.uniform(0, 1))


def lived_through(choice: str, seed: int) -> list[Operation]:
    history: list[Operation] = []

    async def body(world: SimWorld) -> None:
        clients = [client(world, i, Random(f"{seed} {i}"), history) for i in range(4)]
        await asyncio.gather(trouble(world, Random(f"{seed} trouble")), *clients)
        await heal(world)
        for key in (b"a", b"b"):
            for node in world.up():
                begun = world.at_ms()
                result = await world.get(key, via=node)
                assert result.outcome is Outcome.OK, result
                ended = world.at_ms()
                history.append(Operation("get", key, node, begun, ended, found=result.values))

    live(choice, body, seed, durable=seed % 2 == 1)
    return history


@pytest.mark.parametrize("seed", range(20))
def test_cp_is_linearizable_through_cuts_pauses_loss_wrong_clocks_and_a_lost_memory(seed: int) -> None:
    history = lived_through("cp", seed)
    assert {op.outcome for op in history if op.kind == "put"} >= {Outcome.OK}
    judgement = linearizable(history)
    assert judgement.verdict is Verdict.OK, judgement


def test_ap_is_not() -> None:
    """What the test above can say no to."""
    verdicts = [linearizable(lived_through("ap", seed)).verdict for seed in range(5)]
    assert Verdict.ILLEGAL in verdicts


# -- ap: go on, and reconcile ---------------------------------------------------------------------------


def test_ap_goes_on_on_both_sides_and_at_heal_says_which_acknowledged_write_it_overwrote() -> None:
    async def body(world: SimWorld) -> None:
        await put(world, "100", "n1", b"balance")
        await put(world, "same", "n1", b"untouched")
        await cut(world, ["n1"], ["n2", "n3"])
        await put(world, "40", "n1", b"balance")
        await put(world, "30", "n3", b"balance")
        assert await held(world, b"balance") == [(b"40",), (b"30",), (b"30",)]
        await put(world, "here alone", "n1", b"left")
        await put(world, "there alone", "n2", b"right")
        await heal(world)
        assert await reads(world, b"balance") == [(b"30",)] * 3
        assert await reads(world, b"left") == [(b"here alone",)] * 3
        assert await reads(world, b"right") == [(b"there alone",)] * 3
        await heal(world)

    assert overwritten(live("ap", body)) == [(N1, b"balance", (b"40",), (b"30",))]


def test_a_side_that_overwrote_its_own_write_and_then_lost_has_lost_the_last_one_only() -> None:
    async def body(world: SimWorld) -> None:
        await cut(world, ["n1"], ["n2", "n3"])
        await put(world, "first", "n2")
        await put(world, "second", "n3")
        await put(world, "elsewhere", "n1")
        await heal(world)
        assert await reads(world) == [(b"elsewhere",)] * 3

    assert overwritten(live("ap", body)) == [(N3, b"k", (b"second",), (b"elsewhere",))]


def test_a_write_that_comes_between_heal_and_reconciliation_is_part_of_it() -> None:
    async def body(world: SimWorld) -> None:
        await cut(world, ["n1"], ["n2", "n3"])
        await put(world, "here", "n3")
        await world.heal()
        await put(world, "after the heal", "n1")  # it has not heard of the other one yet
        await world.sleep(RECONCILED_S)
        assert await reads(world) == [(b"after the heal",)] * 3

    assert overwritten(live("ap", body)) == [(N3, b"k", (b"here",), (b"after the heal",))]


def test_so_is_one_that_comes_then_and_loses() -> None:
    """All nodes confirm it, for what they hold is newer; nobody may take that for a success."""

    async def body(world: SimWorld) -> None:
        await world.skew("n1", 60_000)
        await cut(world, ["n1"], ["n2", "n3"])
        await put(world, "by a fast clock", "n1")
        await world.heal()
        await put(world, "after the heal", "n2")
        await world.sleep(RECONCILED_S)
        assert await reads(world) == [(b"by a fast clock",)] * 3

    assert overwritten(live("ap", body)) == [(N2, b"k", (b"after the heal",), (b"by a fast clock",))]


def test_a_delete_and_a_write_on_two_sides_are_reconciled_too_and_nothing_rises_from_the_dead() -> None:
    async def body(world: SimWorld) -> None:
        for key in (b"k", b"gone"):
            await put(world, "v", "n1", key)
        await cut(world, ["n1"], ["n2", "n3"])
        await put(world, "kept here", "n1")
        assert (await world.delete(b"k", via="n2")).outcome is Outcome.OK
        assert (await world.delete(b"gone", via="n1")).outcome is Outcome.OK
        await heal(world)
        assert await reads(world) == [()] * 3
        assert await reads(world, b"gone") == [()] * 3

    assert overwritten(live("ap", body)) == [(N1, b"k", (b"kept here",), ())]


def test_where_nobody_wrote_the_same_key_twice_nothing_was_overwritten() -> None:
    async def body(world: SimWorld) -> None:
        for key in (b"a", b"b", b"c"):
            await put(world, "v", "n1", key)
        await cut(world, ["n1"], ["n2"], ["n3"])
        for key, via in ((b"a", "n1"), (b"b", "n2"), (b"c", "n3")):
            await put(world, "w", via, key)
        await heal(world)
        for key in (b"a", b"b", b"c"):
            assert await reads(world, key) == [(b"w",)] * 3

    assert overwritten(live("ap", body)) == []


def test_a_fast_clock_wins_over_a_write_that_was_later() -> None:
    """What is still broken: stamps are opinions."""

    async def body(world: SimWorld) -> None:
        await world.skew("n1", 60_000)
        await cut(world, ["n1"], ["n2", "n3"])
        await put(world, "early, by a fast clock", "n1")
        await world.sleep(5)
        await put(world, "five seconds later", "n2")
        await heal(world)
        assert await reads(world) == [(b"early, by a fast clock",)] * 3

    assert overwritten(live("ap", body)) == [
        (N2, b"k", (b"five seconds later",), (b"early, by a fast clock",))
    ]


@pytest.mark.parametrize("choice", ["cp", "ap"])
def test_without_a_cut_a_slow_clock_loses_nothing(choice: str) -> None:
    """A write is stamped after the copy that it replaces, whatever the clock says."""

    async def body(world: SimWorld) -> None:
        await world.skew("n1", -60_000)
        await put(world, "first", "n2")
        await world.sleep(0.1)
        await put(world, "second", "n1")
        await world.sleep(0.1)
        assert await reads(world) == [(b"second",)] * 3

    live(choice, body)


def test_a_lost_message_is_made_good_though_nobody_was_ever_missing_for_long() -> None:
    async def body(world: SimWorld) -> None:
        await world.lose("n1", None, 0.4)
        for i in range(100):
            await put(world, "v", "n1", b"k%d" % i)
        await heal(world)
        await until(world, lambda: everywhere(world, 100))

    live("ap", body)


async def everywhere(world: World, keys: int) -> bool:
    return [(await world.count(node)).keys for node in world.up()] == [keys] * 3


def test_a_node_that_came_back_empty_is_given_everything_and_overwrites_nothing() -> None:
    async def body(world: SimWorld) -> None:
        for i in range(500):
            await put(world, "v", "n1", b"k%d" % i)
        await world.kill("n2")
        await put(world, "w", "n1", b"k0")
        await world.restart("n2")
        assert (await world.get(b"k0", via="n2")).values == (b"w",)
        assert (await world.get(b"k499", via="n2")).values == (b"v",)
        await heal(world)
        assert await everywhere(world, 500)

    assert overwritten(live("ap", body)) == []


def test_what_a_dead_node_wrote_comes_from_one_that_heard_of_it_to_one_that_slept() -> None:
    """Who slept does not know that it missed something, and does not ask; it is pushed."""

    async def body(world: SimWorld) -> None:
        await world.sleep(0.1)
        await world.pause("n1")
        await cut(world, ["n1"], ["n2", "n3"])
        await put(world, "v", "n3")
        await world.kill("n3")
        await world.heal()
        await world.resume("n1")
        await world.sleep(RECONCILED_S)
        assert await held(world) == [(b"v",)] * 2

    live("ap", body)


@pytest.mark.parametrize("choice", ["cp", "ap"])
def test_durable_nodes_may_all_die_at_once_and_nothing_is_lost_or_reported(choice: str) -> None:
    async def body(world: SimWorld) -> None:
        await put(world, "v", "n1")
        assert (await world.delete(b"gone", via="n2")).outcome is Outcome.OK
        await world.sleep(0.1)
        for node in world.members():
            await world.kill(node)
        for node in world.members():
            await world.restart(node)
        await world.sleep(RECONCILED_S)
        assert await reads(world) == [(b"v",)] * 3
        assert await reads(world, b"gone") == [()] * 3
        await put(world, "w", "n3")
        assert await reads(world) == [(b"w",)] * 3

    assert overwritten(live(choice, body, durable=True)) == []


def test_a_node_that_starts_alone_becomes_available_all_the_same() -> None:
    async def body(world: SimWorld) -> None:
        await put(world, "v", "n1")
        await world.kill("n1")
        await cut(world, ["n1"], ["n2", "n3"])
        await world.restart("n1")
        await put(world, "w", "n1", b"other")
        await world.sleep(DETECTION_S)
        assert (await world.get(b"k", via="n1")).took_ms == 0  # it waits for nobody any more
        await heal(world)
        assert await reads(world) == [(b"v",)] * 3
        assert await reads(world, b"other") == [(b"w",)] * 3

    live("ap", body)


def test_a_question_that_the_cut_swallowed_does_not_part_those_who_have_met_since() -> None:
    """Its time-out comes after the heal."""

    async def body(world: SimWorld) -> None:
        await world.sleep(0.1)
        await cut(world, ["n1"], ["n2", "n3"])
        world.host("n1").config = ClusterConfig(stage=2, timeout_ms=3000)
        await put(world, "v", "n1")
        await heal(world)
        await world.sleep(5)

    told = live("ap", body)
    beliefs = [e.belief for e in told if isinstance(e, Believed) and (e.node, e.peer) == (N1, N2)]
    assert beliefs == ["alive", "suspect", "alive"]


# -- pauses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", ["cp", "ap"])
def test_an_observer_that_was_paused_accuses_nobody_when_it_wakes(choice: str) -> None:
    async def body(world: SimWorld) -> None:
        await world.sleep(0.5)
        await world.pause("n1")
        await world.sleep(30)
        await world.resume("n1")
        await world.sleep(3)

    told = live(choice, body)
    suspected = [
        (event.node, event.peer)
        for event in told
        if isinstance(event, Believed) and event.belief == "suspect"
    ]
    assert sorted(suspected) == [(N2, N1), (N3, N1)]


def test_who_was_paused_catches_up_when_it_wakes() -> None:
    async def body(world: SimWorld) -> None:
        await world.sleep(0.5)
        await world.pause("n1")
        await world.sleep(DETECTION_S)
        await put(world, "meanwhile", "n2")
        await world.resume("n1")
        await world.sleep(RECONCILED_S)
        assert await reads(world) == [(b"meanwhile",)] * 3

    assert overwritten(live("ap", body)) == []


# -- when nothing happens ----------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", ["cp", "ap"])
def test_when_all_is_well_only_hearts_beat(choice: str) -> None:
    since = 0.0

    async def body(world: SimWorld) -> None:
        nonlocal since
        await cut(world, ["n1"], ["n2", "n3"])
        await world.put(b"k", b"v", via="n1")
        await heal(world)
        await put(world, "w", "n2")
        await world.sleep(0.5)
        since = world.at_ms()
        await world.sleep(5)

    told = live(choice, body)
    kinds = [event.kind for event in told if isinstance(event, Sent) and event.at_ms > since]
    assert set(kinds) == {"Beat", "Heard"}
    assert 24 <= kinds.count("Beat") / (3 * 2) <= 25


# -- on real processes, by a real client -------------------------------------------------------------------


def test_a_redis_client_is_told_locked_and_why() -> None:
    async def body(world: World) -> None:
        port = world.info("n1").port

        def say(*words: str) -> object:
            with redis.Redis(port=port, protocol=2) as connection:
                return connection.execute_command(*words)

        assert await asyncio.to_thread(say, "SET", "k", "v")
        await world.partition([["n1"], ["n2", "n3"]])
        await until(world, lambda: suspects(world))
        with pytest.raises(redis.ResponseError, match=r"^LOCKED n1 takes no writes: n2 and n3"):
            await asyncio.to_thread(say, "SET", "k", "w")
        assert await asyncio.to_thread(say, "GET", "k") == b"v"
        with pytest.raises(redis.ResponseError, match="without consensus"):
            await asyncio.to_thread(say, "INCR", "k")
        with pytest.raises(redis.ResponseError, match="as the choice"):
            await asyncio.to_thread(say, "KV.PUT", "k", "w", "W", "2")

    async def suspects(world: World) -> bool:
        return await world.belief("n1", "n3") == await world.belief("n1", "n2") == "suspect"

    run_in("process", ClusterConfig(stage=2, timeout_ms=300), body)
