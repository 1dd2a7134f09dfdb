"""The code tab: the line of the stage's own file at which the chosen event happened.

The file is the one that runs, a student's own too. Which line it is, the event itself says, or what it is the
answer to (lab/source.py). The methods around it stay bright, the rest of the file is faint.
"""

from __future__ import annotations

from kvlab.lab.draw import panels
from kvlab.lab.draw.canvas import Canvas, Size, fit, wrapped
from kvlab.lab.draw.operation import window
from kvlab.lab.draw.panels import Piece
from kvlab.lab.draw.text import paragraphs
from kvlab.lab.draw.theme import ACCENT, BACKGROUND, DIM, FAINT, GOOD, MARK, PALETTE, TEXT, Theme
from kvlab.lab.source import Place, Role, Source, place
from kvlab.lab.view import Shot, View
from kvlab.trace.events import AnyEvent

LIST_WIDTH = 40
ROLES: dict[Role, str] = {
    "plain": TEXT, "keyword": PALETTE[0], "string": GOOD, "comment": DIM, "name": ACCENT,
}  # fmt: skip


def draw(view: View, size: Size, theme: Theme) -> Canvas:
    """The whole tab."""
    width, height = size
    source, op, event = view.source, view.op, view.chosen_event()
    if source is None:
        return paragraphs("CODE", ["The file of this stage is being read, or cannot be read."], size, theme)
    if op is None or event is None:
        return _whole(source, size, theme)
    canvas = Canvas(size, theme.style())
    found = place(source, op.events, event)
    if width >= 118:
        left = width - LIST_WIDTH - 1
        for y in range(height):
            canvas.put(left, y, theme.glyphs.yes, theme.style(FAINT))
        canvas.paste(left + 1, 0, _events(view, op, (LIST_WIDTH, height), theme))
        canvas.paste(0, 0, _code(view, source, op, event, found, (left, height), theme))
        return canvas
    listed = 4
    canvas.paste(0, 0, _code(view, source, op, event, found, (width, height - listed - 1), theme))
    canvas.paste(0, height - listed, _events(view, op, (width, listed), theme))
    return canvas


def _whole(source: Source, size: Size, theme: Theme) -> Canvas:
    """Before the first operation: the file from its beginning."""
    canvas = Canvas(size, theme.style())
    canvas.put(1, 0, "CODE  ", theme.style(DIM))
    canvas.put(7, 0, source.path, theme.style(TEXT, bold=True))
    canvas.put(1, 1, "press w to write: the line at work is marked then", theme.style(DIM))
    _to_the_end(canvas, 3, source, 1, theme)
    return canvas


def _code(
    view: View, source: Source, op: Shot, event: AnyEvent, found: Place | None, size: Size, theme: Theme
) -> Canvas:
    """The header, the event in words, and the lines around the one it belongs to."""
    width = size[0]
    canvas = Canvas(size, theme.style())
    _header(canvas, source, found, theme)
    x = canvas.put(1, 1, f"{event.at_ms - op.started_ms:.1f} ms ", theme.style(DIM))
    how = f" {theme.glyphs.between} {found.how}" if found is not None else ""
    words: list[Piece] = [(f"{event.node} ", theme.node_colour(event.node))]
    words += panels.event_words(event, op.key, width - x - len(how) - 6, theme)
    for text, colour in [*words, (how, ACCENT)]:
        x = canvas.put(
            x, 1, fit(text, max(0, width - x - 1), theme.glyphs.more), theme.style(colour, bold=True)
        )
    if found is None:
        note = "No line of this file is at work just now: what calls it did this, or the world itself."
        lines = wrapped(note, width - 2)
        for y, line in enumerate(lines, start=2):
            canvas.put(1, y, line, theme.style())
        _from_the_first_method(canvas, 3 + len(lines), source, theme)
        return canvas
    _lines_around(canvas, source, found.line, theme)
    return canvas


def _header(canvas: Canvas, source: Source, found: Place | None, theme: Theme) -> None:
    x = canvas.put(1, 0, "CODE  ", theme.style(DIM))
    method = source.method_at(found.line) if found is not None else None
    where = f"line {found.line}" if found is not None else ""
    if method is not None:
        where += f", {method.title}"
    room = canvas.width - x - len(where) - 4
    x = canvas.put(x, 0, fit(source.path, room, theme.glyphs.more), theme.style(TEXT, bold=True))
    canvas.put(x + 2, 0, where, theme.style(ACCENT, bold=True))


