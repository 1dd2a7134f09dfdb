"""Anti-entropy: whatever was lost on the way, replicas come to hold the same, and nothing dead comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

import pytest

from kvlab import stages
from kvlab.config import ClusterConfig
from kvlab.core.merkle import MerkleTree, digest_of, hashes_expected
from kvlab.errors import PeerRefused, RingMoved
from kvlab.messages import GetHashes, GetRipe, Keep, Key, KeyRange, NodeId, Sibling, Siblings, Swap
from kvlab.services import anti_entropy
from kvlab.trace import events
from kvlab.trace.events import AnyEvent
from kvlab.world.sim import SimWorld
from tests.services.plain_node import PLAIN, PlainNode
from tests.worlds import until

PERIOD_MS = 100
GRACE_MS = 2000


@pytest.fixture(autouse=True)
def _stage_9_is_the_plain_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "find", lambda number: PLAIN)


def live(body: Callable[[SimWorld], Awaitable[None]], **config: Any) -> list[AnyEvent]:
    """Live through this in a cluster of three, each a home of every key, unless it is said otherwise;
    returns what happened."""
    given = {"nodes": 3, "timeout_ms": 100, "antientropy_ms": PERIOD_MS, "hint_ttl_ms": 1000}
    world = SimWorld(ClusterConfig(stage=9, **{**given, "grace_ms": GRACE_MS, **config}))
    told: list[AnyEvent] = []
    world.watch(told.append)

    async def lived() -> None:
        async with world:
            await body(world)

    world.run(lived())
    assert not [event for event in told if isinstance(event, events.NodeFault)]
    return told


def plain(world: SimWorld, node: str) -> PlainNode:
    return cast(PlainNode, world.host(node).node)


def copies(world: SimWorld, node: str) -> dict[Key, bytes]:
    """What the node holds, tombstones too, by digest."""
    host = world.host(node)
    return {key: digest_of(copy) for key, copy in sorted(plain(world, node).store.items(host.now_ms()))}


def are_equal(world: SimWorld) -> bool:
    """Does every home replica that is up hold the same under every key?"""
    held = {node: copies(world, node) for node in world.up()}
    replicas = plain(world, world.up()[0]).replicas
    for key in {key for keys in held.values() for key in keys}:
        if len({held[node].get(key) for node in replicas(key) if node in held}) > 1:
            return False
    return True


async def equal(world: SimWorld, limit_s: float = 10) -> None:
    async def are() -> bool:
        return are_equal(world)

    await until(world, are, limit_s)


async def gone(world: SimWorld, key: Key, nodes: Iterable[str], limit_s: float = 20) -> None:
    async def is_gone() -> bool:
        return all(key not in copies(world, node) for node in nodes)

    await until(world, is_gone, limit_s)


async def mend(world: SimWorld) -> None:
    """Heal the network, once everything that was sent before is lost."""
    await world.sleep(0.5)
    await world.heal()


async def put_many(world: SimWorld, count: int, value: bytes = b"v") -> None:
    for i in range(count):
        key = b"k%d" % i
        await world.put(key, value, via=(await world.replicas(key))[0])


def repairs(told: list[AnyEvent], since_ms: float = 0) -> list[events.Repaired]:
    return [e for e in told if isinstance(e, events.Repaired) and e.at_ms >= since_ms]


# -- replicas converge ---------------------------------------------------------------------------


def test_a_node_restarted_empty_is_whole_again_though_no_client_reads() -> None:
    async def body(world: SimWorld) -> None:
        await put_many(world, 200)
        await equal(world)
        held = copies(world, "n2")
        assert len(held) > 50
        await world.kill("n2")
        await world.restart("n2", empty=True)
        assert copies(world, "n2") == {}
        await equal(world)
        assert copies(world, "n2") == held

    live(body, nodes=5)


def test_a_write_that_one_replica_missed_comes_to_it() -> None:
    async def body(world: SimWorld) -> None:
        await world.put(b"k", b"old", via="n1")
        await equal(world)
        await world.partition([["n1", "n2"], ["n3"]])
        seen = await world.get(b"k", via="n1")
        await world.put(b"k", b"new", via="n1", context=seen.context)
        await world.sleep(1)
        assert await world.peek("n3", b"k") == (b"old",)
        await world.heal()
        await equal(world)
        assert await world.peek("n3", b"k") == (b"new",)

    live(body)


def test_a_repair_merges_and_never_copies() -> None:
    """Each side of a cut has a write that the other has not: both are kept, on all replicas."""

    async def body(world: SimWorld) -> None:
        await world.partition([["n1"], ["n2"], ["n3"]])
        for node in ("n1", "n2", "n3"):
            await world.put(b"k", node.encode(), via=node)
        await mend(world)
        await equal(world)
        for node in ("n1", "n2", "n3"):
            assert set(await world.peek(node, b"k")) == {b"n1", b"n2", b"n3"}

    live(body)


def test_a_write_in_the_middle_of_an_exchange_is_not_lost() -> None:
    """It comes to the one who asked after it sent its own copy and before it takes the peer's."""

    async def body(world: SimWorld) -> None:
        await world.partition([["n1"], ["n2", "n3"]])
        await world.put(b"k", b"there", via="n2")
        await mend(world)
        asker = plain(world, "n1")
        swap = asker.anti_entropy._swap(NodeId("n2"), KeyRange(0, await homes(world)), [b"k"])
        world.host("n1").later(swap)
        await world.sleep(0.001)
        await world.put(b"k", b"here", via="n1")
        await world.sleep(0.5)
        assert set(await world.peek("n1", b"k")) == {b"here", b"there"}

    live(body, antientropy=False)


