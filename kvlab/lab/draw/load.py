"""The load tab: many operations a second, and how the cluster bears them."""

from __future__ import annotations

from kvlab.lab.draw.canvas import Canvas, Size
from kvlab.lab.draw.text import paragraphs
from kvlab.lab.draw.theme import Theme
from kvlab.lab.view import View


def draw(view: View, size: Size, theme: Theme) -> Canvas:
    """The whole tab."""
    texts = ["Type a load, and the cluster gets it:  :load 200/s for 10s reads=50% keys=100"]
    return paragraphs("LOAD", texts, size, theme)
