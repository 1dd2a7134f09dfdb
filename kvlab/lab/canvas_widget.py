"""The widget that shows a picture: rows of styled text, of which only those that differ are drawn again."""

from __future__ import annotations

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from kvlab.lab.draw.canvas import Row

PLAIN = Style()


class LabCanvas(Widget):
    """Shows the rows that were drawn, and refreshes those that differ."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Row] = []
        self._strips: list[Strip] = []

    def show(self, rows: list[Row]) -> None:
        """Make this the picture."""
        if len(rows) != len(self._rows):
            self._rows, self._strips = rows, [Strip(row) for row in rows]
            self.refresh()
            return
        changed = []
        for y, row in enumerate(rows):
            if row != self._rows[y]:
                self._rows[y], self._strips[y] = row, Strip(row)
                changed.append(Region(0, y, self.size.width, 1))
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        if y >= len(self._strips):
            return Strip.blank(self.size.width, PLAIN)  # with no style at all, NO_COLOR's filter fails
        return self._strips[y].adjust_cell_length(self.size.width, PLAIN)
