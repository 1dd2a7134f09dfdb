"""Lines of coloured pieces: what a panel says that is a list and not a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import msgspec

from kvlab.lab.draw.canvas import Canvas, Size, fit, wrapped
from kvlab.lab.draw.theme import ACCENT, BACKGROUND, DIM, TEXT, Theme
from kvlab.lab.view import View
from kvlab.messages import NodeId


class Bit(msgspec.Struct, frozen=True):
    """A piece of a line."""

    text: str
    fg: str = TEXT
    bg: str = BACKGROUND
    bold: bool = False


Line: TypeAlias = tuple[Bit, ...]

INDENT = "     "
"""As wide as a badge and the space behind it."""


def badge(node: NodeId, view: View, theme: Theme) -> Bit:
    """A node's name on its own ground, as everywhere."""
    found = view.node(node)
    colour = theme.node_colour(node, found.state if found is not None else "left")
    return Bit(f"{node:>3} ", BACKGROUND, colour, bold=True)


def heading(title: str, about: str = "") -> Line:
    return (Bit(title, ACCENT, bold=True), Bit(f"  {about}" if about else "", DIM))


def said(text: str, width: int, colour: str = TEXT) -> list[Line]:
    """A sentence, in as many lines as it needs."""
    return [(Bit(line, colour),) for line in wrapped(text, width)]


def column(lines: Sequence[Line], size: Size, theme: Theme) -> Canvas:
    """The lines below each other. Where there is no room for all, blank ones go first, then the last."""
    height = size[1]
    canvas = Canvas(size, theme.style())
    if len(lines) > height:
        lines = [line for line in lines if line]
    if (left_out := len(lines) - height) > 0:
        more = f"{theme.glyphs.more} {left_out + 1} more rows: make the window taller"
        lines = [*lines[: height - 1], (Bit(more, DIM),)]
    for y, line in enumerate(lines[:height]):
        put(canvas, 1, y, line, theme)
    return canvas


def cut(line: Line, width: int, theme: Theme) -> Line:
    """The line, no longer than this."""
    bits, left = [], width - 1
    for bit in line:
        text = fit(bit.text, left, theme.glyphs.more)
        bits.append(Bit(text, bit.fg, bit.bg, bit.bold))
        left -= len(text)
    return tuple(bits)


def put(canvas: Canvas, x: int, y: int, line: Iterable[Bit], theme: Theme) -> int:
    """Write a line; returns the column after it."""
    for bit in line:
        x = canvas.put(x, y, bit.text, theme.style(bit.fg, bit.bg, bold=bit.bold))
    return x
