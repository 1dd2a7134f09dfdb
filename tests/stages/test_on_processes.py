"""The behaviour suite again, on real processes: what a stage does there it does in the simulator, and the
other way round. The behaviours of a stage run one after the other on one cluster, for processes take long to
start.

Four stay in the simulator: the time to live, whose tenths of a second a busy machine does not keep; the byte
budget and the loss of a zone, which take a cluster of their own (tests/world/test_contract.py kills a zone of
processes); and the truth of outcomes, which takes 60 cuts and half a second after each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any, NamedTuple

import pytest

from kvlab.config import ClusterConfig
from kvlab.stages import STAGES, Stage
from kvlab.world.process.supervisor import ProcessWorld
from tests.stages import test_stages as suite
from tests.worlds import Body, next_ports, until

BEHAVIOURS: tuple[Callable[[Stage], None], ...] = (
    suite.test_a_key_is_missing_until_it_is_written_and_again_once_it_is_deleted,
    suite.test_a_later_write_replaces_an_earlier_one,
    suite.test_any_bytes_are_a_key_and_a_value,
    suite.test_any_node_coordinates,
    suite.test_replicas_agree_after_writes_that_were_not_concurrent,
    suite.test_replicas_agree_after_concurrent_writes,
    suite.test_a_write_goes_on_while_a_replica_is_away,
    suite.test_a_write_goes_on_with_one_replica_left,
    suite.test_the_loss_of_a_node_loses_no_key,
)


class Cluster(NamedTuple):
    """A cluster of processes that runs through several tests, and the loop that it lives in."""

    stage: Stage
    world: ProcessWorld
    runner: asyncio.Runner


@pytest.fixture(scope="module", params=STAGES, ids=lambda stage: f"{stage.number}-{stage.name}")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    stage: Stage = request.param
    timeout_ms = 500 if stage.number == 4 else 2000  # stage 4 waits for the dead, read after read
    with asyncio.Runner() as runner:
        world = ProcessWorld(ClusterConfig(stage=stage.number, timeout_ms=timeout_ms), port=next_ports())
        runner.run(world.__aenter__())
        try:
            yield Cluster(stage, world, runner)
        finally:
            runner.run(world.__aexit__(None, None, None))


async def emptied(world: ProcessWorld) -> None:
    """As it was at first: all nodes up and known to be, and no key anywhere."""
    for node in world.nodes:
        if node not in world.up():
            await world.restart(node)

    async def all_are_alive() -> bool:
        pairs = permutations(world.up(), 2) if world.stage.watches else ()
        return all([await world.belief(node, other) == "alive" for node, other in pairs])

    await until(world, all_are_alive)
    for node in world.up():
        for key in await world.keys(node):
            await world.delete(key)

    async def nothing_is_left() -> bool:
        return not any([await world.keys(node) for node in world.up()])

    await until(world, nothing_is_left)


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.__name__[5:])
def test_on_processes(
    cluster: Cluster, behaviour: Callable[[Stage], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: list[Body[None]] = []

    def note(stage: Stage, body: Body[None], **config: Any) -> None:
        assert config.keys() <= {"seed"}, "one cluster is for all of them"
        bodies.append(body)

    monkeypatch.setattr(suite, "live", note)
    behaviour(cluster.stage)  # skips where the stage does not hold it, and says why

    async def once() -> None:
        await emptied(cluster.world)
        await bodies[0](cluster.world)  # other seeds would be no other run here

    cluster.runner.run(once())
