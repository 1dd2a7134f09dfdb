"""Gossip in a cluster: who is believed to be alive, and what follows from it for ring and newcomers.

The node here is the quorum node of stage 5 with gossip and nothing else, so that this is about gossip.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

import pytest

from kvlab import stages
from kvlab.config import ClusterConfig
from kvlab.env import Env
from kvlab.errors import KvlabError
from kvlab.messages import (
    NOTHING,
    UNKNOWN_EPOCH,
    Context,
    Fetch,
    Gossip,
    Item,
    Keep,
    Key,
    Member,
    NodeId,
    Reply,
    RingSpec,
    TransferRequest,
    Version,
)
from kvlab.services.members import Members
from kvlab.stages import Stage
from kvlab.stages.s05_quorum import QuorumNode
from kvlab.trace import events
from kvlab.trace.events import AnyEvent
from kvlab.world.sim import SimWorld

T = TypeVar("T")


class GossipingNode(QuorumNode):
    def __init__(self, env: Env, config: ClusterConfig, ring: RingSpec) -> None:
        super().__init__(env, config, ring)
        self.members = Members(env, config, self.transfer)

    async def put(  # type: ignore[override]  # as from stage 6 on, though nothing comes of it here
        self, key: Key, item: Item, w: int | None = None, context: Context = NOTHING
    ) -> Context:
        await super().put(key, item, w)
        return NOTHING

    def belief(self, peer: NodeId) -> str:
        return self.members.belief(peer)

    async def on(
        self, sender: NodeId, request: Keep[Version] | Fetch[Version] | TransferRequest | Gossip
    ) -> Reply:
        if isinstance(request, Gossip):
            return await self.members.on(sender, request)
        return await super().on(sender, request)


GOSSIPING = Stage(
    number=99,
    name="gossiping",
    adds="",
    fixes="",
    broken="",
    path=f"{__name__}:GossipingNode",
)


@pytest.fixture(autouse=True)
def gossiping_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    real = stages.find

    def find(number: int) -> Stage:
        return GOSSIPING if number == GOSSIPING.number else real(number)

    monkeypatch.setattr(stages, "find", find)


def run(
    body: Callable[[SimWorld], Coroutine[Any, Any, T]],
    told: list[AnyEvent] | None = None,
    **options: Any,
) -> T:
    world = SimWorld(ClusterConfig(stage=99, **{"nodes": 5, "r": 2, "w": 2, **options}))

    async def lived() -> T:
        if told is not None:
            world.watch(told.append)
        async with world:
            return await body(world)

    return world.run(lived())


async def beliefs(world: SimWorld, of: str, by: Iterable[str] | None = None) -> set[str]:
    asked = world.up() if by is None else by
    return {await world.belief(node, of) for node in asked if node != of}


async def until(
    world: SimWorld, of: str, belief: str, within_s: float, by: Iterable[str] | None = None
) -> None:
    deadline = world.at_ms() + within_s * 1000
    while (seen := await beliefs(world, of, by)) != {belief}:
        assert world.at_ms() < deadline, f"{of} is {seen} and not {belief} after {within_s} s"
        await world.sleep(0.05)


def members(world: SimWorld, node: str) -> Members:
    node_itself: Any = world.host(node).node
    found: Members = node_itself.members
    return found


@pytest.mark.parametrize("fanout", [1, 3])
def test_each_period_a_node_tells_as_many_others_as_the_fan_out_says(fanout: int) -> None:
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        await world.sleep(10)

    run(body, told, fanout=fanout, gossip_ms=100)
    gossip = [event for event in told if isinstance(event, events.Sent) and event.kind == "Gossip"]
    assert abs(len(gossip) - 5 * 100 * fanout) <= 5 * fanout  # one period more or less
    assert {event.to for event in gossip if event.node == "n1"} == {"n2", "n3", "n4", "n5"}


both_detectors = pytest.mark.parametrize("detector", ["heartbeat", "phi"])


@both_detectors
def test_in_a_healthy_cluster_nobody_is_ever_suspected(detector: str) -> None:
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        await world.sleep(60)
        for node in world.up():
            assert await beliefs(world, node) == {"alive"}

    run(body, told, detector=detector, nodes=9)
    assert not [event for event in told if isinstance(event, events.Believed)]


@both_detectors
def test_a_killed_node_is_found_out_by_all_and_its_return_as_well(detector: str) -> None:
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        await world.sleep(5)
        await world.kill("n2")
        await until(world, "n2", "failed", 8)
        for node in world.up():
            assert await beliefs(world, node) == {"alive"}
        await world.restart("n2")
        await until(world, "n2", "alive", 2)
        assert await beliefs(world, "n1", ["n2"]) == {"alive"}

    run(body, told, detector=detector)
    n1_said = [e.belief for e in told if isinstance(e, events.Believed) and (e.node, e.peer) == ("n1", "n2")]
    assert n1_said == ["suspect", "failed", "alive"]


def test_an_outage_moves_no_data() -> None:
    """Pitfall 22: down is not left."""

    async def body(world: SimWorld) -> None:
        for i in range(30):
            assert (await world.put(b"k%d" % i, b"v")).outcome == "ok"
        await world.sleep(1)
        before = {node: sorted(await world.keys(node)) for node in world.up()}
        await world.kill("n3")
        await until(world, "n3", "failed", 5)
        await world.sleep(20)
        assert {node: sorted(await world.keys(node)) for node in world.up()} == {
            node: keys for node, keys in before.items() if node != "n3"
        }
        assert {world.host(node).ring.epoch for node in world.up()} == {0}

    run(body)


@pytest.mark.parametrize("paused", ["n1", "n4"])
def test_a_paused_observer_convicts_nobody_and_is_itself_convicted(paused: str) -> None:
    """Pitfall 19."""
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        await world.sleep(3)
        await world.pause(paused)
        await until(world, paused, "failed", 5)
        await world.sleep(30)
        await world.resume(paused)
        await until(world, paused, "alive", 2)
        await world.sleep(10)

    run(body, told)
    assert not [e for e in told if isinstance(e, events.Believed) and e.node == paused]


def test_a_skewed_clock_convicts_nobody() -> None:
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        await world.sleep(3)
        for skew_ms in (+60_000, -60_000, 0):
            await world.skew("n3", skew_ms)
            await world.sleep(5)

    run(body, told)
    assert not [event for event in told if isinstance(event, events.Believed)]


def test_who_is_cut_from_one_but_heard_by_another_is_not_suspected() -> None:
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        await world.sleep(1)
        await world.lose("n1", "n2", 1.0)
        await world.sleep(20)

    run(body, told)
    assert not [event for event in told if isinstance(event, events.Believed)]


def test_the_halves_of_a_cut_network_convict_each_other_and_find_together_again() -> None:
    async def body(world: SimWorld) -> None:
        await world.sleep(1)
        await world.partition([["n1", "n2"], ["n3", "n4", "n5"]])
        for other in ("n3", "n4", "n5"):
            await until(world, other, "failed", 6, ["n1", "n2"])
        for other in ("n1", "n2"):
            await until(world, other, "failed", 6, ["n3", "n4", "n5"])
        assert await world.belief("n1", "n2") == "alive"
        assert await beliefs(world, "n4", ["n3", "n5"]) == {"alive"}
        await world.heal()
        for node in world.up():
            await until(world, node, "alive", 3)

    run(body)


def test_a_restart_is_recognised_by_its_generation_and_not_by_its_heartbeat() -> None:
    """Pitfall 20: it has lost its count, and its clock is behind."""
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        await world.sleep(20)
        await world.kill("n2")
        await world.restart("n2", empty=True)
        await world.skew("n2", -3_600_000)
        await world.sleep(1.5)
        assert {row.generation for row in members(world, "n1").table() if row.node == "n2"} == {1}
        await world.sleep(10)

    run(body, told)
    assert not [event for event in told if isinstance(event, events.Believed)]


def test_a_newcomer_is_given_one_seed_and_learns_of_all_the_others() -> None:
    async def body(world: SimWorld) -> None:
        await world.sleep(1)
        given: list[RingSpec] = []
        real = world._told

        def noted(info: Any) -> RingSpec:
            given.append(real(info))
            return given[-1]

        world._told = noted  # type: ignore[method-assign]
        await world.add("n6")
        (ring,) = given
        assert ring.epoch == UNKNOWN_EPOCH
        assert [member.node for member in ring.members] == ["n1"]
        assert set(members(world, "n6").living(world.members())) == {"n1", "n2", "n3", "n4", "n5", "n6"}
        await until(world, "n6", "alive", 2)
        assert {world.host(node).ring for node in world.up()} == {world.ring}

    run(body)


def test_a_newcomer_whose_seed_is_silent_does_not_join() -> None:
    async def body(world: SimWorld) -> None:
        await world.sleep(1)
        await world.pause("n2")  # a member all the same
        await world.lose("n1", None, 1.0)
        world.faults.set(NodeId("n1"), NodeId("n6"), loss=1.0)
        with pytest.raises(KvlabError, match="n1 did not answer"):
            await world.add("n6")
        assert "n6" not in world.members()
        assert all(member.node != "n6" for member in world.host("n3").ring.members)

    run(body)


def test_gossip_brings_a_new_ring_to_who_missed_its_installation() -> None:
    async def body(world: SimWorld) -> None:
        await world.sleep(1)
        newer = RingSpec(1, world.ring.members[:4], world.ring.vnodes)
        members(world, "n1").transfer.learn(newer)
        await world.sleep(2)
        assert {world.host(node).ring for node in world.up()} == {newer}

    run(body)


def test_whom_the_ring_takes_in_is_expected_to_be_heard() -> None:
    """It may have died before it could speak: then it is missed after a while, as anybody else would be."""
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        await world.sleep(1)
        newer = RingSpec(1, (*world.ring.members, Member(NodeId("n6"))), world.ring.vnodes)
        members(world, "n1").transfer.learn(newer)
        await world.sleep(5)

    run(body, told)
    said = [e.belief for e in told if isinstance(e, events.Believed) and (e.node, e.peer) == ("n1", "n6")]
    assert said == ["suspect", "failed"]


def test_who_leaves_has_left_and_is_not_failed() -> None:
    """Pitfall 21: nor does anybody's old table bring it back."""
    told: list[AnyEvent] = []

    async def body(world: SimWorld) -> None:
        await world.sleep(1)
        old = members(world, "n5").table()
        await world.remove("n2")
        for node in world.up():
            assert members(world, node).belief(NodeId("n2")) == "left"
            members(world, node)._hear(Gossip(world.ring, tuple(old)))
        await world.sleep(5)
        for node in world.up():
            assert members(world, node).belief(NodeId("n2")) == "left"

    run(body, told)
    said = {e.belief for e in told if isinstance(e, events.Believed)}
    assert said == {"left"}


