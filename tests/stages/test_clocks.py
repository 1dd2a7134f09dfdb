"""Stage 6: what a writer has seen is replaced, and nothing else."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from redis.exceptions import ResponseError

from kvlab.config import ClusterConfig
from kvlab.core.clocks import node_of
from kvlab.core.placement import Placement
from kvlab.core.ring import Ring, joined
from kvlab.errors import Outcome, UserError
from kvlab.messages import (
    Actor,
    Context,
    Dot,
    Forwarded,
    Member,
    Message,
    NodeId,
    RingIs,
    Siblings,
    decode,
)
from kvlab.stages import checked
from kvlab.trace.events import AnyEvent, Repaired, Sent
from kvlab.world.host import context_in, context_of
from kvlab.world.sim import SimWorld
from kvlab.world.world import World
from tests.stages.test_stages import live, ok, put_seen, replicas_hold, settled
from tests.world.test_transfer import meddle
from tests.worlds import run_in

Body = Callable[[SimWorld], Awaitable[None]]


async def placed(world: World, key: bytes = b"k") -> tuple[NodeId, NodeId, NodeId, NodeId]:
    """The key's three replicas, and a node that is none of them."""
    one, two, three = await world.replicas(key)
    return one, two, three, next(node for node in world.up() if node not in (one, two, three))


async def read(world: World, via: NodeId | None = None, r: int | None = None) -> set[bytes]:
    values = ok(await world.get(b"k", via=via, r=r))
    assert len(set(values)) == len(values)
    return set(values)


def held(world: SimWorld, node: NodeId) -> Siblings:
    """All that this node holds for k, tombstones and context included."""
    copy = world.host(node).node.store.peek(b"k", world.now_ms())
    assert isinstance(copy, Siblings)
    return copy


async def say(client: Any, *words: str | bytes) -> Any:
    """A command of ours: redis-py has no types for those."""
    return await client.execute_command(*words)


# -- siblings --------------------------------------------------------------------------------------


def test_who_has_not_seen_a_write_does_not_replace_it_and_who_has_does() -> None:
    async def body(world: SimWorld) -> None:
        ok(await world.put(b"k", b"x", via="n1"))
        ok(await world.put(b"k", b"y", via="n2"))
        assert await read(world) == {b"x", b"y"}
        ok(await put_seen(world, b"k", b"both", NodeId("n3")))
        assert await read(world) == {b"both"}
        await settled(world)
        assert set((await replicas_hold(world, b"k")).values()) == {(b"both",)}

    live(6, body)


def test_one_writer_replaces_its_own_writes_without_reading() -> None:
    async def body(world: SimWorld) -> None:
        context = b""
        for i in range(10):
            written = await world.put(b"k", b"%d" % i, via=world.up()[i % 5], context=context)
            ok(written)
            context = written.context
        assert await read(world) == {b"9"}

    live(6, body)


def test_two_writers_in_turn_make_two_siblings_and_not_99() -> None:
    """FACTS of Riak's sibling explosion: no writer ever reads, each goes on from its own last write."""

    async def body(world: SimWorld) -> None:
        contexts = {b"a": b"", b"b": b""}
        for i in range(99):
            who = b"ab"[i % 2 :][:1]
            written = await world.put(b"k", b"%s%d" % (who, i), via=world.up()[i % 5], context=contexts[who])
            ok(written)
            contexts[who] = written.context
        assert await read(world) == {b"a98", b"b97"}

    live(6, body)


def test_only_replicas_of_a_key_are_named_in_its_context() -> None:
    """Whoever coordinates; else the context would grow with the cluster."""

    async def body(world: SimWorld) -> None:
        for i in range(20):
            ok(await put_seen(world, b"k", b"%d" % i, world.up()[i % 5]))
        context = context_of((await world.get(b"k")).context)
        assert {node_of(actor) for actor, _ in context.clock} <= set(await world.replicas(b"k"))
        assert len(context.clock) <= 3
        assert sum(count for _, count in context.clock) == 20
        assert not context.dots

    live(6, body)


