"""The data tab: the key shown at each of its replicas, with the verdict; then hints, tombstones and the last
walk down two Merkle trees, as far as the stage has them; then all keys, of which one can be chosen.

A stage whose nodes all hold everything shows below it what that is.
"""

from __future__ import annotations

from kvlab.lab.draw.canvas import Canvas, Size
from kvlab.lab.draw.cluster import held
from kvlab.lab.draw.hints import hints, tombstones
from kvlab.lab.draw.keys import keys
from kvlab.lab.draw.lines import Line, column
from kvlab.lab.draw.merkle import walk
from kvlab.lab.draw.siblings import copies
from kvlab.lab.draw.theme import FAINT, Theme
from kvlab.lab.view import View

WIDE = 140
"""From so many columns on, there are two."""


def draw(view: View, size: Size, theme: Theme) -> Canvas:
    """The whole tab."""
    if view.stage.nodes_max == 1:
        return held(view, size, theme)
    width, height = size
    if view.stage.mirrored:
        return _over_mirrors(view, size, theme)
    left = width // 2 if width >= WIDE else width
    first = copies(view, left, theme)
    others = _others(view, max(4, height - len(first) - 8), theme)
    canvas = Canvas(size, theme.style())
    if width < WIDE or not others:
        left = width
        first = [*first, *others]
    else:
        for y in range(height):
            canvas.put(left, y, theme.glyphs.yes, theme.style(FAINT))
        canvas.paste(left + 1, 0, column(others[1:], (width - left - 1, height), theme))
    canvas.paste(0, 0, column(first, (left, height), theme))
    if (rest := height - len(first) - 1) > 0:
        canvas.paste(0, len(first) + 1, keys(view, (left, rest), theme))
    return canvas


def _others(view: View, rows: int, theme: Theme) -> list[Line]:
    """Each part after a blank line."""
    lines: list[Line] = []
    for part in (hints(view, rows, theme), tombstones(view, theme), walk(view, theme)):
        if part:
            lines += [(), *part]
    return lines


def _over_mirrors(view: View, size: Size, theme: Theme) -> Canvas:
    width, height = size
    canvas = Canvas(size, theme.style())
    first = [*copies(view, width, theme), *_others(view, 0, theme)]
    canvas.paste(0, 0, column(first, (width, min(height, len(first))), theme))
    if (rest := height - len(first) - 1) >= 3:
        canvas.paste(0, len(first) + 1, held(view, (width, rest), theme))
    return canvas