async def homes(world: SimWorld, key: Key = b"k") -> tuple[NodeId, ...]:
    return tuple(sorted(await world.replicas(key)))


def test_replicas_converge_while_messages_are_lost_and_writes_go_on() -> None:
    async def body(world: SimWorld) -> None:
        for a, b in (("n1", "n2"), ("n2", "n3"), ("n1", "n3")):
            await world.lose(a, b, 0.2)
        for i in range(150):
            key = b"k%d" % (i % 20)
            act = world.delete(key, via=f"n{i % 3 + 1}") if i % 7 == 6 else None
            await (act or world.put(key, b"%d" % i, via=f"n{i % 3 + 1}"))
            await world.sleep(0.02)
        await equal(world, limit_s=20)  # the loss goes on

    live(body, grace_ms=60_000)


def test_large_values_come_in_several_messages_and_in_one_exchange() -> None:
    async def body(world: SimWorld) -> None:
        await world.partition([["n1", "n2"], ["n3"]])
        for i in range(30):
            await world.put(b"there%d" % i, bytes(40_000), via="n1")
            await world.put(b"here%d" % i, bytes(40_000), via="n3")
        await mend(world)
        shared = KeyRange(0, await homes(world))
        world.host("n3").later(plain(world, "n3").anti_entropy.exchange(NodeId("n1"), shared))
        await world.sleep(2)
        assert len(copies(world, "n3")) == 60
        assert copies(world, "n3") == copies(world, "n1")

    told = live(body, antientropy=False)
    assert max(e.size for e in told if isinstance(e, events.Sent)) < 400_000
    assert len([e for e in told if isinstance(e, events.Exchanged)]) == 1


# -- and then they are quiet ---------------------------------------------------------------------


def test_when_nobody_writes_repairs_fall_to_zero() -> None:
    """Siblings that came in another order, tombstones, a value that expires: none is repaired for ever."""
    quiet_ms = 0.0

    async def body(world: SimWorld) -> None:
        nonlocal quiet_ms
        await world.partition([["n1"], ["n2"], ["n3"]])
        for i in range(30):
            for node in ("n3", "n1", "n2"):
                await world.put(b"k%d" % i, node.encode(), via=node)
        await mend(world)
        await equal(world)
        for i in range(0, 30, 3):
            await world.delete(b"k%d" % i, via="n1")
        await world.put(b"brief", b"v", via="n2", expires_ms=world.now_ms() + 3000)
        await equal(world)
        await world.sleep(2)
        quiet_ms = world.at_ms()
        await world.sleep(10)

    told = live(body, grace_ms=60_000)
    assert repairs(told)
    assert repairs(told, quiet_ms) == []
    exchanges = [e for e in told if isinstance(e, events.Exchanged) and e.at_ms >= quiet_ms]
    assert len(exchanges) > 200
    assert {(e.levels, e.buckets, e.keys, e.size) for e in exchanges} == {(1, 0, 0, 16)}  # the roots only


