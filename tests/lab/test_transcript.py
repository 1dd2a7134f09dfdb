"""What was done in the lab, as a file that `kvlab run` accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvlab.errors import Outcome, UserError
from kvlab.lab.transcript import Transcript
from kvlab.script.parse import parse_line
from kvlab.script.rehearsal import read_scenario, understood
from kvlab.script.run import config_of, run_scenario
from kvlab.script.session import Failure, Step
from kvlab.world.sim import SimWorld
from tests.lab.stories import config


def done(line: str, at_ms: float, took_ms: float, outcome: Outcome | None = None, error: str = "") -> Step:
    return Step(parse_line(line), at_ms, took_ms, outcome=outcome, error=error)


def test_lines_stand_in_their_order_with_the_time_between_them() -> None:
    transcript = Transcript(config())
    transcript.add(done("put k 1", 2000, 4, Outcome.OK))
    transcript.add(done("kill n3", 2020, 1))
    transcript.add(done("get k", 2331, 5, Outcome.OK))
    transcript.add(done("restart n3", 4380, 300))
    cluster, *lines = transcript.scenario().splitlines()
    assert cluster == "cluster stage=4 vnodes=8 timeout=1500ms"
    assert lines == ["put k 1", "kill n3", "wait 310ms", "get k", "wait 2s", "restart n3"]


def test_lines_under_way_together_are_a_timeline() -> None:
    transcript = Transcript(config())
    transcript.add(done("slow n1 500ms", 0, 1))
    transcript.add(done("kill n3", 400, 2))  # ended first, begun second
    transcript.add(done("put k 1 via n1", 100, 1000, Outcome.OK))
    transcript.add(done("get k", 1200, 5, Outcome.OK))
    _, *lines = transcript.scenario().splitlines()
    timeline = ["at 0ms put k 1 via n1", "at 300ms kill n3"]
    assert lines == ["slow n1 500ms", "wait 100ms", *timeline, "wait 100ms", "get k"]
    understood(transcript.scenario())


def test_what_was_not_done_or_did_not_hold_is_a_comment() -> None:
    transcript = Transcript(config())
    transcript.add(done("put k 1", 0, 1500, Outcome.UNKNOWN, "QuorumNotReached"))
    transcript.not_done("kill n9", 1510, "there is no node 'n9'")
    unmet = Step(parse_line("expect get k = 2"), 1520, 1, "does not hold: found 1", failure=Failure("", ""))
    transcript.add(unmet)
    _, *lines = transcript.scenario().splitlines()
    assert lines == [
        "put k 1   # unknown: QuorumNotReached",
        "# kill n9   not done: there is no node 'n9'",
        "# expect get k = 2   does not hold: found 1",
    ]
    assert len(transcript) == 1
    assert len(understood(transcript.scenario()).lines) == 2


def test_a_wait_under_way_with_others_is_left_to_their_times() -> None:
    transcript = Transcript(config())
    transcript.add(done("put k 1", 100, 5, Outcome.OK))
    transcript.add(done("wait 1s", 0, 1000))
    _, *lines = transcript.scenario().splitlines()
    assert lines == ["# wait 1s   others were under way meanwhile", "at 100ms put k 1"]
    understood(transcript.scenario())


def test_a_file_that_is_there_is_not_written_over_unless_asked_to(tmp_path: Path) -> None:
    path = tmp_path / "mine.scenario"
    transcript = Transcript(config())
    transcript.add(done("put k 1", 0, 5, Outcome.OK))
    transcript.save(path)
    path.write_text("something else")
    with pytest.raises(UserError, match="save! "):
        transcript.save(path)
    assert path.read_text() == "something else"
    transcript.save(path, overwrite=True)
    assert "put k 1" in path.read_text()
    with pytest.raises(UserError, match="cannot write"):
        transcript.save(tmp_path / "nowhere" / "x")


def test_what_was_saved_can_be_run(tmp_path: Path) -> None:
    path = tmp_path / "mine.scenario"
    transcript = Transcript(config())
    for i, line in enumerate(
        ["put k 1", "kill n3", "get k", "restart n3", "partition n1 n2 | n3 n4 n5", "heal"]
    ):
        transcript.add(done(line, 100.0 * i, 1))
    transcript.save(path)
    scenario = read_scenario(path)
    world = SimWorld(config_of(scenario))

    async def run() -> bool:
        async with world:
            return (await run_scenario(scenario, world)).holds

    assert world.run(run())
