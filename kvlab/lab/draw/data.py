"""The data tab: what the nodes hold, as copies and not as keys on a ring."""

from __future__ import annotations

from kvlab.lab.draw.canvas import Canvas, Size, shown
from kvlab.lab.draw.cluster import held
from kvlab.lab.draw.text import paragraphs
from kvlab.lab.draw.theme import Theme
from kvlab.lab.view import View


def draw(view: View, size: Size, theme: Theme) -> Canvas:
    """The whole tab."""
    if not view.stage.ring:
        return held(view, size, theme)
    key, homes = shown(view.key, 24), view.homes
    texts = [f"{key} belongs at {' '.join(homes)}, in this order."]
    texts.append(f"What one of them holds, without asking the others:  :expect {key} at {homes[0]} = milk")
    if view.stage.contexts:
        texts.append(f"Values written unseen of each other are siblings:  :expect siblings {key} = 1")
    if view.stage.hints:
        texts.append("What stand-ins keep for those who are away:  :expect hints total = 0")
    return paragraphs("DATA", texts, size, theme)