def test_a_value_that_has_expired_by_one_clock_only_is_not_repaired() -> None:
    async def body(world: SimWorld) -> None:
        await world.skew("n3", 60_000)
        await world.put(b"k", b"v", via="n1", expires_ms=world.now_ms() + 30_000)
        await world.sleep(5)
        assert await world.peek("n1", b"k") == (b"v",)
        assert await world.peek("n3", b"k") == ()
        await world.sleep(40)
        assert await world.peek("n1", b"k") == ()

    assert repairs(live(body, grace_ms=120_000)) == []


@pytest.mark.parametrize(("asker", "asked"), [("n1", "n3"), ("n3", "n1")])
def test_an_exchange_for_one_key_asks_for_one_bucket_a_level(asker: str, asked: str) -> None:
    held = 0

    async def body(world: SimWorld) -> None:
        nonlocal held
        await put_many(world, 500)
        await equal(world)
        await world.partition([["n1", "n2"], ["n3"]])
        await world.put(b"k17", b"w", via="n1")
        await mend(world)
        shared = KeyRange(0, await homes(world))
        service = plain(world, asker).anti_entropy
        tree = service.trees[shared.homes]
        held = sum(len(key) + 16 for key, _ in tree.entries(tree.bucket(b"k17")))
        world.host(asker).later(service.exchange(NodeId(asked), shared))
        await world.sleep(1)
        assert copies(world, "n3") == copies(world, "n1")

    told = live(body, antientropy=False)
    assert [(e.node, e.peer, e.key) for e in repairs(told)] == [("n1", "n3", b"k17")]
    exchange = next(e for e in told if isinstance(e, events.Exchanged))
    assert (exchange.levels, exchange.buckets, exchange.keys) == (4, 1, 1)
    assert exchange.walk == (1, 1, 1, 1)
    assert exchange.size == 16 * hashes_expected(1) + held


# -- which trees are compared --------------------------------------------------------------------


def test_trees_of_different_rings_are_not_compared() -> None:
    async def body(world: SimWorld) -> None:
        await put_many(world, 20)
        await world.add("n4")
        shared = KeyRange(0, await homes(world))
        n1 = world.host("n1")
        with pytest.raises(RingMoved):
            await n1.ask(NodeId("n2"), GetHashes(shared, 0, (0,)))
        later = KeyRange(n1.ring.epoch + 1, shared.homes)
        with pytest.raises(PeerRefused, match="no such range"):
            await n1.ask(NodeId("n2"), GetHashes(later, 0, (0,)))
        with pytest.raises(PeerRefused, match="no such range"):  # n2 is no home of it
            await n1.ask(NodeId("n2"), GetHashes(KeyRange(n1.ring.epoch, (NodeId("n1"),)), 0, (0,)))

    live(body)


def test_a_key_of_another_range_is_not_taken() -> None:
    """The ring may have changed between the question and the answer."""

    async def body(world: SimWorld) -> None:
        await put_many(world, 20)
        await equal(world)
        foreign = next(key for key in copies(world, "n2") if key not in copies(world, "n1"))
        mine = next(key for key in copies(world, "n1"))
        copy = plain(world, "n2").store._copies[foreign]
        shared = KeyRange(0, await homes(world, mine))
        swapped = await world.host("n2").ask(NodeId("n1"), Swap(shared, ((foreign, copy),)))
        assert (swapped.took, swapped.copies) == ((), ())
        assert foreign not in copies(world, "n1")

    live(body, nodes=5)


def test_trees_that_are_not_complete_are_not_compared() -> None:
    async def body(world: SimWorld) -> None:
        await put_many(world, 500)
        await equal(world)
        await world.kill("n2")
        await world.restart("n2")
        question = GetHashes(KeyRange(0, await homes(world)), 0, (0,))
        with pytest.raises(PeerRefused, match="still building"):
            await world.host("n1").ask(NodeId("n2"), question)
        await world.sleep(0.5)
        answer = await world.host("n1").ask(NodeId("n2"), question)
        assert answer == await world.host("n1").ask(NodeId("n1"), question)

    live(body, durable=True, antientropy=False)