def _from_the_first_method(canvas: Canvas, y: int, source: Source, theme: Theme) -> None:
    """A piece that only computes is never at work when a message is sent; whose it is wants to see it all the
    same."""
    first = min((method.first for method in source.methods), default=1)
    _to_the_end(canvas, y, source, first, theme)


def _to_the_end(canvas: Canvas, y: int, source: Source, first: int, theme: Theme) -> None:
    """The file from this line on, as far as it fits; what is too long goes on in the next row."""
    for number in range(first, len(source.lines) + 1):
        if y < canvas.height:
            y = _line(canvas, y, source, number, marked=False, bright=True, whole=True, theme=theme)


def _lines_around(canvas: Canvas, source: Source, line: int, theme: Theme) -> None:
    """The lines that fit: the method whole if it does, and its head in any case."""
    top, room = 2, canvas.height - 2
    method = source.method_at(line)
    first, _ = window(len(source.lines), line - 1, room)
    if method is not None:
        first = max(min(first, method.last - room + 1), method.first - 2)
        first = max(0, min(first, len(source.lines) - room))
    y, number = top, first + 1
    while y < canvas.height and number <= len(source.lines):
        bright = method is None or method.first <= number <= method.last
        y = _line(canvas, y, source, number, marked=number == line, bright=bright, theme=theme)
        number += 1
    if method is not None and method.first <= first:
        canvas.fill(top, theme.style())
        _line(canvas, top, source, method.first, marked=False, bright=True, theme=theme)


def _line(
    canvas: Canvas,
    y: int,
    source: Source,
    number: int,
    *,
    marked: bool,
    bright: bool,
    theme: Theme,
    whole: bool = False,
) -> int:
    """One line, cut at the edge; the marked one goes on in the next row, as does a `whole` one. Returns the
    row after it."""
    ground = MARK if marked else BACKGROUND
    if marked:
        canvas.fill(y, theme.style(TEXT, ground))
        canvas.put(0, y, theme.glyphs.begins, theme.style(ACCENT, ground, bold=True))
    x = canvas.put(1, y, f"{number:>4}  ", theme.style(ACCENT if marked else FAINT, ground, bold=marked))
    left = x
    for text, role in source.lines[number - 1]:
        style = theme.style(ROLES[role] if bright else FAINT, ground, bold=marked)
        while (marked or whole) and len(text) > (room := max(0, canvas.width - x - 1)):
            room = text.rfind(" ", 0, room) + 1 or room
            canvas.put(x, y, text[:room], style)
            y += 1
            canvas.fill(y, theme.style(TEXT, ground))
            x, text = left + 8, text[room:]
        x = canvas.put(x, y, text, style)
    if x >= canvas.width:
        canvas.put(
            canvas.width - 1 - len(theme.glyphs.more), y, f"{theme.glyphs.more} ", theme.style(DIM, ground)
        )
    return y + 1


def _events(view: View, op: Shot, size: Size, theme: Theme) -> Canvas:
    """The operation's events, the chosen one marked."""
    width, height = size
    canvas = Canvas(size, theme.style())
    canvas.put(1, 0, fit(panels.title(op), width - 10, theme.glyphs.more), theme.style(TEXT, bold=True))
    at = max(0, next((i for i, event in enumerate(op.events) if event is view.chosen_event()), 0))
    about = f"{at + 1}/{len(op.events)} , ."
    canvas.put(width - len(about) - 1, 0, about, theme.style(DIM))
    first, last = window(len(op.events), at, height - 1)
    for y, event in enumerate(op.events[first:last], start=1):
        ground = BACKGROUND
        if y - 1 + first == at:
            ground = MARK
            canvas.fill(y, theme.style(TEXT, ground))
            canvas.put(0, y, theme.glyphs.begins, theme.style(ACCENT, ground, bold=True))
        x = canvas.put(1, y, f"{event.at_ms - op.started_ms:>7.1f} ", theme.style(DIM, ground))
        x = canvas.put(
            x, y, f"{event.node:<3} ", theme.style(theme.node_colour(event.node), ground, bold=True)
        )
        for text, colour in panels.event_words(event, op.key, width - x - 1, theme):
            x = canvas.put(x, y, fit(text, max(0, width - x), theme.glyphs.more), theme.style(colour, ground))
    return canvas
