"""The commands that open the lab: what becomes of their flags."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from kvlab.cli import main
from kvlab.lab.app import LabApp
from kvlab.trace.events import OpStarted
from kvlab.trace.recording import Recording


def kvlab(*words: str, typed: str = "") -> Result:
    done = CliRunner().invoke(main, words, input=typed)
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[LabApp]:
    """The labs that were opened: on a terminal, it seems, and left at once."""
    apps: list[LabApp] = []

    async def run_lab(app: LabApp) -> None:
        apps.append(app)

    monkeypatch.setattr("kvlab.lab.app.run_lab", run_lab)
    for command in ("lab", "replay"):
        monkeypatch.setattr(f"kvlab.cli.{command}.require_screen", lambda _: None)
    terminal = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr("kvlab.cli.demo.sys", SimpleNamespace(stdin=terminal, stdout=terminal, exit=sys.exit))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return apps


@pytest.mark.parametrize("command", ["lab", "demo", "replay"])
def test_ascii_and_no_animation_are_taken_at_their_word(
    command: str, opened: list[LabApp], tmp_path: Path
) -> None:
    file = tmp_path / "run.kvlab"
    kvlab("lab", "4", "--world", "sim", "--plain", "--record", str(file))
    words = {"lab": ("lab", "4", "--world", "sim"), "demo": ("demo", "4"), "replay": ("replay", str(file))}
    kvlab(*words[command], "--ascii", "--no-animation")
    kvlab(*words[command])
    still, moving = opened
    assert still.look.ascii
    assert (still.animate_messages, moving.animate_messages) == (False, True)


def test_a_lab_on_a_screen_is_recorded_and_the_stage_remembered(opened: list[LabApp], tmp_path: Path) -> None:
    file = tmp_path / "run.kvlab"
    kvlab("lab", "6", "--world", "sim", "--record", str(file))
    assert opened[0].recorder is not None
    assert opened[0].recorder.path == file
    assert (tmp_path / "kvlab" / "opened.txt").read_text().startswith("stage 6 ")


def test_a_lab_without_a_screen_is_recorded(tmp_path: Path) -> None:
    file = tmp_path / "run.kvlab"
    kvlab("lab", "4", "--world", "sim", "--plain", "--record", str(file), typed="put k 1\n")
    assert [event.key for event in Recording(file) if isinstance(event, OpStarted)] == [b"k"]
