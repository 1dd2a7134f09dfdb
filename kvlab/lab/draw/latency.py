"""How long the last operations took: one bar each, the newest to the right, on a logarithmic scale.

A scale that is not logarithmic would show one time-out and, beside it, nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from kvlab.lab.draw.canvas import Canvas, Size, fit, short_ms
from kvlab.lab.draw.theme import ACCENT, BAD, DIM, GOOD, Theme
from kvlab.lab.view import Took, View

EIGHTHS = " ▁▂▃▄▅▆▇█"
ASCII_EIGHTHS = " ..::||##"
SPAN_MIN = 10.0
"""Times that differ by less than this factor are drawn about equal."""


def latency(view: View, size: Size, theme: Theme) -> Canvas:
    """A title with the percentiles, and bars in the other rows; in one row, the bars behind the title."""
    width, height = size
    canvas = Canvas(size, theme.style())
    x = canvas.put(1, 0, "LATENCY ", theme.style(ACCENT, bold=True))
    if not view.ended:
        canvas.put(x, 0, "of operations: none has ended yet", theme.style(DIM))
        return canvas
    times = [took.ms for took in view.ended]
    summary = f"p50 {short_ms(percentile(times, 50))}  p99 {short_ms(percentile(times, 99))}"
    if height > 1:
        many = len(times) > 1
        summary = (
            f"{summary}  of the last {len(times)}" if many else f"{short_ms(times[0])}, of one operation"
        )
    x = canvas.put(x, 0, fit(summary, width - x, theme.glyphs.more), theme.style(DIM)) + 1
    if height == 1:
        _bars(canvas, (x, 0), (width - x - 1, 1), view.ended, theme)
    else:
        _bars(canvas, (1, 1), (width - 2, height - 1), view.ended, theme)
    return canvas


def percentile(times: Sequence[float], percent: float) -> float:
    """The time that so many percent did not exceed (nearest rank)."""
    ranked = sorted(times)
    return ranked[max(0, -int(-len(ranked) * percent // 100) - 1)]


def _bars(canvas: Canvas, at: tuple[int, int], size: Size, ended: Sequence[Took], theme: Theme) -> None:
    (left, top), (width, height) = at, size
    shown = ended[-width:] if width > 0 else ()
    low = max(0.01, min((took.ms for took in shown), default=0.01))
    span = max(SPAN_MIN, max((took.ms for took in shown), default=low) / low)
    steps = ASCII_EIGHTHS if theme.ascii else EIGHTHS
    for x, took in enumerate(shown, start=left):
        share = log(max(took.ms, low) / low) / log(span)
        full = 1 + round(share * (8 * height - 1))
        style = theme.style(GOOD if took.outcome == "ok" else BAD)
        for row in range(height):
            eighths = min(8, max(0, full - 8 * row))
            canvas.put(x, top + height - 1 - row, steps[eighths], style)
        if took.outcome != "ok":  # not by colour alone
            canvas.put(x, top + height - 1, theme.glyphs.bad, style)
