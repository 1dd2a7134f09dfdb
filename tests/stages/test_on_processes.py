"""The behaviour suite again, on real processes: what a stage does there it does in the simulator, and the
other way round. A few behaviours stand for all, one after the other on one cluster, for processes take long
to start; the simulator has the rest, and more seeds than fit here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kvlab.config import ClusterConfig
from kvlab.stages import Stage
from kvlab.world.world import World
from tests.stages import test_stages as suite
from tests.stages.test_stages import every_stage
from tests.worlds import Body, run_in

BEHAVIOURS: tuple[Callable[[Stage], None], ...] = (
    suite.test_a_key_is_missing_until_it_is_written_and_again_once_it_is_deleted,
    suite.test_any_node_coordinates,
    suite.test_the_loss_of_a_node_loses_no_key,
)
"""In this order: each leaves the cluster as the next one needs it."""


@every_stage
def test_on_processes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: dict[str, Body[None]] = {}

    def note(stage: Stage, body: Body[None], **config: Any) -> None:
        assert not config, "one cluster is for all of them"
        bodies[behaviour.__name__] = body

    monkeypatch.setattr(suite, "live", note)
    for behaviour in BEHAVIOURS:
        if (behaviour.__name__[5:].replace("_", " "), stage.number) not in suite.LACKING:
            behaviour(stage)
    assert bodies

    async def one_after_the_other(world: World) -> None:
        for name, body in bodies.items():
            try:
                await body(world)
            except AssertionError as error:
                error.add_note(f"in {name}, on processes")
                raise

    timeout_ms = 500 if stage.number == 4 else 2000  # stage 4 waits for the dead, read after read
    run_in("process", ClusterConfig(stage=stage.number, timeout_ms=timeout_ms), one_after_the_other)