def test_a_clock_that_is_wrong_loses_nothing() -> None:
    """What stage 5 loses: a later write whose coordinator's clock is an hour behind."""

    async def body(world: SimWorld) -> None:
        one, two, *_ = await placed(world)
        await world.skew(two, -3_600_000)
        ok(await world.put(b"k", b"early", via=one))
        ok(await put_seen(world, b"k", b"later", two))
        assert await read(world) == {b"later"}
        ok(await world.put(b"k", b"unseen", via=two))
        assert await read(world) == {b"later", b"unseen"}

    live(6, body)


def test_both_sides_of_a_cut_keep_what_they_took() -> None:
    async def body(world: SimWorld) -> None:
        one, two, three, out = await placed(world)
        ok(await world.put(b"k", b"old", via=one, w=3))
        seen = (await world.get(b"k", via=one)).context
        await world.partition([[one], [node for node in world.up() if node != one]])
        ok(await world.put(b"k", b"left", via=one, context=seen, w=1))
        ok(await world.put(b"k", b"right", via=out, context=seen))
        assert await read(world, one, r=1) == {b"left"}
        assert await read(world, out) == {b"right"}
        await world.heal()
        assert await read(world, r=3) == {b"left", b"right"}
        await settled(world)
        for node in (one, two, three):
            assert set(await world.peek(node, b"k")) == {b"left", b"right"}

    live(6, body)


def test_what_expires_leaves_its_siblings() -> None:
    async def body(world: SimWorld) -> None:
        ok(await world.put(b"k", b"brief", expires_ms=world.now_ms() + 1000))
        ok(await world.put(b"k", b"lasting"))
        assert await read(world) == {b"brief", b"lasting"}
        await world.sleep(1.1)
        assert await read(world) == {b"lasting"}
        await settled(world)
        assert set((await replicas_hold(world, b"k")).values()) == {(b"lasting",)}

    live(6, body)


def test_a_context_that_was_tampered_with_is_refused() -> None:
    async def body(world: SimWorld) -> None:
        for forged in (b"nonsense", context_in(Context(((Actor("n1.1.1.1"), 2**63),)))):
            result = await world.put(b"k", b"v", context=forged)
            assert (result.outcome, result.error) == (Outcome.FAILED, "BadContext")
        assert await read(world) == set()

    live(6, body)


# -- deletes ---------------------------------------------------------------------------------------


def test_a_delete_deletes_what_it_finds_and_says_whether_there_was_anything() -> None:
    async def body(world: SimWorld) -> None:
        assert not await deleted(world)
        ok(await world.put(b"k", b"x"))
        ok(await world.put(b"k", b"y"))
        assert await deleted(world)
        assert await read(world) == set()
        assert not await deleted(world)

    async def deleted(world: SimWorld) -> bool:
        return bool(await world.host("n1").delete(b"k", None, b""))

    live(6, body)


def test_a_delete_with_a_context_leaves_what_that_has_not_seen() -> None:
    async def body(world: SimWorld) -> None:
        seen = await world.put(b"k", b"seen")
        ok(seen)
        ok(await world.put(b"k", b"unseen"))
        ok(await world.delete(b"k", context=seen.context))
        assert await read(world) == {b"unseen"}

    live(6, body)


def test_a_write_that_did_not_see_the_delete_survives_it_and_one_that_saw_it_replaces_it() -> None:
    async def body(world: SimWorld) -> None:
        seen = await world.put(b"k", b"old")
        ok(await world.delete(b"k"))
        ok(await world.put(b"k", b"new", context=seen.context))
        assert await read(world) == {b"new"}
        ok(await world.delete(b"k"))
        gone = await world.get(b"k")
        assert ok(gone) == ()
        assert gone.context  # of the tombstone: to write with
        ok(await world.put(b"k", b"again", context=gone.context))
        await settled(world)
        for node in await world.replicas(b"k"):
            assert (await world.count(node)).keys == 1
            assert [sibling.value for sibling in held(world, node).siblings] == [b"again"]

    live(6, body)