def test_a_name_that_left_can_join_again() -> None:
    async def body(world: SimWorld) -> None:
        await world.sleep(1)
        await world.remove("n2")
        await world.add("n2")
        await until(world, "n2", "alive", 2)
        assert await beliefs(world, "n1", ["n2"]) == {"alive"}

    run(body)


def test_a_node_that_is_struck_off_while_it_is_down_has_left() -> None:
    async def body(world: SimWorld) -> None:
        await world.sleep(1)
        await world.kill("n2")
        await until(world, "n2", "failed", 5)
        await world.remove("n2")
        await world.sleep(1)
        for node in world.up():
            assert members(world, node).belief(NodeId("n2")) == "left"

    run(body)


def test_the_living_come_first_then_the_suspects_and_the_failed_not_at_all() -> None:
    async def body(world: SimWorld) -> None:
        await world.sleep(1)
        await world.kill("n1")
        await until(world, "n1", "failed", 5)
        await world.kill("n2")
        await until(world, "n2", "suspect", 3)
        assert members(world, "n3").living(world.members()) == ["n3", "n4", "n5", "n2"]

    run(body)


def test_the_same_seed_gossips_the_same() -> None:
    async def body(world: SimWorld) -> tuple[int, float]:
        await world.sleep(3)
        await world.kill("n4")
        await until(world, "n4", "failed", 5)
        return world.messages, world.at_ms()

    assert run(body) == run(body)
    assert run(body) != run(body, seed=2)
