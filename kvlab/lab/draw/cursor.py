"""The cursor in the log: from when to when one can look, and how far along that one is."""

from __future__ import annotations

from kvlab.lab.draw.canvas import Canvas
from kvlab.lab.draw.theme import ACCENT, DIM, FAINT, Theme
from kvlab.lab.view import Moment, clock


def cursor(canvas: Canvas, x: int, y: int, at: Moment, width: int, theme: Theme) -> int:
    """Draw it in so many columns, by time; returns the column after it."""
    first, end = clock(at.first_ms), clock(at.end_ms)
    length = max(3, width - len(first) - len(end) - 2)
    span_ms = max(1.0, at.end_ms - at.first_ms)
    share = min(max(0.0, (at.at_ms - at.first_ms) / span_ms), 1.0)
    place = round(share * (length - 1))
    x = canvas.put(x, y, first, theme.style(DIM)) + 1
    canvas.put(x, y, theme.glyphs.line * length, theme.style(FAINT))
    canvas.put(x, y, theme.glyphs.line * place, theme.style(ACCENT))
    canvas.put(x + place, y, theme.glyphs.dot, theme.style(ACCENT, bold=True))
    return canvas.put(x + length + 1, y, end, theme.style(DIM))