def test_a_delete_reaches_a_replica_that_was_away() -> None:
    """And the old value does not come back from it."""

    async def body(world: SimWorld) -> None:
        *_, three, out = await placed(world)
        ok(await world.put(b"k", b"v", w=3))
        await world.pause(three)
        ok(await world.delete(b"k", via=out))
        await world.resume(three)
        assert await read(world, out, r=3) == set()
        await settled(world)
        assert await world.peek(three, b"k") == ()

    live(6, body)


# -- forwarding --------------------------------------------------------------------------------------


def test_a_replica_coordinates_itself_and_another_node_forwards_to_the_first_that_answers() -> None:
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        one, two, three, out = await placed(world)
        await world.slow(one, None, 20)
        await world.slow(three, None, 20)
        world.watch(told.append)
        ok(await world.put(b"k", b"v", via=two))
        assert forwards() == []
        ok(await world.put(b"k", b"v", via=out))
        assert forwards() == [(out, two)]

    def forwards() -> list[tuple[NodeId, NodeId]]:
        return [(e.node, e.to) for e in told if isinstance(e, Sent) and e.kind == "Forward"]

    live(6, body)


def test_a_write_is_not_forwarded_to_who_has_given_the_key_up_meanwhile() -> None:
    async def body(world: SimWorld) -> None:
        after = Placement(Ring(joined(world.ring, Member(NodeId("n6")))), 3)
        for key in (b"k%d" % i for i in range(100)):
            *replicas, out = await placed(world, key)
            if "n6" in after.replicas(key):
                break
        loser = next(node for node in replicas if node not in after.replicas(key))

        def fate(sender: NodeId, to: NodeId, message: Message) -> list[float]:
            asked = isinstance(message, RingIs) and to == out
            return [0.5 if sender == loser else 0.6] if asked else [0.0]

        meddle(world, fate)
        writing = asyncio.ensure_future(world.put(key, b"v", via=out))
        await world.add("n6")
        assert world.at_ms() < 500  # the loser is yet to answer that it is there
        ok(await writing)
        await settled(world)
        assert await world.peek(loser, key) == ()
        assert list((await replicas_hold(world, key)).values()) == [(b"v",)] * 3

    live(6, body, timeout_ms=1000)


def test_when_the_first_replica_is_dead_another_one_coordinates() -> None:
    async def body(world: SimWorld) -> None:
        one, *_, out = await placed(world)
        await world.kill(one)
        ok(await world.put(b"k", b"v", via=out))
        assert await read(world, out) == {b"v"}

    live(6, body)


def test_a_replica_that_found_no_quorum_is_not_followed_by_another() -> None:
    """The write is perhaps done, once; the next replica would find no quorum either, and write it twice."""

    async def body(world: SimWorld) -> None:
        one, two, three, out = await placed(world)
        await world.kill(three)
        await world.pause(two)
        result = await world.put(b"k", b"v", via=out)
        assert (result.outcome, result.error) == (Outcome.UNKNOWN, "QuorumNotReached")
        assert (
            f"{one} refused: the write has to hear from 2 of 3 replicas and heard from {one}" in result.text
        )
        mine = await world.put(b"k", b"v", via=one)
        assert (mine.outcome, mine.error) == (Outcome.UNKNOWN, "QuorumNotReached")
        assert mine.text.startswith(f"the write has to hear from 2 of 3 replicas and heard from {one};")
        await world.resume(two)
        context = context_of((await world.get(b"k", via=out)).context)
        assert [node_of(actor) for actor, _ in context.clock] == [one]

    live(6, body)


