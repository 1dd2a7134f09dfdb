"""The lab without a screen: one sentence an event, lines from a text."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

from kvlab.lab.crash import LabCrashed
from kvlab.lab.driver import SimDriver
from kvlab.lab.plain import Plain, run_plain
from kvlab.world.sim import SimWorld
from tests.lab.stories import config


def told(*lines: str, stage: int = 4) -> list[str]:
    """What is said when these lines come in, without the times."""
    sink = io.StringIO()
    plain = Plain(SimDriver(SimWorld(config(stage))), io.StringIO("\n".join(lines)), sink)
    asyncio.run(plain.run())
    return [line.partition(" s: ")[2] or line for line in sink.getvalue().splitlines()]


def test_every_event_worth_telling_is_one_sentence() -> None:
    said = told("put k 1 via n1", ":kill n3", "", "# a comment", "get k via n1")
    assert {f"n{i} answers." for i in range(1, 6)} <= set(said)
    assert [line for line in said if line.startswith("n3 was killed")]
    assert [line for line in said if line.startswith("n1 read k: 1, in ")]
    assert not [line for line in said if "comment" in line]


def test_links_that_become_slow_together_are_told_once() -> None:
    said = told("slow n1 300ms")
    assert said.count("All that n1 sends and receives takes 300 ms more from now on.") == 1


def test_links_that_become_fast_together_are_told_once() -> None:
    said = told("slow n1 300ms", "slow n1 0ms", "wait 10ms", "slow n2 40ms")
    assert not [line for line in said if "links are slow" in line]
    assert said.count("The network is fast again.") == 1
    assert said[-1] == "All that n2 sends and receives takes 40 ms more from now on."


def test_mistakes_and_expectations_are_answered_and_the_rest_is_done() -> None:
    said = told("kil n1", "kill n9", "hold", "expect get k = 1", "put k 2", "help kill")
    assert [line for line in said if "the nearest is `kill`" in line]
    assert [line for line in said if "there is no node 'n9'" in line]
    assert "hold: that is for the lab with a screen; here are only sentences." in said
    assert [line for line in said if line.startswith("get k = 1: no, found missing")]
    assert [line for line in said if line.startswith("k = 2 is written")]
    assert "Ends a node's process at once (SIGKILL). What it had only in memory is gone." in said


class Terminal(io.StringIO):
    """What is written to it stands on a terminal."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_sentence_goes_on_at_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    sink = Terminal()
    asyncio.run(Plain(SimDriver(SimWorld(config(4))), io.StringIO(""), sink).run())
    shown = sink.getvalue()
    assert "help lists them, save FILE keeps what was done, quit or the" in shown.splitlines()
    assert max(len(line) for line in shown.splitlines()) <= 60
    assert "quit or the end of the input ends it." in " ".join(told())  # into a pipe it is one line


def test_quit_ends_it_before_the_input_does() -> None:
    assert not [line for line in told("quit", "put k 1") if "writes k" in line]


def test_what_was_done_can_be_saved(tmp_path: Path) -> None:
    path = tmp_path / "mine.scenario"
    assert f"Saved: {path}" in told("put k 1", f"save {path}")
    assert "put k 1" in path.read_text()


def test_what_nobody_expected_leaves_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(SimDriver):
        def tick(self, elapsed_s: float) -> bool:
            raise ValueError("unheard of")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO("wait 10s\n"))
    with pytest.raises(LabCrashed, match="ValueError: unheard of"):
        asyncio.run(run_plain(Broken(SimWorld(config()))))
    assert "in tick" in next((tmp_path / "kvlab").glob("crash-*.txt")).read_text()


def test_whoever_reads_no_more_ends_it() -> None:
    class Deaf(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    plain = Plain(SimDriver(SimWorld(config())), io.StringIO("put k 1\n"), Deaf())
    asyncio.run(plain.run())
    assert isinstance(plain.unheard, BrokenPipeError)
