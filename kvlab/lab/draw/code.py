"""The code tab: the file that runs on every node."""

from __future__ import annotations

from kvlab.lab.draw.canvas import Canvas, Size
from kvlab.lab.draw.text import paragraphs
from kvlab.lab.draw.theme import Theme
from kvlab.lab.view import View


def draw(view: View, size: Size, theme: Theme) -> Canvas:
    """The whole tab."""
    module = view.stage.path.split(":")[0]
    stage = view.stage
    texts = [
        f"Every node runs {module.replace('.', '/')}.py, the whole of {stage.title}.",
        f"It adds: {stage.adds}.",
        f"Still broken: {stage.broken}.",
    ]
    return paragraphs("CODE", texts, size, theme)
