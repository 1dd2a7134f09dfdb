"""The cluster tab: what this stage is about; the ring, or its strip; the nodes, and what they believe of each
other; how long operations take; the operation; the lines that were done.

Wide windows have the ring as a circle to the left; where its arcs would be confetti it is unrolled. A stage
without a ring shows what its nodes hold in its place, and one without beliefs has no matrix.
"""

from __future__ import annotations

from kvlab.lab.draw import panels
from kvlab.lab.draw.adds import adds
from kvlab.lab.draw.canvas import Canvas, Size, fit
from kvlab.lab.draw.latency import latency
from kvlab.lab.draw.lines import cut, put
from kvlab.lab.draw.matrix import matrix
from kvlab.lab.draw.matrix import rows as matrix_rows
from kvlab.lab.draw.ring import legible, ring, strip
from kvlab.lab.draw.theme import ACCENT, DIM, FAINT, TEXT, Theme
from kvlab.lab.goals import GOALS
from kvlab.lab.view import View

OPERATION_ROWS = 8
"""As many rows as one operation should have at least, before anything is drawn that is less to the point."""
BESIDE = 31
"""Columns that the operation needs beside the nodes."""
LEFT_MIN = 38
"""Columns that the latency and the log below the nodes need."""
LOG_ROWS = 5
LATENCY_ROWS = 3


def draw(view: View, size: Size, theme: Theme) -> Canvas:
    """The whole tab. In a demo the goal, the latency and the log make room for what is said."""
    width, height = size
    canvas = Canvas(size, theme.style())
    top = 0 if view.narration is not None else 1
    if top:
        _goal(canvas, view, theme)
    if view.stage.nodes_max > 1:
        put(canvas, 1, top, cut(adds(view, width, theme), width, theme), theme)
        top += 1
    below: Size = (width, height - top)
    left: Size = (width - max(panels.row_of_nodes(view) + 3, width * 2 // 5), height - top)
    if width >= 100 and (not view.stage.ring or legible(view.ring, left)):
        canvas.paste(0, top, _wide(view, below, left, theme))
    else:
        canvas.paste(0, top, _narrow(view, below, theme))
    return canvas


def _goal(canvas: Canvas, view: View, theme: Theme) -> None:
    x = canvas.put(1, 0, "GOAL ", theme.style(ACCENT, bold=True))
    goal = GOALS[view.stage.number]
    canvas.put(x, 0, fit(goal, canvas.width - x, theme.glyphs.more), theme.style(TEXT))


def _wide(view: View, size: Size, left: Size, theme: Theme) -> Canvas:
    """The ring to the left; nodes, beliefs, latency, operation and log to the right."""
    width, height = size
    canvas = Canvas(size, theme.style())
    main = ring(view, left, theme) if view.stage.ring else held(view, left, theme)
    canvas.paste(0, 0, main)
    x = left[0] + 1
    for y in range(height):
        canvas.put(left[0], y, theme.glyphs.yes, theme.style(FAINT))
    right = width - x
    nodes = _nodes_rows(view, height // 2)
    canvas.paste(x, 0, panels.nodes(view, (right, nodes), theme))
    y = nodes + 1
    if (beliefs := matrix_rows(view)) and y + beliefs <= height:
        canvas.paste(x, y, matrix(view, (right, beliefs), theme))
        y += beliefs + 1
    if view.narration is None and height - y >= LATENCY_ROWS + 1 + OPERATION_ROWS:
        canvas.paste(x, y, latency(view, (right, LATENCY_ROWS), theme))
        y += LATENCY_ROWS + 1
    lines = LOG_ROWS if view.narration is None and height - y >= OPERATION_ROWS + LOG_ROWS else 0
    canvas.paste(x, y, panels.operation(view, (right, height - y - lines), theme))
    if lines:
        canvas.paste(x, height - lines, panels.log(view, (right, lines), theme))
    return canvas


def _narrow(view: View, size: Size, theme: Theme) -> Canvas:
    """The ring as a strip; below it the nodes, and beside them what they believe, and the operation."""
    width, height = size
    canvas = Canvas(size, theme.style())
    top = 0
    if view.stage.ring:
        canvas.paste(0, 0, strip(view, (width, 3), theme))
        top = 4 if height >= 22 else 3
    rest = height - top
    nodes_width = panels.row_of_nodes(view)
    if one_column := width < nodes_width + BESIDE:
        nodes_width = panels.row_without_ports(view) if matrix_rows(view) else width
    else:
        nodes_width = max(nodes_width, min(LEFT_MIN, width - BESIDE))
    beside: Size = (width - nodes_width, min(matrix_rows(view), rest))
    most = max(3, rest - 4, beside[1]) if one_column else rest
    nodes = _nodes_rows(view, most)
    canvas.paste(0, top, panels.nodes(view, (nodes_width, nodes), theme))
    if beside[1]:
        canvas.paste(nodes_width, top, matrix(view, beside, theme))
    if one_column:
        y = top + max(nodes, beside[1])
        canvas.paste(0, y, panels.operation(view, (width, height - y), theme))
        return canvas
    canvas.paste(nodes_width, top + beside[1], _operation(view, (beside[0], rest - beside[1]), theme))
    below = rest - nodes - 1
    y = top + nodes
    if below >= 4:
        canvas.paste(0, y, latency(view, (nodes_width, 1), theme))
        y, below = y + 1, below - 1
    if not view.stage.ring and below >= 4:
        canvas.paste(0, y + 1, held(view, (nodes_width, below), theme))
    elif below >= 2 and view.narration is None:
        canvas.paste(0, y + 1, panels.log(view, (nodes_width, below), theme))
    return canvas


def _operation(view: View, size: Size, theme: Theme) -> Canvas:
    """The operation; where there is no room for its events, how to see them."""
    if size[1] >= 3:
        return panels.operation(view, size, theme)
    canvas = Canvas(size, theme.style())
    canvas.put(1, size[1] - 1, fit("2 shows the operation", size[0] - 1), theme.style(DIM))
    return canvas


def held(view: View, size: Size, theme: Theme) -> Canvas:
    """Where there is no ring: what the node holds, or what each of the mirrors does."""
    return panels.mirrors(view, size, theme) if view.stage.mirrored else panels.store(view, size, theme)


def _nodes_rows(view: View, most: int) -> int:
    return min(most, 1 + len(view.nodes) + len(panels.network(view)))
