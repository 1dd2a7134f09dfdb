"""The messages tab: what is under way between the nodes."""

from __future__ import annotations

from kvlab.lab.draw.canvas import Canvas, Size
from kvlab.lab.draw.text import paragraphs
from kvlab.lab.draw.theme import Theme
from kvlab.lab.view import View


def draw(view: View, size: Size, theme: Theme) -> Canvas:
    """The whole tab."""
    under_way = [
        f"{flight.sender} {theme.glyphs.sends} {flight.to}  {flight.kind}" for flight in view.flights
    ]
    still = "Nothing that belongs to the operation shown, or travels on a slow link, is under way."
    return paragraphs("MESSAGES under way", under_way or [still], size, theme)
