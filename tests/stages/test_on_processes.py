"""The behaviour suite again, on real processes: what a stage does there it does in the simulator, and the
other way round. A few behaviours stand for all; the simulator has the rest, and more seeds than fit here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kvlab.config import ClusterConfig
from kvlab.stages import Stage
from tests.stages import test_stages as suite
from tests.stages.test_stages import every_stage
from tests.worlds import Body, run_in

BEHAVIOURS = (
    suite.test_a_key_is_missing_until_it_is_written_and_again_once_it_is_deleted,
    suite.test_any_node_coordinates,
    suite.test_the_loss_of_a_node_loses_no_key,
)


@every_stage
@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.__name__[5:])
def test_on_processes(
    stage: Stage, behaviour: Callable[[Stage], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def live(stage: Stage, body: Body[None], **config: Any) -> None:
        run_in("process", ClusterConfig(**{"stage": stage.number, "timeout_ms": 400, **config}), body)

    monkeypatch.setattr(suite, "live", live)
    behaviour(stage)
