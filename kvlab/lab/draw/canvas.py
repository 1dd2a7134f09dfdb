"""Canvas: a grid of styled characters; what is drawn later covers what was drawn before.

Positions are (column, row) from the top left. Whatever falls outside is cut off, so that a panel need not
know how large it is. A character that is two columns wide (as in Chinese) takes two.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

Row: TypeAlias = tuple[Segment, ...]
Size: TypeAlias = tuple[int, int]
"""Columns, rows."""


class Canvas:
    def __init__(self, size: Size, ground: Style) -> None:
        self.width, self.height = max(0, size[0]), max(0, size[1])
        self.chars = [[" "] * self.width for _ in range(self.height)]
        self.styles = [[ground] * self.width for _ in range(self.height)]

    def put(self, x: int, y: int, text: str, style: Style) -> int:
        """Write text; returns the column after it."""
        if not 0 <= y < self.height:
            return x + cell_len(text)
        chars, styles = self.chars[y], self.styles[y]
        for char in text:
            cells = 1 if char.isascii() else cell_len(char)
            if cells and x >= 0 and x + cells <= self.width:
                chars[x], styles[x] = char, style
                if cells == 2:
                    chars[x + 1], styles[x + 1] = "", style
            x += cells
        return x

    def fill(self, y: int, style: Style) -> None:
        """Give a whole row this ground."""
        if 0 <= y < self.height:
            self.chars[y] = [" "] * self.width
            self.styles[y] = [style] * self.width

    def paste(self, x: int, y: int, other: Canvas) -> None:
        """Put another canvas on this one, wholly inside it."""
        for i in range(min(other.height, self.height - y)):
            width = min(other.width, self.width - x)
            self.chars[y + i][x : x + width] = other.chars[i][:width]
            self.styles[y + i][x : x + width] = other.styles[i][:width]

    def copy(self) -> Canvas:
        twin = Canvas((0, 0), Style.null())
        twin.width, twin.height = self.width, self.height
        twin.chars = [row.copy() for row in self.chars]
        twin.styles = [row.copy() for row in self.styles]
        return twin

    def to_ascii(self) -> None:
        """Replace what a terminal without Unicode cannot show: a sign of a cut by ~, anything else by ?."""
        for row in self.chars:
            for x, char in enumerate(row):
                if not char:  # the second half of a character two columns wide
                    row[x] = "?"
                elif not char.isascii():
                    row[x] = "~" if char == "…" else "?"

    def rows(self) -> list[Row]:
        """The finished picture: neighbours of one style are one segment."""
        return [_row(chars, styles) for chars, styles in zip(self.chars, self.styles, strict=True)]

    def text(self) -> list[str]:
        """The picture without its styles, as golden tests hold it."""
        return ["".join(row).rstrip() for row in self.chars]


def _row(chars: list[str], styles: list[Style]) -> Row:
    """Styles are cached objects (theme.py), so that `is` tells them apart, and quickly."""
    if not chars:
        return ()
    starts = [0, *(i for i in range(1, len(styles)) if styles[i] is not styles[i - 1]), len(styles)]
    return tuple(Segment("".join(chars[a:b]), styles[a]) for a, b in pairwise(starts))


def fit(text: str, width: int, more: str = "…") -> str:
    """The text, cut to so many columns, with a sign that it was."""
    if cell_len(text) <= width:
        return text
    room = width - len(more)
    while text and cell_len(text) > room:
        text = text[:-1]
    return (text.rstrip() + more)[: max(0, width)]


def short_ms(ms: float) -> str:
    """A time with as many digits as say something: 12 ms, 1.8 ms, 0.04 ms."""
    return f"{ms:.{0 if ms >= 10 else 1 if ms >= 0.1 else 2}f} ms"


def fine_ms(ms: float) -> str:
    """A time to a tenth of a ms, or where that is nothing, to a hundredth."""
    return f"{ms:.{1 if ms >= 0.1 else 2}f} ms"


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of so many columns, broken between words."""
    lines = [""]
    for word in text.split():
        if lines[-1] and cell_len(lines[-1]) + 1 + cell_len(word) > width:
            lines.append(word)
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return lines


def shortened(lines: list[str], rows: int, width: int, sign: str) -> list[str]:
    """As many of these wrapped lines as there are rows; the last bears the sign if something is missing."""
    if len(lines) <= rows:
        return lines
    return [*lines[: rows - 1], fit(" ".join(lines[rows - 1 :]), width, sign)] if rows > 0 else []


def shown(data: bytes | None, limit: int = 40) -> str:
    """Bytes of a key or a value as a person may see them: nothing in them can move the cursor."""
    if data is None:
        return ""
    text = data.decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: limit * 2])
    return fit(text, limit)
