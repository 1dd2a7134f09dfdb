"""The narration pane of a demo: what is said, the question, its answer, and whose turn it is.

Large letters are the terminal's business; what a drawing can do is to leave room, and to show less. So the
pane has a height of its own that does not change from step to step, and nothing in it is ever in a frame.
"""

from __future__ import annotations

from kvlab.lab.draw.canvas import Canvas, Size, fit, shortened, wrapped
from kvlab.lab.draw.theme import ACCENT, BACKGROUND, BAD, BAR, GOOD, TEXT, Theme
from kvlab.lab.view import Narration


def narration_rows(height: int) -> int:
    """How many rows the pane has in a window of this height."""
    return 6 if height < 24 else 8 if height < 30 else 11


def narration(told: Narration, notice: str, size: Size, theme: Theme) -> Canvas:
    """The pane. A notice of the lab stands in its last row, before anything else that could."""
    width, height = size
    canvas = Canvas(size, theme.style())
    for y in range(height):
        canvas.fill(y, theme.style(TEXT, BAR))
    badge = f" {told.place} of {told.of} "
    canvas.put(1, 0, badge, theme.style(BACKGROUND, ACCENT, bold=True))
    if told.again:
        canvas.put(len(badge) + 2, 0, "again from the start, up to here", theme.style(ACCENT, BAR, bold=True))
    y, gap = 1, height >= 10
    for text, colour in _paragraphs(told, theme):
        y += gap
        for line in shortened(wrapped(text, width - 4), height - 1 - y, width - 4, theme.glyphs.more):
            canvas.put(2, y, line, theme.style(colour, BAR, bold=True))
            y += 1
    _status(canvas, height - 1, told, notice, theme)
    return canvas


def _paragraphs(told: Narration, theme: Theme) -> list[tuple[str, str]]:
    """What is to be read, and in which colour."""
    if told.failed is not None:
        expected, found = told.failed
        return [
            ("The cluster is not where this step expects it.", BAD),
            (f"Expected: {expected}", TEXT),
            (f"Found: {found}", TEXT),
        ]
    paragraphs = [(text, TEXT) for text in told.said]
    if told.question:
        paragraphs.append((f"? {told.question}", ACCENT))
    if told.answer:
        paragraphs.append((f"{theme.glyphs.sends} {told.answer}", GOOD))
    return paragraphs


def _status(canvas: Canvas, y: int, told: Narration, notice: str, theme: Theme) -> None:
    """To the left what the lab has to say, to the right whose turn it is."""
    anew = f"r tries again, c goes on, j {told.place} starts this step anew"
    turn = anew if told.failed is not None else _turn(told, theme)
    canvas.put(canvas.width - len(turn) - 1, y, turn, theme.style(ACCENT, BAR, bold=True))
    room = canvas.width - len(turn) - 4
    if notice:
        canvas.put(1, y, fit(notice, room, theme.glyphs.cut), theme.style(ACCENT, BAR))


def _turn(told: Narration, theme: Theme) -> str:
    if told.past:
        return "End: the present"
    if told.busy:
        return f"at work {theme.glyphs.more}"
    if told.why_not_next:
        return told.why_not_next
    key = "right arrow" if theme.ascii else "→"
    return f"{key}: {'see' if told.question and not told.answer else 'next'}"
