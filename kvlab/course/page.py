"""Page: text that is as wide as the terminal, and never wider than is read with ease."""

from __future__ import annotations

import re
import shutil
import textwrap

WIDTH_MAX = 96


def width() -> int:
    """Columns. Where the output is no terminal: as many as one reads with ease."""
    return min(WIDTH_MAX, shutil.get_terminal_size((WIDTH_MAX, 24)).columns)


def filled(text: str, first: str = "", others: str | None = None, columns: int = 0) -> str:
    """One paragraph, with `first` before its first line and `others` before the rest (as many spaces)."""
    indent = " " * len(first) if others is None else others
    return textwrap.fill(
        text,
        columns or width(),
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


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
