"""The start screen, what it remembers, and what a crash leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from kvlab.errors import UserError
from kvlab.lab import state
from kvlab.lab.crash import LabCrashed, crashed
from kvlab.lab.draw.start import compose, next_stage
from kvlab.lab.draw.theme import Theme
from kvlab.lab.start import StartApp
from kvlab.stages import STAGES
from kvlab.trace.recording import Recording
from tests.lab.stories import births, config

OPENED = {1: "2026-01-02", 3: "2026-02-03"}


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize("theme", [Theme(), Theme(colour=False), Theme(ascii=True)], ids=str)
@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
def test_all_nine_stages_stand_there_one_a_line(size: tuple[int, int], theme: Theme) -> None:
    canvas = compose(OPENED, 2, size, theme)
    drawn = canvas.text()
    rows = [row for row in drawn if row.strip()[:1].isdigit()]
    assert [row.split()[0] for row in rows] == [str(stage.number) for stage in STAGES]
    assert all(stage.name in row for stage, row in zip(STAGES, rows, strict=True))
    assert [row.split()[0] for row in rows if "2026-" in row] == ["1", "3"]
    assert {sum(map(cell_len, row)) for row in canvas.chars} == {size[0]}
    assert any(row.startswith("  broken") for row in drawn)
    assert not theme.ascii or all(row.isascii() for row in drawn)


def test_it_says_where_to_go_on() -> None:
    assert next_stage({}) == 1
    assert next_stage(OPENED) == 2
    assert next_stage({stage.number: "2026-01-02" for stage in STAGES}) == STAGES[-1].number
    assert "begin with 1" in compose({}, 1, (80, 24), Theme()).text()[2]
    assert "You have opened 2 of 9: go on with 2, cap." in compose(OPENED, 2, (80, 24), Theme()).text()[2]


def choice(test: Callable[[Pilot[int]], Awaitable[None]]) -> int | None:
    """What is chosen when this is done to it."""

    async def run() -> int | None:
        app = StartApp(OPENED, Theme())
        async with app.run_test(size=(80, 24)) as pilot:
            await test(pilot)
        return app.return_value

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [(["enter"], 2), (["down", "enter"], 3), (["up", "up", "enter"], STAGES[-1].number), (["4", "enter"], 4)],
)
def test_a_stage_is_chosen_by_arrows_or_by_its_number(keys: list[str], chosen: int) -> None:
    async def press(pilot: Pilot[int]) -> None:
        await pilot.press(*keys)

    assert choice(press) == chosen


@pytest.mark.parametrize("key", ["q", "escape", "ctrl+c"])
def test_it_can_be_left_without_a_choice(key: str) -> None:
    async def press(pilot: Pilot[int]) -> None:
        await pilot.press(key)

    assert choice(press) is None


def test_a_stage_is_chosen_with_the_mouse() -> None:
    async def click(pilot: Pilot[int]) -> None:
        await pilot.click(offset=(10, 3 + 5))
        await pilot.press("enter")

    assert choice(click) == 5


def test_what_was_opened_is_remembered_in_plain_text() -> None:
    assert state.opened() == {}
    state.note_opened(3, date(2026, 2, 3))
    state.note_opened(1, date(2026, 1, 2))
    assert state.opened() == OPENED
    assert (state.folder() / "opened.txt").read_text() == "stage 1 2026-01-02\nstage 3 2026-02-03\n"


def test_a_memory_that_is_damaged_or_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    state.folder().parent.mkdir()
    state.folder().write_text("a file where the folder should be")
    state.note_opened(3)
    assert state.opened() == {}
    state.folder().unlink()
    state.folder().mkdir()
    (state.folder() / "opened.txt").write_bytes(b"stage 2 2026-01-01\nstage x\n")
    assert state.opened() == {2: "2026-01-01"}
    (state.folder() / "opened.txt").write_bytes(b"\xff\xfe")
    assert state.opened() == {}


def fallen() -> ValueError:
    try:
        raise ValueError("unheard of")
    except ValueError as error:
        return error


def test_a_crash_leaves_a_report_and_a_recording_and_says_where() -> None:
    told = crashed(fallen(), config(), "sim", births(), "cluster stage=4\nput k 1\n")
    report = next(state.folder().glob("crash-*.txt"))
    recording = next(state.folder().glob("crash-*.kvlab"))
    assert str(report) in str(told)
    assert str(recording) in str(told)
    text = report.read_text()
    for words in (
        "ValueError: unheard of",
        "textual ",
        "Python 3.",
        "timeout_ms = 1500",
        "put k 1",
        "NodeReady(",
    ):
        assert words in text
    assert list(Recording(recording)) == births()


def test_a_crash_without_a_place_for_its_report_is_told_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    state.folder().parent.mkdir()
    state.folder().write_text("a file where the folder should be")
    told = crashed(fallen(), config(), "sim", [], "")
    assert isinstance(told, LabCrashed)
    assert not isinstance(told, UserError)
    assert "No report could be written" in str(told)
    assert "ValueError: unheard of" in capsys.readouterr().err
