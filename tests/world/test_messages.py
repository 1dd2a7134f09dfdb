"""One message under somebody's hand, in the simulator."""

from __future__ import annotations

import asyncio

import pytest

from kvlab.config import ClusterConfig
from kvlab.errors import UserError
from kvlab.script.commands import Put
from kvlab.script.parse import parse
from kvlab.script.run import Report, run_scenario
from kvlab.trace import events
from kvlab.trace.events import AnyEvent, Delivered, MessageDropped, Sent
from kvlab.world.faults import Fate
from kvlab.world.process.supervisor import ProcessWorld
from kvlab.world.sim import SimWorld
from kvlab.world.sim.network import UnderWay
from kvlab.world.world import World


def writing(told: list[AnyEvent], stage: int = 4) -> SimWorld:
    """A cluster whose n1 has just been asked to write, and has sent that to the replicas."""
    world = SimWorld(ClusterConfig(stage=stage, nodes=5, seed=7))
    world.watch(told.append)
    world.submit(lambda w: w.start())
    world.run_to(50.0)
    world.submit(lambda w: w.put(b"cart:42", b"milk", via="n1"))
    return world


def decide(world: SimWorld, message: str, fate: Fate) -> None:
    world.submit(lambda w: w.decide(message, fate)).result()


def copies(world: SimWorld) -> list[UnderWay]:
    return [message for message in world.under_way() if message.kind == "Keep"]


def arrivals(told: list[AnyEvent], message: str) -> list[float]:
    return [event.at_ms for event in told if isinstance(event, Delivered) and event.msg == message]


def test_what_is_under_way_is_what_was_sent_and_the_next_to_arrive_stands_first() -> None:
    told: list[AnyEvent] = []
    world = writing(told)
    under_way = world.under_way()
    assert {message.msg for message in under_way} == {event.msg for event in told if isinstance(event, Sent)}
    assert [message.due_ms for message in under_way] == sorted(message.due_ms for message in under_way)
    first = under_way[0]
    assert (first.sender, first.kind, first.key) == ("n1", "Keep", b"cart:42")
    assert first.op
    world.step()
    assert arrivals(told, first.msg) == [first.due_ms]
    assert first.msg not in {message.msg for message in world.under_way()}


def test_a_message_delivered_now_arrives_before_all_others_and_no_time_passes() -> None:
    told: list[AnyEvent] = []
    world = writing(told)
    last = copies(world)[-1]
    decide(world, last.msg, "now")
    assert arrivals(told, last.msg) == [50.0]
    assert last.msg not in {message.msg for message in world.under_way()}
    world.run_to(5000.0)
    assert arrivals(told, last.msg) == [50.0]


def test_a_message_that_was_dropped_never_arrives_and_it_is_told_why() -> None:
    told: list[AnyEvent] = []
    world = writing(told)
    lost = copies(world)[0]
    decide(world, lost.msg, "lost")
    world.run_to(5000.0)
    assert not arrivals(told, lost.msg)
    dropped = [event for event in told if isinstance(event, MessageDropped)]
    assert [(event.msg, event.why) for event in dropped] == [(lost.msg, "by hand")]


def test_a_message_delivered_twice_arrives_twice_and_each_copy_is_under_way_for_itself() -> None:
    told: list[AnyEvent] = []
    world = writing(told)
    doubled = copies(world)[0]
    decide(world, doubled.msg, "twice")
    assert [message.msg for message in copies(world)].count(doubled.msg) == 2
    decide(world, doubled.msg, "now")
    assert [message.msg for message in copies(world)].count(doubled.msg) == 1
    world.run_to(5000.0)
    assert arrivals(told, doubled.msg) == [50.0, doubled.due_ms]


def test_what_is_not_under_way_cannot_be_decided() -> None:
    world = writing([])
    with pytest.raises(UserError, match=r"no message n1\.0\.99 is under way"):
        decide(world, "n1.0.99", "now")


def test_a_cut_holds_also_for_what_is_delivered_now() -> None:
    told: list[AnyEvent] = []
    world = writing(told)
    message = copies(world)[0]
    world.submit(lambda w: w.partition([["n1"], ["n2", "n3", "n4", "n5"]]))
    decide(world, message.msg, "now")
    assert not arrivals(told, message.msg)
    assert [event.why for event in told if isinstance(event, MessageDropped)] == ["partition"]


@pytest.mark.parametrize("stage", [4, 9])
def test_what_was_decided_is_decided_again_in_a_world_rewound(stage: int) -> None:
    """Also between two steps, where no timer says what time it is. Seen to fail without `pass_to`."""
    told: list[AnyEvent] = []
    world = writing(told, stage)
    decide(world, copies(world)[-1].msg, "now")
    world.run_to(world.at_ms() + 0.3)
    for fate in ("lost", "twice"):
        decide(world, world.under_way()[-1].msg, fate)
        world.step()
        world.run_to(world.at_ms() + 0.7)
        world.submit(lambda w: w.put(b"k", b"v", via="n2"))
    world.run_to(world.at_ms() + 20)
    again_told: list[AnyEvent] = []
    again = world.rewound(world.steps, again_told.append)
    assert len(again_told) > 20
    assert again_told == told
    assert again.under_way() == world.under_way()


def test_a_line_in_a_timeline_decides_a_message_and_so_a_file_can() -> None:
    names = [message.msg for message in copies(writing([]))]
    assert _results([]) == ["ok"]
    assert _results([f"at 100ms message {name} lost" for name in names[:2]]) == ["unknown"]
    assert _results(["at 100ms message n1.0.99 lost"]) == ["ok"]  # left out, as all that makes no sense then


def _results(decisions: list[str]) -> list[str]:
    """How the put ended, in a scenario in which its messages are slow enough to be decided about."""
    put = ["cluster stage=4 nodes=5 seed=7", "slow n1 200ms", "at 0ms put cart:42 milk via n1"]
    scenario = parse("\n".join(put + decisions))
    world = SimWorld(scenario.cluster.config())

    async def main() -> Report:
        async with world:
            return await run_scenario(scenario, world)

    return [str(step.outcome) for step in world.run(main()).steps if isinstance(step.command, Put)]


def test_real_processes_have_their_messages_in_nobodys_hands() -> None:
    world: World = ProcessWorld(ClusterConfig(stage=4))
    with pytest.raises(UserError, match="--world sim"):
        asyncio.run(world.decide("n1.0.1", "now"))


def test_a_node_that_is_paused_gets_what_was_delivered_now_when_it_wakes() -> None:
    told: list[AnyEvent] = []
    world = writing(told)
    message = copies(world)[0]
    world.submit(lambda w: w.pause(message.to))
    decide(world, message.msg, "now")
    assert not arrivals(told, message.msg)
    world.submit(lambda w: w.resume(message.to))
    assert len(arrivals(told, message.msg)) == 1
    assert any(isinstance(event, events.Stored) and event.node == message.to for event in told)
