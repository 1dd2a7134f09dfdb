"""Who believes whom: one row an observer, one column an observed: from stage 7 on.

Behind each row stands what its node makes of the one that fell silent last, and how long that took it.
"""

from __future__ import annotations

from kvlab.lab.draw.canvas import Canvas, Size, fit
from kvlab.lab.draw.theme import ACCENT, BACKGROUND, BAD, DEAD, DIM, GOOD, Theme
from kvlab.lab.view import View
from kvlab.messages import NodeId
from kvlab.trace.model import Node

COLOURS = {"alive": GOOD, "suspect": ACCENT, "failed": BAD, "left": DEAD}
LEFT = 5
"""Columns of the observers' badges."""


def rows(view: View) -> int:
    """How many rows it takes; 0 where nodes have no beliefs."""
    return 2 + len(view.nodes) if view.stage.gossip else 0


def matrix(view: View, size: Size, theme: Theme) -> Canvas:
    """Glyph, colour, and a letter for whatever is not as it should be."""
    width, height = size
    canvas = Canvas(size, theme.style())
    names = [node.node for node in view.nodes]
    gone = last_gone(view)
    behind = 15 if gone is not None else 0
    step = next((step for step in (4, 3) if LEFT + step * len(names) + behind < width), 2)
    right = LEFT + step * len(names) + 1
    told = gone is not None and width - right >= 12
    title = "WHO BELIEVES WHOM" if len("WHO BELIEVES WHOM") < (right if told else width) - 1 else "BELIEFS"
    canvas.put(1, 0, title, theme.style(ACCENT, bold=True))
    if told and gone is not None:
        canvas.put(right, 0, f"of {gone.node}, after", theme.style(DIM))
    for i, name in enumerate(names):
        found = view.nodes[i]
        style = theme.style(theme.node_colour(name, found.state), bold=True)
        canvas.put(LEFT + 1 + step * i, 1, name[1:] if step < 4 else name, style)
    for y, observer in enumerate(view.nodes[: height - 2], start=2):
        colour = theme.node_colour(observer.node, observer.state)
        canvas.put(1, y, f"{observer.node:>3} ", theme.style(BACKGROUND, colour, bold=True))
        if observer.state not in ("up", "paused"):
            is_not = "is starting" if observer.state == "starting" else "is not there to say"
            canvas.put(LEFT + 1, y, is_not, theme.style(DIM))
            continue
        for i, name in enumerate(names):
            _cell(canvas, (LEFT + 1 + step * i, y), observer, name, step, theme)
        if told and gone is not None and gone.node != observer.node:
            text, colour = found_out(view, observer, gone)
            canvas.put(right, y, fit(text, width - right, theme.glyphs.more), theme.style(colour))
    return canvas


def _cell(canvas: Canvas, at: tuple[int, int], observer: Node, name: NodeId, step: int, theme: Theme) -> None:
    x, y = at
    if name == observer.node:
        canvas.put(x, y, theme.glyphs.between, theme.style(DIM))
        return
    belief = observer.beliefs.get(name, "alive")
    glyphs = theme.glyphs
    glyph = {"alive": glyphs.ok, "suspect": "?", "failed": glyphs.bad, "left": "-"}[belief]
    letter = "" if belief == "alive" or step < 3 else belief[0]
    colour = COLOURS[belief] if observer.state == "up" else DIM
    canvas.put(x, y, glyph + letter, theme.style(colour, bold=belief != "alive"))


def last_gone(view: View) -> Node | None:
    """The node that fell silent last."""
    gone = [node for node in view.nodes if node.state in ("down", "paused") and node.gone_ms is not None]
    return max(gone, key=lambda node: node.gone_ms or 0.0, default=None)


def found_out(view: View, observer: Node, gone: Node) -> tuple[str, str]:
    """What the observer makes of the silent one, how long after, and in which colour to say so."""
    assert gone.gone_ms is not None
    belief = observer.beliefs.get(gone.node, "alive")
    if belief == "alive":
        return f"not yet, {max(0.0, view.now_ms - gone.gone_ms) / 1000:.1f} s", DIM
    after_ms = observer.believed_ms.get(gone.node, 0.0) - gone.gone_ms
    return f"{belief} {after_ms / 1000:.1f} s" if after_ms >= 0 else f"{belief} before", COLOURS[belief]
