"""The load tab: many operations a second, how the cluster bears them, and what that costs its processes.

The plots show the seconds before now, a quarter of a second a column, also of operations that no load has
done. Where an operation failed, or nobody knows whether it did, the column has a mark on top: colour alone
tells nothing.
"""

from __future__ import annotations

import math

from kvlab.lab.draw.canvas import Canvas, Size, fit, short_ms
from kvlab.lab.draw.panels import size_of
from kvlab.lab.draw.plot import Column, columns, scale, spark
from kvlab.lab.draw.theme import ACCENT, BACKGROUND, BAD, DIM, FAINT, GOOD, TEXT, Theme
from kvlab.lab.view import View
from kvlab.trace.model import Node
from kvlab.trace.series import QUARTER_MS, Quarter

WIDE = 100
PROCESSES = 40
"""Columns that the processes need beside the plots."""
AXIS = 8
"""Columns for the numbers at the left of a plot."""
LEAST_MS = 0.1
"""Where the scale of the latencies begins: it is by powers of ten, or one slow operation would flatten it."""
A_SECOND = 1000 // QUARTER_MS


def draw(view: View, size: Size, theme: Theme) -> Canvas:
    """The whole tab."""
    width, height = size
    canvas = Canvas(size, theme.style())
    _load(canvas, view, theme)
    if width >= WIDE:
        _plots(canvas, (width - PROCESSES - 2, height), view, theme)
        canvas.paste(width - PROCESSES, 2, _processes(view, (PROCESSES, height - 2), theme))
        return canvas
    rows = min(1 + len(view.nodes), height - 8) if not view.simulated else 1
    _plots(canvas, (width, height - rows), view, theme)
    canvas.paste(0, height - rows, _processes(view, (width, rows), theme))
    return canvas


def _load(canvas: Canvas, view: View, theme: Theme) -> None:
    """What load is under way, and what became of the last second."""
    x = canvas.put(1, 0, "LOAD  ", theme.style(TEXT, bold=True))
    if view.loading:
        x = canvas.put(x, 0, view.loading, theme.style(ACCENT, bold=True))
        left = f"   {max(0.0, view.load_left_ms / 1000):.0f} s left; l ends it, up and down change its rate"
        canvas.put(x, 0, fit(left, canvas.width - x - 1, theme.glyphs.more), theme.style(DIM))
    else:
        begin = f"none: l begins {view.load_rate} operations a second; up and down change the rate"
        canvas.put(x, 0, fit(begin, canvas.width - x - 1, theme.glyphs.more), theme.style())
    last = seconds(view, A_SECOND)
    x = canvas.put(1, 1, "last second: ", theme.style(DIM))
    for name, colour in (("ok", GOOD), ("failed", BAD), ("unknown", BAD)):
        count = sum(getattr(quarter, name) for quarter in last)
        x = canvas.put(x, 1, f"{count} {name}  ", theme.style(colour if count else DIM, bold=count > 0))
    if view.loading and not view.in_state("up"):
        canvas.put(x, 1, "no node is up: clients find nobody to ask", theme.style(BAD, bold=True))
        return
    worst = max((quarter.p99_ms for quarter in last), default=0.0)
    if worst:
        middle = sorted(quarter.p50_ms for quarter in last if quarter.ended)
        text = f"half in {short_ms(middle[len(middle) // 2])}, 99 % in {short_ms(worst)}"
        canvas.put(x, 1, fit(text, canvas.width - x - 1, theme.glyphs.more), theme.style())


