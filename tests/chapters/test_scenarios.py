"""The scenarios of the chapters hold, in both worlds."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from kvlab.cli_run import run_command

CHAPTERS = Path(__file__).parents[2] / "chapters"
STORIES = ("02_cap/bank", "02_cap/bank_ap", "02_cap/likes", "07_gossip/rumour")


@pytest.mark.parametrize("world", ["sim", "process"])
@pytest.mark.parametrize("story", STORIES)
def test_a_story_holds(story: str, world: str) -> None:
    done = CliRunner().invoke(run_command, [str(CHAPTERS / f"{story}.scenario"), "--world", world])
    assert done.exit_code == 0, done.output
