"""The scenarios of the chapters hold, in both worlds."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from kvlab.cli.run import run_command
from kvlab.script.rehearsal import read_scenario
from tests.worlds import fall_short

CHAPTERS = Path(__file__).parents[2] / "chapters"
STORIES = ("02_cap/bank", "02_cap/bank_ap", "02_cap/likes", "07_gossip/rumour")


@pytest.mark.parametrize("story", STORIES)
def test_a_story_holds_in_the_simulator(story: str) -> None:
    done = CliRunner().invoke(run_command, [str(CHAPTERS / f"{story}.scenario"), "--world", "sim"])
    assert done.exit_code == 0, done.output


def test_the_stories_hold_on_processes() -> None:
    assert fall_short({story: read_scenario(CHAPTERS / f"{story}.scenario") for story in STORIES}) == {}
