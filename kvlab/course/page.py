"""Page: text that is as wide as the terminal, and never wider than is read with ease.

The one rule for all that kvlab prints: on a terminal a sentence goes on in a new line at a word; into a pipe
it is one line, for whoever reads there has a width of his own. What is to be copied is never broken: a path
is a word, a command stands in `backticks`, or on a line of its own that begins with four spaces.
"""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TextIO

WIDTH_MAX = 96
UNBROKEN = 1_000_000
"""Columns enough for any line."""

_JOIN = "\ue000"
"""Stands for a space at which no line ends; no text of ours has it."""


def width(stream: TextIO | None = None) -> int:
    """Columns of the terminal that stdout, or this stream, goes to; in a pipe, no line is too long."""
    stream = stream or sys.stdout
    return min(WIDTH_MAX, shutil.get_terminal_size().columns) if stream.isatty() else UNBROKEN


def filled(text: str, first: str = "", others: str | None = None, columns: int = 0) -> str:
    """One paragraph, with `first` before its first line and `others` before the rest (as many spaces)."""
    indent = " " * len(first) if others is None else others
    lines = textwrap.fill(
        re.sub(r"`[^`]+`", lambda code: code[0].replace(" ", _JOIN), text),
        columns or width(),
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.replace(_JOIN, " ")


def sentences(text: str, columns: int = 0) -> str:
    """Lines, each filled as far to the right as it begins; what begins with four spaces stays as it is."""
    return "\n".join(
        line if line.startswith("    ") or not line else filled(line.lstrip(), _indent(line), None, columns)
        for line in text.split("\n")
    )


def _indent(line: str) -> str:
    return " " * (len(line) - len(line.lstrip()))


def offered(before: str, command: str, columns: int = 0) -> str:
    """A command to be copied, behind what it is for; on a line of its own if that would be too long."""
    line = f"{before} {command}"
    return line if len(line) <= (columns or width()) else f"{before.rstrip()}\n    {command}"


def near(path: Path) -> Path:
    """A path as one would type it here: without the folder that one stands in."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) and path != here else path


def reflowed(text: str, columns: int = 0) -> str:
    """Paragraphs and the items of lists, each filled anew; what is indented or fenced stays as it is."""
    blocks = re.split(r"(```.*?```|\n\n+)", text, flags=re.DOTALL)
    return "".join(
        block
        if not block.strip() or block.startswith(("    ", "```"))
        else "\n".join(_item(item, columns) for item in re.split(r"\n(?=[*-] |\d+\. )", block))
        for block in blocks
    )


def _item(text: str, columns: int) -> str:
    mark = re.match(r"([*-] |\d+\. )?", text)
    assert mark is not None
    return filled(" ".join(text[mark.end() :].split()), mark[0], columns=columns)
