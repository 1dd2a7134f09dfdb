"""Plots: columns of blocks, an eighth of a row at a time, with a lower and an upper part each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from kvlab.lab.draw.canvas import Canvas
from kvlab.lab.draw.theme import BACKGROUND, Theme

EIGHTHS = " ▁▂▃▄▅▆▇█"
Column: TypeAlias = tuple[float, float]
"""How high the lower part reaches, and how high the whole."""


def scale(highest: float) -> float:
    """The top of a scale that this fits under: 1, 2 or 5 times a power of ten."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= highest * 0.999)


def columns(
    canvas: Canvas,
    place: tuple[int, int],
    rows: int,
    values: Sequence[Column],
    top: float,
    colours: tuple[str, str],
    theme: Theme,
) -> None:
    """Draw them from this place (the top left) on; something above 0 is always seen."""
    x, y = place
    for i, (lower, whole) in enumerate(values):
        low, high = _eighths(lower, top, rows), _eighths(whole, top, rows)
        for row in range(rows):
            in_low, in_high = (min(max(0, part - 8 * row), 8) for part in (low, high))
            if in_high or in_low:
                _cell(canvas, x + i, y + rows - 1 - row, in_low, in_high, colours, theme)


def _eighths(value: float, top: float, rows: int) -> int:
    return max(1, min(rows * 8, round(value / top * rows * 8))) if value > 0 else 0


def _cell(
    canvas: Canvas, x: int, y: int, low: int, high: int, colours: tuple[str, str], theme: Theme
) -> None:
    """One cell, of which so many eighths are in the lower part and so many in the whole."""
    lower, upper = colours
    if theme.ascii:
        canvas.put(x, y, "#" if low >= 4 or high <= low else ":", theme.style(lower if low >= 4 else upper))
    elif not low:
        canvas.put(x, y, EIGHTHS[high] if theme.colour else "░", theme.style(upper))
    elif theme.colour:
        canvas.put(x, y, EIGHTHS[low], theme.style(lower, upper if high >= (low + 8) / 2 else BACKGROUND))
    else:
        canvas.put(x, y, EIGHTHS[low], theme.style())


def spark(values: Sequence[float], top: float, theme: Theme) -> str:
    """The values in one row."""
    if theme.ascii:
        return "".join(".-=#"[min(3, int(4 * value / top))] if value > 0 else " " for value in values)
    return "".join(EIGHTHS[_eighths(value, top, 1)] for value in values)