def dots(world: SimWorld) -> set[Dot]:
    """Of all that anybody holds under the key."""
    held = [world.host(node).node.store.peek(b"k", world.now_ms()) for node in world.up()]
    return {sibling.dot for copy in held if copy is not None for sibling in copy.siblings}


def test_a_write_that_the_network_brings_twice_is_one_write() -> None:
    """Two would be two siblings, and a delete that has seen the one would leave the other."""

    async def body(world: SimWorld) -> None:
        *_, out = await placed(world)
        await world.duplicate(out, None, 1.0)
        ok(await world.put(b"k", b"v", via=out))
        await settled(world)
        assert len(dots(world)) == 1

    for seed in range(5):
        live(6, body, seed=seed)


def test_a_write_that_was_brought_twice_and_missed_its_quorum_is_one_write_too() -> None:
    async def body(world: SimWorld) -> None:
        one, two, three, out = await placed(world)
        await world.kill(two)
        await world.kill(three)
        await world.duplicate(out, one, 1.0)
        result = await world.put(b"k", b"v", via=out)
        assert result.outcome is Outcome.UNKNOWN
        assert len(dots(world)) == 1

    live(6, body)


def test_when_the_one_who_was_given_a_write_falls_silent_nobody_else_is_given_it() -> None:
    """It may have done it, and then another would do it again."""

    async def body(world: SimWorld) -> None:
        *_, out = await placed(world)
        deliver = world._network.deliver

        def without_answers(sender: NodeId, generation: int, to: NodeId, data: bytes, *rest: Any) -> None:
            if not isinstance(decode(data).body, Forwarded):
                deliver(sender, generation, to, data, *rest)

        world._network.deliver = without_answers  # type: ignore[assignment,method-assign]
        result = await world.put(b"k", b"v", via=out)
        assert (result.outcome, result.error) == (Outcome.UNKNOWN, "QuorumNotReached")
        await settled(world)
        assert len(dots(world)) == 1

    live(6, body)


def test_when_no_replica_can_be_reached_the_write_has_failed_for_nobody_was_given_it() -> None:
    async def body(world: SimWorld) -> None:
        one, two, three, out = await placed(world)
        for node in (one, two, three):
            await world.kill(node)
        result = await world.put(b"k", b"v", via=out)
        assert (result.outcome, result.error) == (Outcome.FAILED, "QuorumNotReached")
        assert f"silent: {one}, {two}, {three}" in result.text

    live(6, body)


# -- a node that forgot (Riak's kv679) -------------------------------------------------------------


@pytest.mark.parametrize("durable", [False, True])
def test_a_coordinator_that_lost_its_memory_gives_out_no_dot_twice(durable: bool) -> None:
    """Else the others, which have seen its first dots, throw away the write that it acknowledges next."""

    async def body(world: SimWorld) -> None:
        one, two, *_ = await placed(world)
        for i in range(3):
            ok(await put_seen(world, b"k", b"%d" % i, one))
        for i in range(3):
            await world.kill(one)
            await world.restart(one, empty=True)
            ok(await world.put(b"k", b"after %d" % i, via=one))
            await settled(world)
            assert b"after %d" % i in await read(world, two, r=3)
        assert await read(world, r=3) == {b"2", b"after 0", b"after 1", b"after 2"}

    live(6, body, durable=durable)


def test_a_durable_node_goes_on_after_a_restart_and_gives_out_no_dot_twice() -> None:
    async def body(world: SimWorld) -> None:
        one, *_ = await placed(world)
        for i in range(3):
            ok(await world.put(b"k", b"%d" % i, via=one, w=1))
            await world.kill(one)
            await world.restart(one)
            assert len(await world.peek(one, b"k")) == i + 1
        assert await read(world, r=3) == {b"0", b"1", b"2"}

    live(6, body, durable=True)


