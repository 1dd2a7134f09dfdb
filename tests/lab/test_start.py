"""The start screen, what it remembers, and what a crash leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from kvlab.course.workspace import EXERCISES, begin
from kvlab.errors import UserError
from kvlab.lab import state
from kvlab.lab.canvas_widget import LabCanvas
from kvlab.lab.crash import LabCrashed, crashed
from kvlab.lab.draw.start import Known, compose, next_stage
from kvlab.lab.draw.theme import Theme
from kvlab.lab.goals import BRIEFLY, GOALS
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
    canvas = compose(Known(OPENED), 2, size, theme)
    drawn = canvas.text()
    rows = [row for row in drawn if row.strip()[:1].isdigit()]
    assert [row.split()[0] for row in rows] == [str(stage.number) for stage in STAGES]
    assert all(stage.name in row for stage, row in zip(STAGES, rows, strict=True))
    assert [row.split()[0] for row in rows if "2026-" in row] == ["1", "3"]
    assert {sum(map(cell_len, row)) for row in canvas.chars} == {size[0]}
    assert any(row.startswith("  broken") for row in drawn)
    assert not theme.ascii or all(row.isascii() for row in drawn)


EXERCISES_OF = {number: dict.fromkeys(EXERCISES, False) for number in range(1, 10)}


@pytest.mark.parametrize("exercises", [{}, EXERCISES_OF], ids=["without", "workspace"])
@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)])
def test_nothing_that_is_said_of_a_stage_is_cut(
    size: tuple[int, int], exercises: dict[int, dict[str, bool]]
) -> None:
    """Of all nine the same is told, and of the chosen one everything that there is room for."""
    for at in range(1, 10):
        drawn = compose(Known(OPENED, exercises), at, size, Theme()).text()
        assert "…" not in "".join(drawn)
        words = " ".join(" ".join(drawn).split())
        if size[1] >= 24:
            assert GOALS[at] in words
            assert not exercises or "--mine is this stage with your code in it" in words
    rows = drawn[4:13]
    for texts in (GOALS, BRIEFLY):
        told = [texts[number] in row for number, row in enumerate(rows, start=1)]
        assert all(told) or not any(told)


def test_it_says_where_to_go_on() -> None:
    every = Known({stage.number: "2026-01-02" for stage in STAGES})
    assert next_stage(Known()) == 1
    assert next_stage(Known(OPENED)) == 2
    assert next_stage(every) == STAGES[-1].number
    assert "begin with 1" in compose(Known(), 1, (80, 24), Theme()).text()[2]
    assert (
        "You have opened 2 of 9: go on with 2, cap." in compose(Known(OPENED), 2, (80, 24), Theme()).text()[2]
    )


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
def test_in_a_workspace_it_says_what_is_done_of_each_chapter_and_what_to_do_next(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = begin(tmp_path / "kv")
    for exercise in EXERCISES:
        mine.note(1, exercise)
    mine.note(2, "build", "12 of 12")
    state.note_opened(2, date(2026, 2, 3))
    monkeypatch.chdir(mine.folder / "chapters")
    known = state.known()
    assert next_stage(known) == 2
    drawn = compose(known, 2, size, Theme()).text()
    assert "5 of 36 exercises are done: go on with kvlab predict 2." in drawn[2]
    rows = drawn[4:13]
    assert ["4 of 4" in row for row in rows] == [True] + [False] * 8
    assert ["1 of 4" in row for row in rows] == [False, True] + [False] * 7
    assert "2026-02-03" in rows[1]
    assert size[1] < 24 or any("✓ check 2  ○ predict 2  ○ break 2  ○ measure 2" in row for row in drawn)
    for chapter in range(1, 10):
        for exercise in EXERCISES:
            mine.note(chapter, exercise)
    assert "All 36 exercises are done." in compose(state.known(), 9, size, Theme()).text()[2]
    (mine.folder / "kvlab.txt").write_text("5 bild\n")
    assert "How far you are cannot be told:" in compose(state.known(), 1, size, Theme()).text()[2]


def choice(test: Callable[[Pilot[int]], Awaitable[None]]) -> int | None:
    """What is chosen when this is done to it."""

    async def run() -> int | None:
        app = StartApp(Known(OPENED), Theme())
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


def test_it_fills_a_window_that_has_changed() -> None:
    async def resize(pilot: Pilot[int]) -> None:
        for width, height in ((120, 40), (60, 20), (59, 20), (80, 24)):
            await pilot.resize_terminal(width, height)
            canvas = pilot.app.query_one(LabCanvas)
            wanted = compose(Known(OPENED), 2, (width, height), Theme()).text()
            for _ in range(500):
                lines = ["".join(part.text for part in canvas.render_line(y)).rstrip() for y in range(height)]
                if lines == wanted:
                    break
                await pilot.pause(0.01)
            assert lines == wanted
        await pilot.press("q")

    assert choice(resize) is None


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
