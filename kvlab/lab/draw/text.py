"""What a tab says where it has words and no picture: a title, and paragraphs below each other."""

from __future__ import annotations

from collections.abc import Sequence

from kvlab.lab.draw.canvas import Canvas, Size, wrapped
from kvlab.lab.draw.theme import DIM, Theme


def paragraphs(title: str, texts: Sequence[str], size: Size, theme: Theme) -> Canvas:
    """The texts under their title, a blank row between two."""
    canvas = Canvas(size, theme.style())
    canvas.put(1, 0, title, theme.style(DIM))
    y = 1
    for text in texts:
        for line in wrapped(text, size[0] - 2):
            canvas.put(1, y, line, theme.style())
            y += 1
        y += 1
    return canvas