def test_while_the_ring_changes_no_trees_are_compared() -> None:
    refused: list[str] = []

    async def body(world: SimWorld) -> None:
        await put_many(world, 20)
        await equal(world)
        shared = KeyRange(0, await homes(world))

        def ask_too(event: AnyEvent) -> None:
            if isinstance(event, events.RingChanged) and (event.node, event.phase) == ("n2", "prepared"):
                world.host("n1").later(ask())

        async def ask() -> None:
            try:
                await world.host("n1").ask(NodeId("n2"), GetHashes(shared, 0, (0,)))
            except PeerRefused as error:
                refused.append(str(error))

        world.watch(ask_too)
        await world.add("n4")

    live(body)
    assert len(refused) == 1
    assert "while the ring changes" in refused[0]


def test_after_the_ring_has_changed_new_trees_compare_the_new_ranges() -> None:
    async def body(world: SimWorld) -> None:
        await put_many(world, 200)
        await equal(world)
        await world.add("n6")
        await world.remove("n1")
        await world.sleep(1)
        await world.kill("n6")
        await world.restart("n6", empty=True)
        await world.kill("n4")
        await put_while_away(world)
        await world.restart("n4")
        await equal(world)
        for node in world.up():
            assert all(node in plain(world, node).replicas(key) for key in copies(world, node))
            assert_true_to_store(world, node)

    async def put_while_away(world: SimWorld) -> None:
        for i in range(0, 200, 10):
            key = b"k%d" % i
            via = next(replica for replica in await world.replicas(key) if replica != "n4")
            await world.put(key, b"w", via=via)

    live(body, nodes=5, durable=True)


def assert_true_to_store(world: SimWorld, node: str) -> None:
    """The node's trees are those that its store makes when hashed from the beginning."""
    service = plain(world, node).anti_entropy
    fresh: dict[tuple[NodeId, ...], MerkleTree] = {homes: MerkleTree() for homes in service.trees}
    for key, digest in copies(world, node).items():
        fresh[service.homes(key)].update(key, digest)
    assert {homes: tree.root for homes, tree in service.trees.items()} == {
        homes: tree.root for homes, tree in fresh.items()
    }


def test_a_durable_node_has_its_trees_again_after_a_restart() -> None:
    async def body(world: SimWorld) -> None:
        await put_many(world, 50)
        await equal(world)
        await world.kill("n2")
        await world.restart("n2")
        await world.sleep(1)
        assert len(copies(world, "n2")) == 50
        assert_true_to_store(world, "n2")

    assert repairs(live(body, durable=True)) == []


# -- bit rot -------------------------------------------------------------------------------------


def rot(world: SimWorld, node: str, key: Key) -> None:
    """A bit flips in memory: nobody wrote, so nobody is told."""
    held = plain(world, node).store._copies
    (s,) = held[key].siblings
    assert s.value is not None
    held[key] = Siblings(held[key].context, (Sibling(s.dot, b"\xff" + s.value[1:], s.stamp_ms),))


@pytest.mark.parametrize("node", ["n1", "n2", "n3"])
def test_a_copy_that_rotted_is_found_by_rebuilding_and_mended_by_a_sound_one(node: str) -> None:
    async def body(world: SimWorld) -> None:
        await put_many(world, 50)
        await equal(world)
        sound = copies(world, node)
        rot(world, node, b"k17")
        await world.sleep(3)
        assert copies(world, node) != sound  # no exchange notices: the tree says what was written
        await until(world, lambda: is_sound(world, sound), limit_s=5)
        for other in world.up():
            assert copies(world, other) == sound

    async def is_sound(world: SimWorld, sound: dict[Key, bytes]) -> bool:
        return copies(world, node) == sound

    told = live(body, rebuild_ms=5000)
    assert [(e.node, e.key) for e in told if isinstance(e, events.Removed) and e.why == "rotten"] == [
        (node, b"k17")
    ]


