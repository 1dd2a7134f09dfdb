"""Theme: colours and glyphs, and how to do without either.

Nothing is told by colour alone: a node has its number, a state its glyph and its word. So NO_COLOR loses
nothing, and neither does a terminal that knows only ASCII; there the ring's arcs are the numbers themselves.

The palette is legible on dark and under simulated colour-blindness: contrast at least 4.5, CIELAB
distance at least 25 between any two. Twelve nodes share eight colours; the numbers tell them apart.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from rich.style import Style

from kvlab.trace.model import State

BACKGROUND = "#101216"
BAR = "#1d232b"
MARK = "#3d3521"
"""The ground of the row that is chosen."""
TEXT = "#d8dbe0"
DIM = "#8b929c"
FAINT = "#4c535d"
ACCENT = "#ffb454"
GOOD = "#7fd88f"
BAD = "#ff7b72"
DEAD = "#848a93"

PALETTE = ("#97AEE3", "#FA0500", "#05FEAE", "#C439FC", "#FAF448", "#EF1E84", "#E58761", "#BAF9FD")


class Glyphs(msgspec.Struct, frozen=True):
    """The characters that stand for something, in one place."""

    up: str
    starting: str
    paused: str
    down: str
    sends: str
    receives: str
    holds: str
    equal: str
    lost: str
    begins: str
    ok: str
    bad: str
    key: str
    dot: str
    line: str
    pointer: str
    prompt: str
    between: str
    more: str
    cut: str
    """The end of a text that the key v shows in full."""
    yes: str
    bar: str
    """While something is in the hands of a node."""
    silence: str
    """While nothing comes."""
    lane: str
    back: str
    """The head of an arrow to the left; `begins` is that of one to the right."""


UNICODE = Glyphs(
    up="●", starting="○", paused="‖", down="✗", sends="→", receives="←", holds="■", lost="✗", begins="▶",
    ok="✓", bad="✗", key="◉", dot="●", line="─", pointer="▲", prompt=">", between="·", more="…",
    cut="… (v: all)", equal="□", yes="│", bar="█", silence="┈", lane="╎", back="◀",
)  # fmt: skip
ASCII = Glyphs(
    up="*", starting="o", paused="=", down="x", sends=">", receives="<", holds="#", lost="X", begins=">",
    ok="+", bad="X", key="@", dot="o", line="-", pointer="^", prompt=">", between="-", more="...",
    cut="... (v: all)", equal=".", yes="|", bar="#", silence=".", lane=":", back="<",
)  # fmt: skip


ASCII_KEYS = {"→": "right", "←": "left"}


@lru_cache(maxsize=512)
def _style(fg: str, bg: str, bold: bool) -> Style:
    return Style(color=fg or None, bgcolor=bg or None, bold=bold or None)


@lru_cache(maxsize=64)
def _plain(faint: bool, reverse: bool, bold: bool) -> Style:
    return Style(dim=faint or None, reverse=reverse or None, bold=bold or None)


class Theme(msgspec.Struct, frozen=True):
    """`colour` off is NO_COLOR; `ascii` is for terminals without Unicode."""

    colour: bool = True
    ascii: bool = False

    @property
    def glyphs(self) -> Glyphs:
        return ASCII if self.ascii else UNICODE

    @property
    def blocks(self) -> bool:
        """Whether arcs can be told apart as coloured half-blocks; otherwise they are drawn as numbers."""
        return self.colour and not self.ascii

    def style(self, fg: str = TEXT, bg: str = BACKGROUND, *, bold: bool = False) -> Style:
        """A style of this theme. Without colour: faint for what is grey, reversed for what has a ground."""
        if self.colour:
            return _style(fg, bg, bold)
        return _plain(fg in (DIM, FAINT, DEAD), bg not in (BACKGROUND, BAR), bold)

    @staticmethod
    def node_colour(node: str, state: State = "up") -> str:
        """n1 has the first colour, whatever else is in the cluster; who is down has none."""
        if state in ("down", "left"):
            return DEAD
        return PALETTE[(int(node[1:]) - 1) % len(PALETTE)]

    def key(self, shown: str) -> str:
        """A key as it is named in this theme."""
        return ASCII_KEYS.get(shown, shown) if self.ascii else shown

    def state(self, state: State) -> tuple[str, str]:
        """The glyph and the colour of a state."""
        glyphs = self.glyphs
        return {
            "starting": (glyphs.starting, DIM),
            "up": (glyphs.up, GOOD),
            "paused": (glyphs.paused, ACCENT),
            "down": (glyphs.down, BAD),
            "left": (glyphs.down, DEAD),
        }[state]
