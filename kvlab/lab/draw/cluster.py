"""The cluster tab: the ring, or its strip, the nodes, the operation and the lines that were done.

Wide windows have the ring as a circle to the left; where its arcs would be confetti it is unrolled. A stage
without a ring shows what its nodes hold in its place.
"""

from __future__ import annotations

from kvlab.lab.draw import panels
from kvlab.lab.draw.canvas import Canvas, Size
from kvlab.lab.draw.ring import legible, ring, strip
from kvlab.lab.draw.theme import FAINT, Theme
from kvlab.lab.view import View


def draw(view: View, size: Size, theme: Theme) -> Canvas:
    """The whole tab."""
    width, height = size
    left: Size = (width - max(panels.ROW_OF_NODES + 3, width * 2 // 5), height)
    if width >= 100 and (not view.stage.ring or legible(view.ring, (left[0], height - 1))):
        return _wide(view, size, left, theme)
    return _narrow(view, size, theme)


def _wide(view: View, size: Size, left: Size, theme: Theme) -> Canvas:
    """The ring to the left; nodes, operation and log to the right."""
    width, height = size
    canvas = Canvas(size, theme.style())
    main = ring(view, left, theme) if view.stage.ring else held(view, left, theme)
    canvas.paste(0, 0, main)
    x = left[0] + 1
    for y in range(height):
        canvas.put(left[0], y, theme.glyphs.yes, theme.style(FAINT))
    right = width - x
    nodes = _nodes_rows(view, height // 2)
    lines = 5 if height >= 28 else 0
    canvas.paste(x, 0, panels.nodes(view, (right, nodes), theme))
    canvas.paste(x, nodes + 1, panels.operation(view, (right, height - nodes - 2 - lines), theme))
    if lines:
        canvas.paste(x, height - lines, panels.log(view, (right, lines), theme))
    return canvas


def _narrow(view: View, size: Size, theme: Theme) -> Canvas:
    """The ring as a strip; below it the nodes and the operation, side by side if there is room."""
    width, height = size
    canvas = Canvas(size, theme.style())
    top = 0
    if view.stage.ring:
        canvas.paste(0, 0, strip(view, (width, 3), theme))
        top = 4 if height >= 22 else 3
    rest = height - top
    if width < panels.ROW_OF_NODES + 31:
        nodes = _nodes_rows(view, max(3, rest - 4))
        canvas.paste(0, top, panels.nodes(view, (width, nodes), theme))
        canvas.paste(0, top + nodes, panels.operation(view, (width, rest - nodes), theme))
        return canvas
    nodes_width = panels.ROW_OF_NODES
    nodes = _nodes_rows(view, rest)
    canvas.paste(0, top, panels.nodes(view, (nodes_width, nodes), theme))
    below = rest - nodes - 1
    if not view.stage.ring and below >= 5:
        canvas.paste(0, top + nodes + 1, held(view, (nodes_width, below), theme))
    elif below >= 3:
        canvas.paste(0, top + nodes + 1, panels.log(view, (nodes_width, below), theme))
    canvas.paste(nodes_width, top, panels.operation(view, (width - nodes_width, rest), theme))
    return canvas


def held(view: View, size: Size, theme: Theme) -> Canvas:
    """Where there is no ring: what the node holds, or what each of the mirrors does."""
    return panels.mirrors(view, size, theme) if view.stage.mirrored else panels.store(view, size, theme)


def _nodes_rows(view: View, most: int) -> int:
    return min(most, 1 + len(view.nodes) + len(panels.network(view)))