def test_keys_that_move_take_their_siblings_along() -> None:
    async def body(world: SimWorld) -> None:
        keys = [b"k%d" % i for i in range(30)]
        for key in keys:
            for via in ("n1", "n2"):
                ok(await world.put(key, via.encode(), via=via))
        await world.add("n6")
        await world.remove("n1")
        for key in keys:
            assert set(ok(await world.get(key))) == {b"n1", b"n2"}
            ok(await put_seen(world, key, b"one", NodeId("n6")))
            assert ok(await world.get(key)) == (b"one",)

    live(6, body)


# -- read repair -----------------------------------------------------------------------------------


def test_a_replica_that_missed_a_write_is_repaired_and_then_all_is_quiet() -> None:
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        one, two, three, out = await placed(world)
        await world.pause(three)
        ok(await world.put(b"k", b"x", via=one))
        ok(await world.put(b"k", b"y", via=two))
        await world.resume(three)
        world.watch(told.append)
        await world.sleep(1)
        for _ in range(5):
            assert await read(world, out) == {b"x", b"y"}
            await settled(world)
        assert set(await world.peek(three, b"k")) == {b"x", b"y"}

    def repairs() -> list[NodeId]:
        return [event.peer for event in told if isinstance(event, Repaired)]

    live(6, body)
    assert len(repairs()) <= 1


# -- resolution ------------------------------------------------------------------------------------


def test_newest_takes_the_last_written_and_a_write_after_it_replaces_them_all() -> None:
    async def body(world: SimWorld) -> None:
        ok(await world.put(b"k", b"x", via="n1"))
        await world.sleep(0.01)
        ok(await world.put(b"k", b"a", via="n2"))
        assert await read(world) == {b"a"}
        assert {len(values) for values in (await replicas_hold(world, b"k")).values()} == {2}
        ok(await put_seen(world, b"k", b"one", NodeId("n3")))
        await settled(world)
        assert set((await replicas_hold(world, b"k")).values()) == {(b"one",)}

    live(6, body, resolve="newest")


def test_union_takes_the_words_of_all() -> None:
    async def body(world: SimWorld) -> None:
        ok(await world.put(b"k", b"milk,bread", via="n1"))
        ok(await world.put(b"k", b"beer, milk", via="n2"))
        assert await read(world) == {b"beer,bread,milk"}

    live(6, body, resolve="union")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the reader's own; its name."""
    (tmp_path / "my_merges.py").write_text(
        "def joined(values): return b'+'.join(sorted(values)) + b'!'\n"
        "def wrong(values): return len(values)\n"
        "def broken(values): return values[99]\n"
        "number = 5\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_merges", raising=False)
    return "my_merges"


def test_ones_own_function_resolves_where_there_is_more_than_one_value(own: str) -> None:
    async def body(world: SimWorld) -> None:
        ok(await world.put(b"k", b"x", via="n1"))
        ok(await world.put(b"k", b"x", via="n2"))
        assert await read(world) == {b"x"}
        ok(await world.put(b"k", b"y", via="n3"))
        assert await read(world) == {b"x+y!"}

    live(6, body, resolve=f"{own}:joined")


