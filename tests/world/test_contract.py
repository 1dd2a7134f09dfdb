"""The contract of a World: one suite, run on processes and in the simulator alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from kvlab.config import ClusterConfig
from kvlab.errors import NoAnswer, NoSuchNode, NotInThisStage, Outcome, RingChangeFailed, UserError
from kvlab.trace import events
from kvlab.trace.events import AnyEvent
from kvlab.world.world import NodeState, World
from tests.worlds import WORLDS, run_in, until

pytestmark = pytest.mark.parametrize("kind", WORLDS)

RING = ClusterConfig(stage=3, nodes=3, timeout_ms=3000)
COPIES = ClusterConfig(stage=4, nodes=3, timeout_ms=3000)
SILENCE_MS = 400
"""The time-out where somebody is silent, and it has to pass. Elsewhere no busy machine reaches it."""


def short(config: ClusterConfig) -> ClusterConfig:
    return msgspec.structs.replace(config, timeout_ms=SILENCE_MS)


async def key_of(world: World, node: str) -> bytes:
    """A key whose first replica is this node."""
    for i in range(10_000):
        if (await world.replicas(b"key%d" % i))[0] == node:
            return b"key%d" % i
    raise AssertionError(f"no key falls to {node}")


def test_what_one_node_wrote_every_node_reads(kind: str) -> None:
    async def body(world: World) -> None:
        for i, writer in enumerate(world.members()):
            assert (await world.put(b"k%d" % i, b"v%d" % i, via=writer)).outcome is Outcome.OK
        for i in range(3):
            for reader in world.members():
                assert (await world.get(b"k%d" % i, via=reader)).values == (b"v%d" % i,)

    run_in(kind, RING, body)


def test_a_deleted_key_is_missing_everywhere(kind: str) -> None:
    async def body(world: World) -> None:
        await world.put(b"k", b"v")
        assert (await world.delete(b"k", via="n2")).outcome is Outcome.OK
        for node in world.members():
            assert (await world.get(b"k", via=node)).values == ()
            assert await world.peek(node, b"k") == ()

    run_in(kind, COPIES, body)


def test_stage_1_runs_on_one_node(kind: str) -> None:
    async def body(world: World) -> None:
        assert world.members() == ["n1"]
        await world.put(b"k", b"v")
        assert (await world.get(b"k")).values == (b"v",)
        with pytest.raises(NotInThisStage, match="stage 3 adds it"):
            await world.add("n2")

    run_in(kind, ClusterConfig(stage=1), body)


def test_every_replica_holds_a_copy(kind: str) -> None:
    async def body(world: World) -> None:
        await world.put(b"k", b"v")
        for node in await world.replicas(b"k"):
            assert await world.peek(node, b"k") == (b"v",)

    run_in(kind, COPIES, body)


def test_a_killed_node_has_certainly_done_nothing(kind: str) -> None:
    async def body(world: World) -> None:
        await world.kill("n2")
        result = await world.put(b"k", b"v", via="n2")
        assert (result.outcome, result.error) == (Outcome.FAILED, "NodeDown")
        assert world.info("n2").state is NodeState.DOWN

    run_in(kind, RING, body)


def test_a_paused_coordinator_leaves_the_outcome_unknown(kind: str) -> None:
    async def body(world: World) -> None:
        await world.pause("n2")
        result = await world.put(b"k", b"v", via="n2")
        assert (result.outcome, result.error) == (Outcome.UNKNOWN, "NoAnswer")
        await world.resume("n2")
        assert (await world.put(b"k", b"w", via="n2")).outcome is Outcome.OK

    run_in(kind, short(RING), body)


def test_a_node_killed_while_it_coordinates_leaves_the_outcome_unknown(kind: str) -> None:
    async def body(world: World) -> None:
        key = await key_of(world, "n1")
        await world.pause("n1")  # so that the operation waits
        waiting = asyncio.ensure_future(world.put(key, b"v", via="n2"))
        await world.sleep(0.05)
        await world.kill("n2")
        result = await waiting
        assert (result.outcome, result.error) == (Outcome.UNKNOWN, "NoAnswer")

    run_in(kind, short(RING), body)


def test_a_partition_is_silence_until_it_heals(kind: str) -> None:
    async def body(world: World) -> None:
        key = await key_of(world, "n1")
        await world.put(key, b"before", via="n1")
        await world.partition([["n1"], ["n2", "n3"]])
        result = await world.get(key, via="n2")
        assert (result.outcome, result.error) == (Outcome.UNKNOWN, "PeerSilent")
        assert (await world.get(key, via="n1")).values == (b"before",)
        await world.heal()
        assert (await world.get(key, via="n2")).values == (b"before",)

    run_in(kind, short(RING), body)


def test_a_slow_link_delays_both_ways(kind: str) -> None:
    async def body(world: World) -> None:
        key = await key_of(world, "n1")
        await world.slow("n1", "n2", delay_ms=40)
        result = await world.put(key, b"v", via="n2")
        assert result.outcome is Outcome.OK
        assert result.took_ms >= 80
        assert (await world.put(key, b"v", via="n3")).outcome is Outcome.OK

    run_in(kind, RING, body)


def test_lost_messages_never_arrive(kind: str) -> None:
    async def body(world: World) -> None:
        key = await key_of(world, "n1")
        await world.lose("n1", "n2", 1.0)
        assert (await world.put(key, b"v", via="n2")).outcome is Outcome.UNKNOWN
        assert await world.peek("n1", key) == ()
        await world.heal()
        assert (await world.put(key, b"v", via="n2")).outcome is Outcome.OK

    run_in(kind, short(RING), body)


def test_duplicated_messages_arrive_twice(kind: str) -> None:
    told: list[AnyEvent] = []

    async def body(world: World) -> None:
        key = await key_of(world, "n1")
        await world.duplicate("n1", "n2", 1.0)
        assert (await world.put(key, b"v", via="n2")).outcome is Outcome.OK
        await world.get(key, via="n2")

    run_in(kind, RING, body, told)
    keeps = [e for e in told if isinstance(e, events.Delivered) and e.kind == "Keep" and e.node == "n1"]
    assert len(keeps) == 2


def test_a_skewed_clock_expires_keys_before_their_time(kind: str) -> None:
    async def body(world: World) -> None:
        key = await key_of(world, "n1")
        await world.put(key, b"v", expires_ms=world.now_ms() + 60_000)
        assert (await world.get(key)).values == (b"v",)
        await world.skew("n1", 120_000)
        assert (await world.get(key)).values == ()

    run_in(kind, RING, body)


def test_a_value_that_rots_is_another_one_and_only_there(kind: str) -> None:
    async def body(world: World) -> None:
        for value in (b"milk", b""):
            await world.put(b"k", value, context=(await world.get(b"k")).context, w=3)
            await world.rot("n2", b"k")
            assert await world.peek("n2", b"k") != (value,)
            assert await world.peek("n1", b"k") == (value,)
        with pytest.raises(UserError, match="n1 holds no value of unheard"):
            await world.rot("n1", b"unheard")

    run_in(kind, ClusterConfig(stage=6, nodes=3), body)


def test_a_restarted_node_keeps_name_and_port_and_takes_part_again(kind: str) -> None:
    async def body(world: World) -> None:
        key = await key_of(world, "n2")
        await world.put(key, b"v")
        port = world.info("n2").port
        await world.kill("n2")
        await world.restart("n2")
        assert world.info("n2").state is NodeState.UP
        assert world.info("n2").port == port
        assert (await world.get(key, via="n1")).values == ()  # it had it in memory only
        assert (await world.put(key, b"w", via="n3")).outcome is Outcome.OK
        assert (await world.get(key, via="n1")).values == (b"w",)

    run_in(kind, RING, body)


def test_a_join_moves_keys_only_to_the_newcomer_and_loses_none(kind: str) -> None:
    async def body(world: World) -> None:
        keys = [b"k%d" % i for i in range(120)]
        for key in keys:
            await world.put(key, b"v")
        before = {key: (await world.replicas(key))[0] for key in keys}
        moved = (await world.add("n4")).moved
        after = {key: (await world.replicas(key))[0] for key in keys}
        gone = [key for key in keys if before[key] != after[key]]
        assert {after[key] for key in gone} == {"n4"}
        assert len(gone) == moved == (await world.count("n4")).keys
        assert 0 < moved < 60  # about a quarter
        assert sum([(await world.count(node)).keys for node in world.members()]) == len(keys)
        for key in keys:
            assert (await world.get(key, via="n4")).values == (b"v",)

    run_in(kind, RING, body)


def test_a_leave_hands_every_key_over(kind: str) -> None:
    async def body(world: World) -> None:
        keys = [b"k%d" % i for i in range(60)]
        for key in keys:
            await world.put(key, b"v")
        held = (await world.count("n2")).keys
        assert (await world.remove("n2")).moved == held
        assert world.members() == ["n1", "n3", "n4"]
        for key in keys:
            assert (await world.get(key, via="n1")).values == (b"v",)
        with pytest.raises(NoSuchNode):
            await world.get(b"k", via="n2")

    run_in(kind, ClusterConfig(stage=3, nodes=4, timeout_ms=3000), body)


@pytest.mark.parametrize("stage", [3, 4])
def test_writes_during_joins_and_leaves_are_not_lost(kind: str, stage: int) -> None:
    async def body(world: World) -> None:
        written: dict[bytes, bytes] = {}
        stop = False

        async def write(writer: int) -> None:
            i = 0
            while not stop:
                key, value = b"w%d-%d" % (writer, i % 40), b"%d" % i
                result = await world.put(key, value, via=f"n{writer}")
                assert result.outcome is Outcome.OK, result
                written[key] = value
                i += 1

        async def change() -> None:
            nonlocal stop
            try:
                await asyncio.gather(world.add("n5"), world.add("n6"))  # at once: one of them has to wait
                await world.remove("n4")
            finally:
                stop = True

        await asyncio.gather(change(), *map(write, (1, 2, 3)))
        assert len(written) > 50
        for key, value in written.items():
            for reader in ("n1", "n5"):
                assert (await world.get(key, via=reader)).values == (value,), key
            for replica in await world.replicas(key):
                assert await world.peek(replica, key) == (value,)

    run_in(kind, ClusterConfig(stage=stage, nodes=4, n=3, timeout_ms=3000), body)


def test_a_join_that_cannot_reach_everybody_leaves_the_old_ring_at_work(kind: str) -> None:
    async def body(world: World) -> None:
        key = await key_of(world, "n1")
        await world.put(key, b"v")
        await world.pause("n3")
        with pytest.raises(RingChangeFailed, match="n3 did not answer"):
            await world.add("n4")
        assert world.members() == ["n1", "n2", "n3"]
        await world.resume("n3")
        assert (await world.put(key, b"w", via="n2")).outcome is Outcome.OK
        assert (await world.get(key, via="n3")).values == (b"w",)
        await world.add("n4")
        assert (await world.get(key, via="n4")).values == (b"w",)

    run_in(kind, short(RING), body)


def test_a_joining_node_that_dies_leaves_the_old_ring_at_work(kind: str) -> None:
    async def body(world: World) -> None:
        keys = [b"k%d" % i for i in range(50)]
        for key in keys:
            await world.put(key, b"v")
        await world.pause("n3")
        joining = asyncio.ensure_future(world.add("n4"))

        async def two_have_consented() -> bool:
            phases = [e.node for e in told if isinstance(e, events.RingChanged) and e.phase == "prepared"]
            return phases == ["n1", "n2"]

        await until(world, two_have_consented)
        await world.kill("n4")
        with pytest.raises(NoAnswer, match="n4 broke off"):
            await joining
        await world.resume("n3")
        # n1 and n2 find that nobody drives the change, and settle it; until then they admit no other
        await world.add("n5")
        for key in keys:
            assert (await world.get(key, via="n5")).values == (b"v",)

    told: list[AnyEvent] = []
    run_in(kind, short(RING), body, told)


def test_a_dead_node_is_struck_off_where_there_are_copies_and_not_where_there_are_none(kind: str) -> None:
    async def body(world: World) -> None:
        keys = [b"k%d" % i for i in range(30)]
        for key in keys:
            await world.put(key, b"v")
        await world.kill("n4")
        if world.stage.replicated:
            await world.remove("n4")
            for key in keys:
                assert (await world.get(key, via="n1")).values == (b"v",)
                for replica in await world.replicas(key):
                    assert await world.peek(replica, key) == (b"v",)
        else:
            with pytest.raises(RingChangeFailed, match="only copy"):
                await world.remove("n4")

    for stage in (3, 4):
        run_in(kind, ClusterConfig(stage=stage, nodes=4, n=3, timeout_ms=SILENCE_MS), body)


def test_a_node_that_is_being_removed_cannot_be_restarted(kind: str) -> None:
    async def body(world: World) -> None:
        await world.kill("n4")
        removing = asyncio.ensure_future(world.remove("n4"))
        await asyncio.sleep(0)
        with pytest.raises(UserError, match="about to take n4 in, or to let it go"):
            await world.restart("n4")
        await removing
        assert world.members() == ["n1", "n2", "n3"]

    run_in(kind, ClusterConfig(stage=4, nodes=4), body)


def test_replicas_stand_in_distinct_zones_and_survive_the_loss_of_one(kind: str) -> None:
    async def body(world: World) -> None:
        for i in range(20):
            await world.put(b"k%d" % i, b"v")
        for i in range(20):
            replicas = await world.replicas(b"k%d" % i)
            assert {world.info(node).member.zone for node in replicas} == {"z1", "z2"}
        for node in ("n1", "n3"):  # all of z1
            await world.kill(node)
        for i in range(20):
            assert (await world.get(b"k%d" % i, via="n2")).values == (b"v",)

    run_in(kind, ClusterConfig(stage=4, nodes=4, n=2, zones=2, timeout_ms=SILENCE_MS // 2), body)


def test_mistakes_are_refused_before_anything_is_done(kind: str) -> None:
    async def body(world: World) -> None:
        mistakes: list[tuple[Callable[[], Awaitable[object]], str]] = [
            (lambda: world.kill("n9"), "there is no node 'n9'; the nodes are n1, n2, n3"),
            (lambda: world.resume("n1"), "cannot resume n1: it is up, not paused"),
            (lambda: world.restart("n1"), "cannot restart n1: it is up, not down"),
            (lambda: world.partition([["n1"]]), "needs two groups"),
            (lambda: world.partition([["n1", "n2"], ["n2", "n3"]]), "n2 stands in two groups"),
            (lambda: world.partition([["n1"], ["n2"]]), "n3 stands in no group"),
            (lambda: world.lose("n1", "n2", 1.5), "0% to 100%"),
            (lambda: world.slow("n1", "n1", 5), "no link to itself"),
            (lambda: world.slow("n1", "n2", -5), "cannot be negative"),
            (lambda: world.add("n2"), "n2 is there already; the next free name is n4"),
            (lambda: world.add("bob"), "nodes are called n1, n2"),
            (lambda: world.add("n4", weight=99), "a weight must be 1 to 16"),
            (lambda: world.get(b"k", via="n7"), "there is no node 'n7'"),
        ]
        for wrong, expected in mistakes:
            with pytest.raises(UserError, match=expected):
                await wrong()
        assert world.up() == ["n1", "n2", "n3"]
        assert world.faults.groups == ()

    run_in(kind, COPIES, body)


def test_every_message_sent_is_delivered_or_dropped_and_tied_to_its_operation(kind: str) -> None:
    told: list[AnyEvent] = []

    async def body(world: World) -> None:
        await world.put(b"k", b"v", via="n1")
        await world.partition([["n1"], ["n2", "n3"]])
        await world.put(b"k", b"w", via="n1")
        await world.heal()
        await world.get(b"k", via="n2")

    run_in(kind, short(COPIES), body, told)
    sent = {e.msg: e for e in told if isinstance(e, events.Sent)}
    ended = {e.msg for e in told if isinstance(e, events.Delivered | events.MessageDropped)}
    assert sent
    assert set(sent) == ended
    started = {e.op: e for e in told if isinstance(e, events.OpStarted)}
    finished = {e.op: e for e in told if isinstance(e, events.OpEnded)}
    assert set(started) == set(finished)
    assert [e.outcome for e in finished.values()] == ["ok", "unknown", "ok"]
    assert all(e.op in started for e in sent.values() if e.kind in ("Keep", "Kept", "Fetch", "Fetched"))
    assert {e.why for e in told if isinstance(e, events.MessageDropped)} == {"partition"}
    answers = [e for e in sent.values() if e.kind == "Kept"]
    assert answers
    assert all(sent[e.answers].kind == "Keep" for e in answers)
