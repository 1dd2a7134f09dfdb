"""The operation tab: one operation, one row an event, in causal order."""

from __future__ import annotations

from kvlab.lab.draw import panels
from kvlab.lab.draw.canvas import Canvas, Size
from kvlab.lab.draw.theme import Theme
from kvlab.lab.view import View


def draw(view: View, size: Size, theme: Theme) -> Canvas:
    """The whole tab."""
    return panels.operation(view, size, theme)