def test_a_change_of_the_ring_in_the_middle_of_rebuilding_is_not_taken_for_rot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The old trees are not kept up to date any more: what is written now is not in them."""
    monkeypatch.setattr(anti_entropy, "SCAN_KEYS", 1)  # so that it takes its time

    async def body(world: SimWorld) -> None:
        await put_many(world, 300)
        await equal(world)

        def rebuild(event: AnyEvent) -> None:
            if isinstance(event, events.RingChanged) and (event.node, event.phase) == ("n2", "frozen"):
                world.host("n2").later(plain(world, "n2").anti_entropy.rebuild())

        world.watch(rebuild)
        await world.add("n4")
        await put_many(world, 300, b"w")
        await world.sleep(2)
        assert copies(world, "n2")

    told = live(body)
    assert [e for e in told if isinstance(e, events.Removed) and e.why == "rotten"] == []


# -- tombstones ----------------------------------------------------------------------------------


def test_a_tombstone_that_all_homes_hold_is_reaped_after_its_grace() -> None:
    deleted_ms = 0.0

    async def body(world: SimWorld) -> None:
        nonlocal deleted_ms
        await put_many(world, 30)
        await equal(world)
        deleted_ms = world.at_ms()
        for i in range(30):
            await world.delete(b"k%d" % i, via=(await world.replicas(b"k%d" % i))[0])
        for i in range(30):
            await gone(world, b"k%d" % i, world.up())
        for node in world.up():
            assert plain(world, node).store.tombstones == 0
            assert_true_to_store(world, node)

    told = live(body, nodes=5)
    reaped = [e for e in told if isinstance(e, events.Removed) and e.why == "reaped"]
    assert len(reaped) == 90
    assert min(e.at_ms for e in reaped) > deleted_ms + GRACE_MS
    assert repairs(told, max(e.at_ms for e in reaped)) == []


@pytest.mark.parametrize("away", ["killed", "cut off", "paused"])
def test_no_tombstone_is_reaped_while_a_home_is_away_and_nothing_comes_back_with_it(away: str) -> None:
    async def body(world: SimWorld) -> None:
        await world.put(b"k", b"v", via="n1")
        await equal(world)
        match away:
            case "killed":
                await world.kill("n3")
            case "paused":
                await world.pause("n3")
            case _:
                await world.partition([["n1", "n2"], ["n3"]])
        await world.delete(b"k", via="n1")
        await world.sleep(10 * GRACE_MS / 1000)
        assert all(b"k" in copies(world, node) for node in ("n1", "n2"))
        match away:
            case "killed":
                await world.restart("n3")
            case "paused":
                await world.resume("n3")
            case _:
                await world.heal()
        await gone(world, b"k", ("n1", "n2", "n3"))
        await world.sleep(5)
        assert all(b"k" not in copies(world, node) for node in ("n1", "n2", "n3"))

    told = live(body, durable=True)
    killed_ms = next(e.at_ms for e in told if isinstance(e, events.OpStarted) and e.kind == "delete")
    ready = max(told.index(e) for e in told if isinstance(e, events.NodeReady))
    on_disk = [
        e for e in told[:ready] if isinstance(e, events.Stored) and e.node == "n3"
    ]  # told as it begins
    stored = [e for e in told if isinstance(e, events.Stored) and e.at_ms > killed_ms and e.value == b"v"]
    assert [e for e in stored if e not in on_disk] == []  # it returns to nobody, not even for a moment


def test_only_a_home_that_has_held_this_very_tombstone_can_do_without_it() -> None:
    async def body(world: SimWorld) -> None:
        await world.put(b"k", b"v", via="n1")
        await world.put(b"value", b"v", via="n1")
        await world.delete(b"k", via="n1")
        await equal(world)
        tombstone, value = copies(world, "n1")[b"k"], copies(world, "n1")[b"value"]
        shared = KeyRange(0, await homes(world))
        await world.pause((await world.replicas(b"k"))[0])  # nobody reaps it
        await world.sleep(2 * GRACE_MS / 1000)
        question = GetRipe(shared, ((b"k", value), (b"value", value), (b"none", tombstone)))
        node = NodeId(world.up()[0])
        assert (await world.host(node).ask(node, question)).keys == ()
        question = GetRipe(shared, ((b"k", tombstone),))
        assert (await world.host(node).ask(node, question)).keys == (b"k",)

    live(body)


def test_a_tombstone_that_is_brought_again_and_again_does_not_start_its_grace_anew() -> None:
    async def body(world: SimWorld) -> None:
        await world.put(b"k", b"v", via="n1")
        await world.delete(b"k", via="n1")
        await equal(world)
        tombstone = plain(world, "n1").store._copies[b"k"]
        for _ in range(2 * GRACE_MS // 500):
            await world.sleep(0.5)
            if b"k" in copies(world, "n2"):
                await world.host("n1").ask(NodeId("n2"), Keep(b"k", tombstone, 0))
        assert all(b"k" not in copies(world, node) for node in world.up())

    live(body)


def test_a_home_that_holds_something_newer_keeps_it() -> None:
    """It comes between the question and the order."""

    async def body(world: SimWorld) -> None:
        await world.put(b"k", b"v", via="n1")
        await world.delete(b"k", via="n1")
        await equal(world)
        first = (await world.replicas(b"k"))[0]
        other = next(node for node in world.up() if node != first)

        def write_too(event: AnyEvent) -> None:
            if isinstance(event, events.Sent) and event.kind == "Ripe" and event.node == other:
                node = plain(world, other)
                node.hold(b"k", b"newer", None, node.store._copies[b"k"].context)

        stop = world.watch(write_too)
        await gone(world, b"k", [first])
        stop()
        await equal(world)
        for node in world.up():
            assert await world.peek(node, b"k") == (b"newer",)

    live(body)


def test_a_tombstone_whose_reaping_one_home_did_not_hear_of_is_reaped_in_the_end() -> None:
    async def body(world: SimWorld) -> None:
        await world.put(b"k", b"v", via="n1")
        await world.delete(b"k", via="n1")
        await equal(world)
        first = (await world.replicas(b"k"))[0]
        other = next(node for node in world.up() if node != first)
        heard = []

        def cut(event: AnyEvent) -> None:
            if isinstance(event, events.Removed) and event.why == "reaped" and event.node == first:
                heard.append(event)
                if len(heard) == 1:  # before the order is sent
                    world.faults.partition([[NodeId(first)], [n for n in world.up() if n != first]])

        world.watch(cut)
        await gone(world, b"k", [first])
        assert b"k" in copies(world, other)
        await world.heal()
        await world.sleep(1)
        assert b"k" in copies(world, first)  # back by an exchange
        await gone(world, b"k", world.up())
        assert len(heard) == 2
        quiet = world.at_ms()
        await world.sleep(5)
        assert world.at_ms() > quiet
        assert all(b"k" not in copies(world, node) for node in world.up())

    live(body)


def test_the_time_that_a_node_is_stopped_does_not_count_for_its_tombstones() -> None:
    """On waking it first sends what it was about to, which may be an old value."""

    async def body(world: SimWorld) -> None:
        await world.put(b"k", b"v", via="n1")
        await world.delete(b"k", via="n1")
        await equal(world)
        first = (await world.replicas(b"k"))[0]
        other = next(node for node in world.up() if node != first)
        await world.pause(other)
        await world.sleep(10 * GRACE_MS / 1000)
        await world.resume(other)
        tombstone = (b"k", copies(world, first)[b"k"])
        question = GetRipe(KeyRange(0, await homes(world)), (tombstone,))
        assert (await world.host(first).ask(NodeId(other), question)).keys == ()
        assert (await world.host(first).ask(NodeId(first), question)).keys == (b"k",)

    live(body)


def test_a_key_written_again_is_not_swallowed_by_its_old_tombstone() -> None:
    """Someone kept the tombstone and delivers it after all homes have reaped theirs, and written anew."""

    async def body(world: SimWorld) -> None:
        await world.put(b"k", b"v", via="n1")
        await world.delete(b"k", via="n1")
        await equal(world)
        tombstone = plain(world, "n1").store._copies[b"k"]
        await gone(world, b"k", world.up())
        await world.put(b"k", b"again", via="n1")
        await equal(world)
        await world.host("n2").ask(NodeId("n3"), Keep(b"k", tombstone, 0))
        await equal(world)
        for node in world.up():
            assert await world.peek(node, b"k") == (b"again",)

    live(body)


def test_not_even_when_the_node_that_numbers_it_was_restarted_meanwhile() -> None:
    async def body(world: SimWorld) -> None:
        await world.put(b"k", b"v", via="n1")
        await world.delete(b"k", via="n1")
        await equal(world)
        tombstone = plain(world, "n1").store._copies[b"k"]
        await gone(world, b"k", world.up())
        await world.kill("n1")
        await world.restart("n1")
        await world.put(b"k", b"again", via="n1")
        await world.host("n2").ask(NodeId("n1"), Keep(b"k", tombstone, 0))
        assert await world.peek("n1", b"k") == (b"again",)

    live(body, durable=True)
