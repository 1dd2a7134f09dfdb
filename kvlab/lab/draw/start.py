"""The start screen: the nine stages, one line each, what was done of them, and where to go on.

Known of everybody is which stages they opened, and when. Who stands in a workspace (kvlab init) also has
exercises there, and those that were done.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from rich.cells import cell_len

from kvlab.lab.draw.canvas import Canvas, Row, Size, shortened, wrapped
from kvlab.lab.draw.theme import ACCENT, BACKGROUND, BAR, DIM, GOOD, TEXT, Theme
from kvlab.lab.goals import BRIEFLY, GOALS
from kvlab.stages import STAGES, Stage, find

WIDTH_MIN, HEIGHT_MIN = 60, 20
DAY = 10
"""Columns of a day, such as 2026-11-23."""


class Known(msgspec.Struct, frozen=True):
    """What is known of whoever looks."""

    opened: Mapping[int, str] = {}
    """The stages that were opened, and the day on which they last were."""
    exercises: Mapping[int, Mapping[str, bool]] = {}
    """The exercises of each chapter, in their order, and whether they are done; {} outside of a workspace."""
    trouble: str = ""
    """Why that cannot be told, if it cannot."""

    @property
    def due(self) -> tuple[int, str] | None:
        """The first exercise that is not done."""
        return next(
            (
                (number, exercise)
                for number, exercises in self.exercises.items()
                for exercise, done in exercises.items()
                if not done
            ),
            None,
        )


def next_stage(known: Known) -> int:
    """Where to go on: at the first exercise that is not done; without any, at the first stage that was not
    opened; the last one if all were."""
    if known.due is not None:
        return known.due[0]
    numbers = [stage.number for stage in STAGES]
    return next((number for number in numbers if number not in known.opened), numbers[-1])


def command(number: int, exercise: str) -> str:
    """What to type for an exercise."""
    return f"kvlab check {number}" if exercise == "build" else f"kvlab {exercise} {number}"


def start_screen(known: Known, at: int, size: Size, theme: Theme) -> list[Row]:
    """The finished picture; `at` is the stage that Enter opens."""
    return compose(known, at, size, theme).rows()


def compose(known: Known, at: int, size: Size, theme: Theme) -> Canvas:
    """The finished picture, as a canvas."""
    width, height = size
    canvas = Canvas(size, theme.style())
    if width < WIDTH_MIN or height < HEIGHT_MIN:
        text = f"The lab needs {WIDTH_MIN} columns and {HEIGHT_MIN} rows. q quits."
        for y, line in enumerate(wrapped(text, max(1, width))):
            canvas.put(0, y, line, theme.style())
        return canvas
    canvas.fill(0, theme.style(TEXT, BAR))
    x = canvas.put(1, 0, "kvlab ", theme.style(ACCENT, BAR, bold=True))
    canvas.put(x + 1, 0, "a store of keys and values, in nine stages", theme.style(TEXT, BAR))
    for y, line in enumerate(shortened(wrapped(_where(known), width - 2), 2, width - 2, theme.glyphs.more)):
        canvas.put(1, 2 + y, line, theme.style(TEXT, bold=True))
    for y, stage in enumerate(STAGES, start=4):
        _stage_row(canvas, y, stage, known, at, theme)
    _about(canvas, 4 + len(STAGES) + 1, known, at, theme)
    _keys(canvas, theme)
    if theme.ascii:
        canvas.to_ascii()
    return canvas


def _where(known: Known) -> str:
    """One sentence: where to begin, or to go on."""
    if known.trouble:
        return known.trouble
    if known.exercises:
        done = sum(sum(exercises.values()) for exercises in known.exercises.values())
        count = sum(map(len, known.exercises.values()))
        if known.due is None:
            return f"All {count} exercises are done. Which stage again?"
        return f"{done} of {count} exercises are done: go on with {command(*known.due)}."
    number, opened = next_stage(known), known.opened
    if not opened:
        return f"You have opened none of them yet: begin with {number}."
    if number in opened:
        return "You have opened them all. Which one again?"
    return f"You have opened {len(opened)} of {len(STAGES)}: go on with {number}, {find(number).name}."


def _stage_row(canvas: Canvas, y: int, stage: Stage, known: Known, at: int, theme: Theme) -> None:
    chosen = stage.number == at
    head = f"{stage.number}  {stage.name:<14}"
    ground = (BACKGROUND, ACCENT) if chosen else (TEXT, BACKGROUND)
    x = canvas.put(1, y, f" {head}", theme.style(*ground, bold=chosen))
    how_far, finished = _how_far(known, stage.number)
    edge = canvas.width - DAY - 6 if known.opened else canvas.width - 2
    if known.exercises:
        edge -= len(how_far) + 3
        canvas.put(edge + 2, y, how_far, theme.style(GOOD if finished else ACCENT))
    canvas.put(x + 1, y, _in_a_row(edge - x)[stage.number], theme.style(TEXT, bold=chosen))
    if day := known.opened.get(stage.number):
        canvas.put(canvas.width - DAY - 3, y, f"{theme.glyphs.ok} {day}", theme.style(GOOD))


def _in_a_row(room: int) -> dict[int, str]:
    """What each stage is about, of all nine in the same way, in so many columns at most."""
    for texts in ({stage.number: stage.adds for stage in STAGES}, GOALS, BRIEFLY):
        if max(map(cell_len, texts.values())) <= room:
            return texts
    return {stage.number: "" for stage in STAGES}


def _how_far(known: Known, number: int) -> tuple[str, bool]:
    """How many of a chapter's exercises are done, and whether all are."""
    exercises = known.exercises.get(number, {})
    done = sum(exercises.values())
    return f"{done} of {len(exercises)}", done == len(exercises)


def _about(canvas: Canvas, y: int, known: Known, at: int, theme: Theme) -> None:
    """What the chosen stage is about, in full, and what there is to do."""
    stage = find(at)
    told = [("adds", stage.adds), ("fixes", stage.fixes), ("broken", stage.broken), ("try", GOALS[at])]
    for word, text in told if canvas.height >= 24 else told[:3]:
        canvas.put(2, y, word, theme.style(DIM))
        for line in wrapped(text, canvas.width - 12):
            canvas.put(10, y, line, theme.style())
            y += 1
    if not (exercises := known.exercises.get(at)) or y >= canvas.height - 1:
        return
    canvas.put(2, y, "kvlab", theme.style(DIM))
    x = 10
    for exercise, done in exercises.items():
        mark, colour = (theme.glyphs.ok, GOOD) if done else (theme.glyphs.starting, TEXT)
        asks = command(at, exercise).removeprefix("kvlab ")
        x = canvas.put(x, y, f"{mark} {asks}", theme.style(colour)) + 2
    if y + 1 < canvas.height - 1:
        canvas.put(10, y + 1, f"lab {at} --mine is this stage with your code in it", theme.style(DIM))


def _keys(canvas: Canvas, theme: Theme) -> None:
    y = canvas.height - 1
    canvas.fill(y, theme.style(TEXT, BAR))
    x = 1
    for key, label in (("up down", "choose"), ("1 - 9", "choose"), ("Enter", "open"), ("q", "quit")):
        x = canvas.put(x, y, key, theme.style(ACCENT, BAR, bold=True))
        x = canvas.put(x + 1, y, label, theme.style(TEXT, BAR)) + 2
    mark = f"{theme.glyphs.ok} opened, and when "
    canvas.put(canvas.width - len(mark), y, mark, theme.style(DIM, BAR))
