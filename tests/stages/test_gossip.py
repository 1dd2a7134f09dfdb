"""Stage 7: who is alive is known, and what coordinators make of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

import pytest
import redis.asyncio

from kvlab.config import ClusterConfig
from kvlab.errors import KvlabError, Outcome, PeerRefused
from kvlab.messages import NOTHING, Forward, Item, NodeId, RingSpec
from kvlab.stages.s07_gossip import GossipNode
from kvlab.trace.events import AnyEvent, Believed, Sent
from kvlab.world.sim import SimWorld
from kvlab.world.world import NodeInfo, World
from tests.stages.test_clocks import placed, say
from tests.stages.test_stages import ok, put_seen, replicas_hold
from tests.worlds import run_in, until

KEY = b"k"
QUICK: dict[str, Any] = {"stage": 7, "gossip_ms": 50, "suspect_ms": 300, "fail_ms": 600}


def live(
    body: Callable[[SimWorld], Awaitable[None]], told: list[AnyEvent] | None = None, **options: Any
) -> None:
    """In the simulator, with gossip that is quick to notice."""
    world = SimWorld(ClusterConfig(**{**QUICK, "timeout_ms": 100, **options}))
    if told is not None:
        world.watch(told.append)

    async def lived() -> None:
        async with world:
            await world.sleep(1)
            await body(world)

    world.run(lived())


async def all_see(world: World, of: Iterable[str], belief: str, by: Iterable[str] | None = None) -> None:
    """Wait until everybody who is up, or `by`, believes this of them."""
    names = list(of)

    async def seen() -> bool:
        observers = world.up() if by is None else list(by)
        pairs = [(node, name) for node in observers for name in names if node != name]
        return all([await world.belief(node, name) == belief for node, name in pairs])

    await until(world, seen)


async def found_dead(world: World, *nodes: NodeId) -> None:
    """Kill them, and let everybody know of it."""
    for node in nodes:
        await world.kill(node)
    await all_see(world, nodes, "failed")


def node_of(world: SimWorld, node: NodeId) -> GossipNode:
    return cast(GossipNode, world.host(node).node)


def sent(told: Iterable[AnyEvent], to: NodeId) -> list[str]:
    """What it was sent, gossip left out."""
    kinds = [event.kind for event in told if isinstance(event, Sent) and event.to == to]
    return [kind for kind in kinds if kind not in ("Gossip", "Gossiped")]


# -- whom a coordinator asks -----------------------------------------------------------------------


def test_nobody_waits_for_who_has_failed_nor_sends_it_anything_but_gossip() -> None:
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        one, *_ = await placed(world)
        await found_dead(world, one)
        told.clear()
        for via in world.up():
            for result in (
                await put_seen(world, KEY, via.encode(), via),
                await world.get(KEY, via=via),
                await world.delete(KEY, via=via),
            ):
                ok(result)
                assert result.took_ms < world.config.timeout_ms / 2
        assert sent(told, one) == []
        assert [event for event in told if isinstance(event, Sent) and event.to == one]  # is it back?

    live(body, told)


def test_a_suspect_is_asked_but_a_write_is_brought_to_one_that_is_alive() -> None:
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        one, two, three, out = await placed(world)
        await world.kill(one)
        await all_see(world, [one], "suspect")
        told.clear()
        result = await world.put(KEY, b"v", via=out)
        ok(result)
        assert result.took_ms < world.config.timeout_ms / 2
        assert "Forward" in sent(told, two) + sent(told, three)
        assert "Keep" in sent(told, one)
        assert "Forward" not in sent(told, one)

    live(body, told, fail_ms=5000)


def test_with_too_few_replicas_left_nothing_is_sent_and_nothing_is_done() -> None:
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        one, two, three, out = await placed(world)
        ok(await world.put(KEY, b"old", via=out))
        await found_dead(world, one, two)
        for via in (out, three):
            told.clear()
            write = await world.put(KEY, b"new", via=via)
            read = await world.get(KEY, via=via)
            for result in (write, read):
                assert (result.outcome, result.error) == (Outcome.FAILED, "QuorumNotReached")
                assert result.took_ms == 0
                assert f"believed failed, and not asked: {one}, {two}" in result.text
                assert "restart them or heal the network" in result.text
            assert "nothing was done" in write.text
            for node in (one, two, three):
                assert sent(told, node) == []
            assert await world.peek(three, KEY) == (b"old",)
        assert ok(await world.get(KEY, via=out, r=1)) == (b"old",)
        ok(await world.put(KEY, b"new", via=out, w=1))

    live(body, told)


def test_a_replica_asked_to_number_a_write_refuses_it_before_it_keeps_anything() -> None:
    """Who asks may not have heard yet how few are left."""

    async def body(world: SimWorld) -> None:
        one, two, three, out = await placed(world)
        await found_dead(world, one, two)
        epoch = node_of(world, out).transfer.ring.epoch
        with pytest.raises(PeerRefused, match="believed failed") as refused:
            await world.host(out).ask(three, Forward("n1.0.1", KEY, Item(b"v"), 2, NOTHING, epoch))
        assert refused.value.outcome is Outcome.FAILED
        assert await world.peek(three, KEY) == ()

    live(body)


def test_the_smaller_part_of_a_cut_network_refuses_at_once_until_the_cut_is_mended() -> None:
    async def body(world: SimWorld) -> None:
        *_, three, out = await placed(world)
        rest = [node for node in world.up() if node != three]
        await world.partition([[three], rest])
        await all_see(world, rest, "failed", by=[three])
        assert (await world.put(KEY, b"v", via=three)).outcome is Outcome.FAILED
        ok(await world.put(KEY, b"v", via=out))
        await world.heal()
        await all_see(world, world.up(), "alive")
        assert ok(await world.get(KEY, via=three)) == (b"v",)

    live(body)


# -- failed is not left ----------------------------------------------------------------------------


def test_who_comes_back_is_written_to_again_and_a_read_brings_what_it_missed() -> None:
    async def body(world: SimWorld) -> None:
        _, _, three, out = await placed(world)
        ok(await put_seen(world, KEY, b"before", out))
        ok(await put_seen(world, b"unread", b"before", out))
        await found_dead(world, three)
        ok(await put_seen(world, KEY, b"missed", out))
        await world.restart(three)
        await all_see(world, [three], "alive")
        await world.sleep(5)
        assert await world.peek(three, KEY) != (b"missed",)  # nobody has kept a hint: stage 8 does
        ok(await world.get(KEY, via=out))
        await world.sleep(0.2)
        assert await world.peek(three, KEY) == (b"missed",)
        ok(await put_seen(world, KEY, b"after", out))
        await world.sleep(0.2)
        assert set((await replicas_hold(world, KEY)).values()) == {(b"after",)}

    live(body, durable=True)


def test_an_outage_moves_no_key_and_leaves_the_ring_as_it_was() -> None:
    """Pitfall 22."""

    async def body(world: SimWorld) -> None:
        keys = [b"k%d" % i for i in range(60)]
        for key in keys:
            ok(await world.put(key, b"v", w=3))
        held = {node: sorted(await world.keys(node)) for node in world.up()}
        homes = [await world.replicas(key) for key in keys]
        await found_dead(world, NodeId("n2"))
        await world.sleep(30)
        assert {node: sorted(await world.keys(node)) for node in world.up()} == {
            node: keys for node, keys in held.items() if node != "n2"
        }
        assert [await world.replicas(key) for key in keys] == homes
        assert {world.host(node).ring.epoch for node in world.up()} == {0}

    live(body)


def test_the_ring_does_not_change_without_a_member_that_failed_until_that_is_removed() -> None:
    async def body(world: SimWorld) -> None:
        await found_dead(world, NodeId("n2"))
        with pytest.raises(KvlabError, match=r"n2 did not answer.* Restart n2, .* remove n2"):
            await world.add("n6")
        await world.remove("n2")
        await world.add("n6")
        assert "n6" in world.up()
        assert {len(world.host(node).ring.members) for node in world.up()} == {5}

    live(body)


def test_a_name_that_comes_back_after_it_left_is_a_replica_at_once() -> None:
    """Before anybody has heard its first heartbeat: that it left was said of an earlier life."""

    async def body(world: SimWorld) -> None:
        await world.remove("n2")
        await world.sleep(1)
        assert await world.belief("n1", "n3") == "alive"
        assert node_of(world, NodeId("n1")).belief(NodeId("n2")) == "left"
        await world.add("n2")
        for node in world.up():
            assert "n2" in node_of(world, node).members.living(world.members())

    live(body)


# -- what it must not do ---------------------------------------------------------------------------


@pytest.mark.parametrize("detector", ["heartbeat", "phi"])
def test_a_paused_coordinator_goes_on_as_if_nothing_had_been(detector: str) -> None:
    """Pitfall 19: who has slept has heard nobody, and takes nobody for failed."""
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        *_, out = await placed(world)
        await world.pause(out)
        await all_see(world, [out], "failed")
        await world.sleep(20)
        await world.resume(out)
        ok(await world.put(KEY, b"v", via=out))
        await all_see(world, [out], "alive")
        assert not [event for event in told if isinstance(event, Believed) and event.node == out]

    live(body, told, detector=detector)


# -- on processes ----------------------------------------------------------------------------------


def test_on_processes_a_death_a_return_and_a_pause_are_noticed_and_shown_to_a_redis_client() -> None:
    told: list[AnyEvent] = []

    async def body(world: World) -> None:
        async def shown(of: str) -> Any:
            async with redis.asyncio.Redis(port=world.nodes[NodeId("n2")].port, protocol=3) as client:
                return (await say(client, "KV.MEMBERS"))[of.encode()]

        await found_dead(world, NodeId("n3"))
        ok(await put_seen(world, KEY, b"v", NodeId("n2")))
        dead = await shown("n3")
        assert dead[b"belief"] == b"failed"
        assert dead[b"heard_ms_ago"] >= world.config.fail_ms
        assert dead[b"accusers"] == [b"n1", b"n2"]
        await world.restart("n3")
        await all_see(world, ["n3"], "alive")
        alive = await shown("n3")
        assert (alive[b"belief"], alive[b"generation"], alive[b"zone"]) == (b"alive", 1, b"z1")
        assert alive[b"heartbeat"] >= 0

        await world.pause("n1")
        await all_see(world, ["n1"], "failed")
        told.clear()
        await world.resume("n1")
        await all_see(world, ["n1"], "alive")
        assert not [event for event in told if isinstance(event, Believed) and event.node == "n1"]

    run_in("process", ClusterConfig(nodes=3, **{**QUICK, "suspect_ms": 500, "fail_ms": 1000}), body, told)


def test_on_processes_a_newcomer_is_given_one_seed_and_serves_writes() -> None:
    async def body(world: World) -> None:
        given: list[RingSpec] = []
        real = world._told

        def noted(info: NodeInfo) -> RingSpec:
            given.append(real(info))
            return given[-1]

        world._told = noted  # type: ignore[method-assign]
        await world.add("n4")
        assert [[member.node for member in ring.members] for ring in given] == [["n1"]]
        async with redis.asyncio.Redis(port=world.nodes[NodeId("n4")].port, protocol=3) as client:
            await client.set("k", "v")
            members = await say(client, "KV.MEMBERS")
        assert {node: fields[b"belief"] for node, fields in members.items()} == {
            name: b"alive" for name in (b"n1", b"n2", b"n3", b"n4")
        }
        for via in world.up():
            assert ok(await world.get(KEY, via=via)) == (b"v",)

    run_in("process", ClusterConfig(nodes=3, stage=7), body)