def seconds(view: View, count: int) -> list[Quarter]:
    """So many quarters of a second up to the last that is over, the oldest first; empty ones too."""
    end = int(view.now_ms // QUARTER_MS)
    known = {quarter.number: quarter for quarter in view.quarters}
    return [known.get(number, Quarter(number)) for number in range(end - count, end)]


def _plots(canvas: Canvas, size: Size, view: View, theme: Theme) -> None:
    """Throughput above, latency below it."""
    width, height = size
    rows = max(1, (height - 2 - 3) // 2)
    shown = seconds(view, width - AXIS - 1)
    ended: list[Column] = [(quarter.ok * A_SECOND, quarter.ended * A_SECOND) for quarter in shown]
    top = scale(max(whole for _, whole in ended))
    canvas.put(AXIS, 2, "operations a second", theme.style(DIM))
    _plot(canvas, 3, rows, ended, (0, top), (GOOD, BAD), theme)
    for i, quarter in enumerate(shown):
        if quarter.failed or quarter.unknown:
            reached = round(quarter.ended * A_SECOND / top * rows)
            y = 2 + rows - min(rows - 1, reached)
            canvas.put(AXIS + i, y, theme.glyphs.bad, theme.style(BAD, bold=True))
    took: list[Column] = [(_decades(quarter.p50_ms), _decades(quarter.p99_ms)) for quarter in shown]
    most = max(1, math.ceil(max(whole for _, whole in took)))
    title = f"how long they took, in ms: half {_key(theme, 0)}, 99 % {_key(theme, 1)}; each step is ten times"
    canvas.put(AXIS, 3 + rows, fit(title, width - AXIS - 1, theme.glyphs.more), theme.style(DIM))
    labels = (LEAST_MS, LEAST_MS * 10**most)
    _plot(canvas, 4 + rows, rows, took, labels, (ACCENT, FAINT), theme, most)
    y = 4 + 2 * rows
    canvas.put(AXIS, y, f"{len(shown) / A_SECOND:.0f} s ago", theme.style(DIM))
    canvas.put(width - 4, y, "now", theme.style(DIM))


def _decades(ms: float) -> float:
    """How many powers of ten above the least that is shown; a little above 0 for what is not above it."""
    return max(0.01, math.log10(ms / LEAST_MS)) if ms > 0 else 0.0


def _key(theme: Theme, part: int) -> str:
    """A sample of the lower (0) or the upper part (1) of a column."""
    if theme.ascii:
        return "#:"[part]
    return "█" if part == 0 else "░"


def _plot(
    canvas: Canvas,
    y: int,
    rows: int,
    values: list[Column],
    labels: tuple[float, float],
    colours: tuple[str, str],
    theme: Theme,
    top: float = 0.0,
) -> None:
    """One plot with the numbers of its axis, the least and the most; the latter is its top, if not said."""
    least, most = labels
    canvas.put(0, y, f"{most:>{AXIS - 2}g}", theme.style(DIM))
    if rows > 1:
        canvas.put(0, y + rows - 1, f"{least:>{AXIS - 2}g}", theme.style(DIM))
    for row in range(rows):
        canvas.put(AXIS - 1, y + row, theme.glyphs.yes, theme.style(FAINT))
    columns(canvas, (AXIS, y), rows, values, top or most, colours, theme)


# -- what it costs -------------------------------------------------------------------------------


def _processes(view: View, size: Size, theme: Theme) -> Canvas:
    """One row a process: what it takes of a core, and of the memory."""
    canvas = Canvas(size, theme.style())
    if view.simulated:
        text = "CPU and memory: simulated nodes share one process" if size[0] > PROCESSES else "CPU, MEMORY"
        canvas.put(1, 0, fit(text, size[0] - 2, theme.glyphs.more), theme.style(DIM))
        if size[1] > 3:
            canvas.put(1, 1, "simulated nodes share one process:", theme.style(DIM))
            canvas.put(1, 2, "what each takes is not to be had", theme.style(DIM))
        return canvas
    canvas.put(1, 0, "NODE   CPU MEMORY  CPU OF A MINUTE", theme.style(DIM))
    for y, node in enumerate(view.nodes[: size[1] - 1], start=1):
        _process(canvas, y, node, view, theme)
    return canvas


def _process(canvas: Canvas, y: int, node: Node, view: View, theme: Theme) -> None:
    colour = theme.node_colour(node.node, node.state)
    canvas.put(1, y, f"{node.node:>3} ", theme.style(BACKGROUND, colour, bold=True))
    used = view.used.get(node.node, ())
    if not used:
        text = node.state if node.state != "up" else "measured in a second"
        canvas.put(6, y, text, theme.style(DIM))
        return
    last = used[-1]
    canvas.put(6, y, f"{last.cpu:>3.0f} % {size_of(last.rss):>6}", theme.style())
    room = min(canvas.width - 21, 60)
    line = spark([each.cpu for each in used][-room:], scale(max(100.0, *(each.cpu for each in used))), theme)
    canvas.put(20, y, line, theme.style(colour))
