"""The ring: as a circle of half-blocks where its arcs are legible, unrolled into a strip where not.

Token 0 is at the top and tokens grow clockwise. An arc has the colour of the node whose token ends it,
for that is who owns the keys on it. Half-blocks make pixels about square: a cell is one wide, two high.
"""

from __future__ import annotations

from functools import lru_cache
from math import atan2, cos, hypot, pi, sin
from typing import TypeAlias

from rich.cells import cell_len
from rich.style import Style

from kvlab.core.hashing import RING_SIZE, token
from kvlab.lab.draw.canvas import Canvas, Size, fit, shown
from kvlab.lab.draw.hints import at_homes, marks
from kvlab.lab.draw.theme import ACCENT, BACKGROUND, BAD, DEAD, DIM, FAINT, TEXT, Theme
from kvlab.lab.view import View, ring_of
from kvlab.messages import NodeId, RingSpec

LEGEND_ROWS = 2
"""Below the circle: what it means, and who holds what."""
THICKNESS = 2.2
ARC_PIXELS_MIN = 2.0
"""Shorter arcs than this, on average, are confetti."""
LABEL_PIXELS_MIN = 3.5
MARKS_MAX = 2
"""So many of a node's marks fit below its badge."""
ZONE_CELLS = 6
"""As many columns of a zone's name are shown."""
SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉"
BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The dots of a Braille character, by row and column; U+2800 is the character with none."""
DIGITS = "0123456789ABC"
"""A node as one character, where there is room for no more: n10 is A."""


class Geometry:
    """Where things are on a canvas of this size, in pixels."""

    def __init__(self, size: Size) -> None:
        width, height = size
        self.cx, self.cy = (width - 1) / 2, (2 * height - 1) / 2
        self.radius = min(width / 2 - 4, height - 2.5)

    def at(self, turn: float, radius: float) -> tuple[float, float]:
        """The pixel at this share of a full turn, this far from the centre."""
        return self.cx + radius * sin(2 * pi * turn), self.cy - radius * cos(2 * pi * turn)

    def cell(self, turn: float, radius: float) -> tuple[int, int]:
        x, y = self.at(turn, radius)
        return round(x), int(y // 2)


def legible(spec: RingSpec, size: Size) -> bool:
    """Whether a picture of this size can show the arcs of this ring."""
    radius = Geometry((size[0], size[1] - LEGEND_ROWS)).radius
    return radius >= 9 and 2 * pi * radius / len(ring_of(spec).tokens()) >= ARC_PIXELS_MIN


def ring(view: View, size: Size, theme: Theme) -> Canvas:
    """The circle, its nodes, the key and the messages under way; the last rows explain it."""
    width, height = size
    upper = (width, height - LEGEND_ROWS)
    geometry = Geometry(upper)
    canvas = Canvas(size, theme.style())
    canvas.paste(0, 0, _circle(view.ring, _gone(view), upper, theme))
    places = {
        node.node: geometry.at(i / len(view.nodes), geometry.radius * 0.55)
        for i, node in enumerate(view.nodes)
    }
    key_turn = token(view.key) / RING_SIZE
    key_at = geometry.at(key_turn, geometry.radius - 4)
    for home in view.homes:
        if home in places:
            _dotted(canvas, key_at, places[home], theme.style(theme.node_colour(home)), theme)
    if view.moving:
        _flights(canvas, view, places, theme)
    _cut(canvas, view, geometry, theme)
    _marks(canvas, view, places, theme)
    _badges(canvas, view, places, theme)
    _key(canvas, view, key_at, theme)
    legend = f"{theme.glyphs.key} walks clockwise to the end of its arc, whose node holds it"
    if len(view.homes) > 1:
        legend = f"{theme.glyphs.key} is held by the next {len(view.homes)} nodes clockwise, in the order ₁₂₃"
    if theme.ascii:
        legend = legend.replace("₁₂₃", ":1 :2 :3")
    if view.phase:
        legend = f"the ring is changing: {view.phase}"
    canvas.put(1, height - 2, fit(legend, width - 2, theme.glyphs.more), theme.style(DIM))
    _held_at_homes(canvas, height - 1, view, theme)
    return canvas


def _held_at_homes(canvas: Canvas, y: int, view: View, theme: Theme) -> None:
    """What each home replica holds of the key, in their order."""
    held = at_homes(view)
    room = (canvas.width - 2) // max(1, len(held)) - 6
    x = 1
    for home, (what, colour) in held.items():
        x = canvas.put(
            x, y, f" {home} ", theme.style(BACKGROUND, _colour(home, _gone(view), theme), bold=True)
        )
        x = canvas.put(x + 1, y, fit(what, room, theme.glyphs.more), theme.style(colour, bold=True)) + 1


@lru_cache(maxsize=8)
def _circle(spec: RingSpec, gone: frozenset[NodeId], size: Size, theme: Theme) -> Canvas:
    """The arcs and their labels: what does not move, drawn once for many frames. Not to be written to."""
    canvas = Canvas(size, theme.style())
    geometry = Geometry(size)
    for y in range(size[1]):
        for x in range(size[0]):
            above, below = (_pixel(spec, geometry, x, 2 * y + i) for i in (0, 1))
            if above or below:
                _arc_cell(canvas, x, y, above, below, gone, theme)
    if not theme.blocks:
        return canvas  # the arcs are labels themselves
    taken: set[tuple[int, int]] = set()
    start = ring_of(spec).tokens()[-1][0] - RING_SIZE
    for end, node in ring_of(spec).tokens():
        length, middle = (end - start) / RING_SIZE, (start + end) / 2 / RING_SIZE
        start = end
        x, y = geometry.cell(middle, geometry.radius + 2.5)
        cells = {(x + i, y) for i in range(-1, len(node))}
        if length * 2 * pi * geometry.radius < LABEL_PIXELS_MIN or cells & taken:
            continue
        taken |= cells
        style = theme.style(_colour(node, gone, theme))
        canvas.put(x - (len(node) - 1) // 2, y, node[1:], style)
    return canvas


def _pixel(spec: RingSpec, geometry: Geometry, x: int, y: int) -> NodeId | None:
    """The owner of the arc at this pixel, None if it is not on the ring."""
    dx, dy = x - geometry.cx, y - geometry.cy
    if not geometry.radius - THICKNESS <= hypot(dx, dy) <= geometry.radius:
        return None
    return owner_at(spec, atan2(dx, -dy) / (2 * pi) % 1)


def owner_at(spec: RingSpec, turn: float) -> NodeId:
    """Whose arc it is, at this share of a full turn."""
    return ring_of(spec).at(int(turn * RING_SIZE))


def _arc_cell(
    canvas: Canvas,
    x: int,
    y: int,
    above: NodeId | None,
    below: NodeId | None,
    gone: frozenset[NodeId],
    theme: Theme,
) -> None:
    if not theme.blocks:
        node = above or below
        assert node is not None
        digit = DIGITS[int(node[1:])]
        canvas.put(x, y, digit, theme.style(_colour(node, gone, theme)))
        return
    top = _colour(above, gone, theme) if above else BACKGROUND
    bottom = _colour(below, gone, theme) if below else BACKGROUND
    if top == bottom:
        canvas.put(x, y, "█", theme.style(top))
    elif above:
        canvas.put(x, y, "▀", theme.style(top, bottom))
    else:
        canvas.put(x, y, "▄", theme.style(bottom))


def _colour(node: str, gone: frozenset[NodeId], theme: Theme) -> str:
    return DEAD if node in gone else theme.node_colour(node)


def _gone(view: View) -> frozenset[NodeId]:
    return frozenset(view.in_state("down"))


def _dotted(
    canvas: Canvas, start: tuple[float, float], end: tuple[float, float], style: Style, theme: Theme
) -> None:
    """A thin line, in Braille where there is any: four dots high and two wide in a cell."""
    steps = max(1, int(max(abs(end[0] - start[0]), abs(end[1] - start[1])) * 1.5))
    cells: dict[tuple[int, int], int] = {}
    for step in range(1, steps):
        x, y = (start[i] + (end[i] - start[i]) * step / steps for i in (0, 1))
        cell = (int(x), int(y // 2))
        dot = BRAILLE[int(y * 2) % 4][int(x * 2) % 2]
        cells[cell] = cells.get(cell, 0) | dot
    for i, ((x, y), dots) in enumerate(cells.items()):
        if not theme.ascii:
            canvas.put(x, y, chr(0x2800 + dots), style)
        elif i % 2:
            canvas.put(x, y, ".", style)


def _cut(canvas: Canvas, view: View, geometry: Geometry, theme: Theme) -> None:
    """Between neighbours on different sides of a cut, a line from the middle to the circle."""
    side = {node: i for i, group in enumerate(view.groups) for node in group}
    if not side:
        return
    names = [node.node for node in view.nodes]
    style = theme.style(BAD, bold=True)
    for i, (name, before) in enumerate(zip(names, [*names[-1:], *names], strict=False)):
        if side.get(name) == side.get(before):
            continue
        turn, reach = (i - 0.5) / len(names), geometry.radius - 4
        _dotted(canvas, geometry.at(turn, 0), geometry.at(turn, reach), style, theme)
        for share in (0.3, 0.6, 0.9):
            canvas.put(*geometry.cell(turn, reach * share), theme.glyphs.lost, style)


def _flights(canvas: Canvas, view: View, places: dict[NodeId, tuple[float, float]], theme: Theme) -> None:
    """Each message under way is a dot between its sender and its receiver, in the sender's colour."""
    for flight in view.flights:
        if flight.sender in places and flight.to in places:
            start, end = places[flight.sender], places[flight.to]
            x, y = (start[i] + (end[i] - start[i]) * flight.progress for i in (0, 1))
            style = theme.style(theme.node_colour(flight.sender), bold=True)
            canvas.put(round(x), int(y // 2), theme.glyphs.dot, style)


def _marks(canvas: Canvas, view: View, places: dict[NodeId, tuple[float, float]], theme: Theme) -> None:
    """Below each node, what is unusual about it."""
    for name, (x, y) in places.items():
        for line, mark in enumerate(marks(view, name)[:MARKS_MAX], start=1):
            text = f" {mark} "
            canvas.put(round(x) - len(text) // 2, int(y // 2) + line, text, theme.style(ACCENT, bold=True))


def _badges(canvas: Canvas, view: View, places: dict[NodeId, tuple[float, float]], theme: Theme) -> None:
    """The nodes: number, state if it is not up, and place among the key's replicas."""
    for node in view.nodes:
        x, y = places[node.node]
        glyph, _ = theme.state(node.state)
        mark = "" if node.state == "up" else glyph
        text = f" {mark}{_with_zone(view, node.node, theme)} "
        colour = theme.node_colour(node.node, node.state)
        left, row = round(x) - len(text) // 2, int(y // 2)
        after = canvas.put(left, row, text, theme.style(BACKGROUND, colour, bold=True))
        if node.node in view.homes:
            place = view.homes.index(node.node) + 1
            shown_place = f":{place}" if theme.ascii else SUBSCRIPTS[place]
            canvas.put(after, row, shown_place, theme.style(TEXT, bold=True))
        if view.op is not None and view.op.via == node.node:
            canvas.put(left - 1, row, theme.glyphs.begins, theme.style(ACCENT, bold=True))


def _with_zone(view: View, node: NodeId, theme: Theme) -> str:
    """n3, and where there are several zones, n3 with its own."""
    zone = view.zone(node)
    return f"{node}{theme.glyphs.between}{fit(zone, ZONE_CELLS, theme.glyphs.more)}" if zone else node


def _key(canvas: Canvas, view: View, at: tuple[float, float], theme: Theme) -> None:
    """The key, at its place just inside the circle, its name towards the middle."""
    x, y = round(at[0]), int(at[1] // 2)
    name = shown(view.key, 14)
    style = theme.style(BACKGROUND, TEXT, bold=True)
    if x < canvas.width / 2:
        canvas.put(x, y, f"{theme.glyphs.key} {name}", style)
    else:
        canvas.put(x - len(name) - 1, y, f"{name} {theme.glyphs.key}", style)


def strip(view: View, size: Size, theme: Theme) -> Canvas:
    """The ring cut open at token 0 and unrolled: three rows."""
    width, _ = size
    canvas = Canvas((width, 3), theme.style())
    x = canvas.put(1, 0, "THE RING, UNROLLED  ", theme.style(DIM))
    canvas.put(x, 0, "0 ", theme.style(DIM))
    canvas.put(x + 2, 0, theme.glyphs.line * max(0, width - x - 8), theme.style(FAINT))
    canvas.put(width - 5, 0, "2^64", theme.style(DIM))
    gone, span = _gone(view), width - 2
    before = None
    for i in range(span):
        owner = owner_at(view.ring, (i + 0.5) / span)
        digit = DIGITS[int(owner[1:])] if owner != before or not theme.blocks else " "
        before = owner
        canvas.put(1 + i, 1, digit, theme.style(BACKGROUND, _colour(owner, gone, theme), bold=True))
    at = 1 + int(token(view.key) / RING_SIZE * span)
    canvas.put(at, 2, theme.glyphs.pointer, theme.style(ACCENT, bold=True))
    text = f" {shown(view.key, 14)} {theme.glyphs.sends} "
    columns, homes = _homes(view, text, at, width, theme)
    canvas.put(columns[0], 2, text, theme.style(TEXT, bold=True))
    for x, (home, label, what, colour) in zip(columns[1:], homes, strict=True):
        x = canvas.put(x, 2, label, theme.style(BACKGROUND, _colour(home, gone, theme), bold=True))
        canvas.put(x, 2, what, theme.style(colour, bold=True))
    return canvas


Label: TypeAlias = tuple[NodeId, str, str, str]
"""A home replica, its name, what it holds, and that in which colour."""


def _homes(view: View, text: str, at: int, width: int, theme: Theme) -> tuple[list[int], list[Label]]:
    """The home replicas, with as much about them as there is room for; the columns of `text` and of each."""
    held = at_homes(view)
    values_at = {one.node: one.values for one in view.holdings if one.place}
    for zones, cells in ((True, 24), (True, 14), (True, 8), (False, 14), (False, 8), (True, 0), (False, 0)):
        homes: list[Label] = []
        for home in view.homes:
            what, colour = held.get(home, ("", TEXT))
            if len(values := values_at.get(home, ())) > 1 and cell_len(what) > cells:
                what = f"{len(values)} values"
            what = f" {fit(what, cells, theme.glyphs.more)} " if what and cells else ""
            homes.append((home, f" {_with_zone(view, home, theme) if zones else home} ", what, colour))
        lengths = [len(text), *(cell_len(label) + cell_len(what) for _, label, what, _ in homes)]
        if columns := lined_up(lengths, at, width):
            return columns, homes
    return [at + 1 + sum(lengths[:i]) for i in range(len(lengths))], homes  # cut off at the edge


def lined_up(lengths: list[int], at: int, width: int) -> list[int]:
    """Columns for pieces of these lengths, one after the other, none of them over `at`: to its right or to
    its left if they fit there, else on both sides; [] if they do not."""
    for start in (at + 1, at - sum(lengths), 1):
        x, columns = start, []
        for length in lengths:
            if x <= at < x + length:
                x = at + 1
            columns.append(x)
            x += length
        if start > 0 and x <= width:
            return columns
    return []
