"""The start screen: the nine stages, one line each, which were opened before, and where to go on."""

from __future__ import annotations

from collections.abc import Mapping

from kvlab.lab.draw.canvas import Canvas, Row, Size, fit, wrapped
from kvlab.lab.draw.theme import ACCENT, BACKGROUND, BAR, DIM, GOOD, TEXT, Theme
from kvlab.stages import STAGES, Stage, find

WIDTH_MIN, HEIGHT_MIN = 60, 20
DAY = 10
"""Columns of a day, such as 2026-11-23."""


def next_stage(opened: Mapping[int, str]) -> int:
    """Where to go on: the first stage that was not opened; the last one if all were."""
    numbers = [stage.number for stage in STAGES]
    return next((number for number in numbers if number not in opened), numbers[-1])


def start_screen(opened: Mapping[int, str], at: int, size: Size, theme: Theme) -> list[Row]:
    """The finished picture; `at` is the stage that Enter opens."""
    return compose(opened, at, size, theme).rows()


def compose(opened: Mapping[int, str], at: int, size: Size, theme: Theme) -> Canvas:
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
    canvas.put(1, 2, _where(opened), theme.style(TEXT, bold=True))
    for y, stage in enumerate(STAGES, start=4):
        _stage_row(canvas, y, stage, opened, at, theme)
    _about(canvas, 4 + len(STAGES) + 1, at, theme)
    _keys(canvas, theme)
    if theme.ascii:
        canvas.to_ascii()
    return canvas


def _where(opened: Mapping[int, str]) -> str:
    """One sentence: where to begin, or to go on."""
    number = next_stage(opened)
    if not opened:
        return f"You have opened none of them yet: begin with {number}."
    if number in opened:
        return "You have opened them all. Which one again?"
    return f"You have opened {len(opened)} of {len(STAGES)}: go on with {number}, {find(number).name}."


def _stage_row(
    canvas: Canvas, y: int, stage: Stage, opened: Mapping[int, str], at: int, theme: Theme
) -> None:
    chosen = stage.number == at
    head = f"{stage.number}  {stage.name:<14}"
    ground = (BACKGROUND, ACCENT) if chosen else (TEXT, BACKGROUND)
    x = canvas.put(1, y, f" {head}", theme.style(*ground, bold=chosen))
    room = canvas.width - x - (DAY + 6 if opened else 2)
    canvas.put(x + 1, y, fit(stage.adds, room, theme.glyphs.more), theme.style(TEXT, bold=chosen))
    if day := opened.get(stage.number):
        canvas.put(canvas.width - DAY - 3, y, f"{theme.glyphs.ok} {day}", theme.style(GOOD))


def _about(canvas: Canvas, y: int, at: int, theme: Theme) -> None:
    """What the chosen stage is about, in full."""
    stage = find(at)
    for word, text in (("adds", stage.adds), ("fixes", stage.fixes), ("broken", stage.broken)):
        canvas.put(2, y, word, theme.style(DIM))
        for line in wrapped(text, canvas.width - 12):
            canvas.put(10, y, line, theme.style())
            y += 1


def _keys(canvas: Canvas, theme: Theme) -> None:
    y = canvas.height - 1
    canvas.fill(y, theme.style(TEXT, BAR))
    x = 1
    for key, label in (("up down", "choose"), ("1 - 9", "choose"), ("Enter", "open"), ("q", "quit")):
        x = canvas.put(x, y, key, theme.style(ACCENT, BAR, bold=True))
        x = canvas.put(x + 1, y, label, theme.style(TEXT, BAR)) + 2
    mark = f"{theme.glyphs.ok} opened, and when "
    canvas.put(canvas.width - len(mark), y, mark, theme.style(DIM, BAR))