@pytest.mark.parametrize(
    ("function", "said"), [("wrong", "returned 2, which is not bytes"), ("broken", "raised IndexError")]
)
def test_ones_own_mistake_is_told_as_that_and_harms_nothing(own: str, function: str, said: str) -> None:
    async def body(world: SimWorld) -> None:
        ok(await world.put(b"k", b"x", via="n1"))
        ok(await world.put(b"k", b"y", via="n2"))
        result = await world.get(b"k")
        assert (result.outcome, result.error) == (Outcome.FAILED, "MergeFailed")
        assert f"{own}:{function} was given [b'" in result.text
        assert said in result.text
        await settled(world)
        assert {len(values) for values in (await replicas_hold(world, b"k")).values()} == {2}

    live(6, body, resolve=f"{own}:{function}")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("onion", "expected siblings, newest, union, or your own function as module:name"),
        ("no_such_module:f", "set PYTHONPATH"),
        ("my_merges:nothing", "my_merges has no function nothing"),
        ("my_merges:number", "my_merges has no function number"),
    ],
)
def test_a_resolution_that_cannot_be_is_refused_before_anything_starts(
    own: str, name: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        checked(ClusterConfig(stage=6, resolve=name))


# -- pruning ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("prune", "names"), [(None, 12), (3, 4)])
def test_replicas_that_prune_agree_and_name_no_more_than_they_may(prune: int | None, names: int) -> None:
    """A coordinator that loses its memory every time writes under a new name every time."""

    async def body(world: SimWorld) -> None:
        one, two, three, _ = await placed(world)
        for i in range(12):
            await world.kill(one)
            await world.restart(one)
            ok(await put_seen(world, b"k", b"%d" % i, one))
            await settled(world)
        assert await read(world, r=3) == {b"11"}
        await settled(world)
        copies = [held(world, node) for node in (one, two, three)]
        assert copies[0] == copies[1] == copies[2]
        assert len(copies[0].context.clock) <= names
        assert (len(copies[0].context.clock) == 12) == (prune is None)

    live(6, body, prune=prune)


@pytest.mark.parametrize("stage", [6, 7, 8, 9])
def test_a_write_replaces_what_its_writer_has_seen_however_much_is_pruned(stage: int) -> None:
    """What is sent names the writes that it replaces; it is pruned where it arrives.

    Seen to fail with a stage that prunes what it sends: its second write was in conflict with the first.
    """

    async def body(world: SimWorld) -> None:
        one, two, three, _ = await placed(world)
        for i, writer in enumerate((one, two, three) * 2):
            ok(await put_seen(world, b"k", b"%d" % i, writer))
            await settled(world)
            assert await read(world, via=one, r=3) == {b"%d" % i}

    live(stage, body, prune=1)


# -- a Redis connection is a session ---------------------------------------------------------------


def test_two_redis_connections_that_do_not_read_make_siblings_and_one_that_writes_twice_does_not() -> None:
    async def body(world: World) -> None:
        port = world.nodes[NodeId("n1")].port
        async with redis.asyncio.Redis(port=port) as one, redis.asyncio.Redis(port=port) as two:
            await one.set("alone", "x")
            await one.set("alone", "y")
            assert await two.get("alone") == b"y"
            await one.set("k", "milk")
            await two.set("k", "bread")
            with pytest.raises(ResponseError, match=r"(?i)siblings 2 values .* KV.GET"):
                await one.get("k")
            context, values = await say(one, "KV.GET", "k")
            assert sorted(values) == [b"bread", b"milk"]
            await one.set("k", "milk and bread")  # KV.GET, or the GET that was refused, has seen both
            assert await two.get("k") == b"milk and bread"
            assert await say(one, "KV.PUT", "k", "late", "CONTEXT", context)
            assert sorted((await say(one, "KV.GET", "k"))[1]) == [b"late", b"milk and bread"]
            assert await say(two, "KV.PUT", "k", "blind", "CONTEXT", "")
            assert len((await say(one, "KV.GET", "k"))[1]) == 3
            assert await one.delete("k") == 1
            assert await one.exists("k") == 0
            assert await one.delete("k") == 0
            with pytest.raises(ResponseError, match="expected a context"):
                await say(one, "KV.PUT", "k", "v", "CONTEXT", "nonsense")

    run_in("process", ClusterConfig(stage=6, nodes=3, timeout_ms=1000), body)


def test_many_writers_at_once_lose_nothing() -> None:
    async def body(world: SimWorld) -> None:
        written = await asyncio.gather(
            *(world.put(b"k", b"%d" % i, via=world.up()[i % 5]) for i in range(20))
        )
        assert [result.outcome for result in written] == [Outcome.OK] * 20
        assert await read(world) == {b"%d" % i for i in range(20)}

    for seed in range(5):
        live(6, body, seed=seed)
