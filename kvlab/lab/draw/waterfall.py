"""The waterfall: what an operation asked of whom, a bar each on one axis of time, and where it was decided.

A bar begins when the question is sent: a thin line while it travels, thick while it is in its receiver's
hands, thin again while the answer travels. The upright line is the moment at which the client was told.
Whoever answers after it, or never, has cost the client nothing; whoever is waited for before it, everything.
"""

from __future__ import annotations

from kvlab.lab.draw.canvas import Canvas, Size, fine_ms, fit
from kvlab.lab.draw.theme import ACCENT, BAD, DIM, FAINT, GOOD, TEXT, Theme
from kvlab.lab.questions import Question, ended, enough, need, questions_of
from kvlab.lab.view import Shot, View, counted

LABEL = 20
"""Columns before the axis: for n10 by n11."""
WORDS = 26
"""Columns after it."""
TICKS_MAX = 5


class Axis:
    """Time across so many columns, linear, from the operation's start to its last event, or to now."""

    def __init__(self, x: int, width: int, start_ms: float, end_ms: float) -> None:
        self.x, self.width, self.start_ms = x, max(1, width), start_ms
        self.span_ms = max(0.1, end_ms - start_ms)

    def column(self, at_ms: float) -> int:
        share = min(1.0, max(0.0, (at_ms - self.start_ms) / self.span_ms))
        return self.x + round(share * (self.width - 1))

    def ticks(self) -> list[float]:
        """Round numbers of ms since the start, at most five."""
        steps = (unit * 10.0**power for power in range(-2, 9) for unit in (1, 2, 5))
        step = next(step for step in steps if self.span_ms / step <= TICKS_MAX)
        return [i * step for i in range(int(self.span_ms / step) + 1)]


def rows_needed(view: View) -> int:
    """An axis, a row a question, and the moment of the answer."""
    asked = len(questions_of(view.op)) if view.op is not None else 0
    return asked + 2 if asked else 0


def waterfall(view: View, size: Size, theme: Theme) -> Canvas:
    """The picture, in so many rows; what does not fit is counted."""
    width, height = size
    canvas = Canvas(size, theme.style())
    op = view.op
    if op is None or not (questions := questions_of(op)) or height < 3:
        return canvas
    end = ended(op)
    times = [question.last_ms() for question in questions] + ([end.at_ms] if end else [view.now_ms])
    axis = Axis(LABEL, width - LABEL - WORDS, op.started_ms, max(times))
    _scale(canvas, axis, theme)
    room = height - 2
    listed = questions if len(questions) <= room else questions[: room - 1]
    decisive = enough(op, questions, need(view))
    for y, question in enumerate(listed, start=1):
        if end is not None:
            canvas.put(axis.column(end.at_ms), y, theme.glyphs.yes, theme.style(_end_colour(op)))
        _row(canvas, y, question, view, axis, decisive, theme)
    y = 1 + len(listed)
    if left := len(questions) - len(listed):
        canvas.put(1, y, f"{theme.glyphs.more} {counted(left, 'question')} more", theme.style(DIM))
        y += 1
    if end is not None:
        _moment(canvas, y, op, axis.column(end.at_ms), theme)
    return canvas


def _end_colour(op: Shot) -> str:
    return GOOD if op.outcome == "ok" else BAD


def _scale(canvas: Canvas, axis: Axis, theme: Theme) -> None:
    canvas.put(1, 0, "ASKED", theme.style(DIM))
    x = 0
    for tick in axis.ticks():
        label = f"{tick:g}" if tick else "0 ms"
        at = axis.column(axis.start_ms + tick)
        if at > x and at + len(label) <= axis.x + axis.width + 1:
            x = canvas.put(at, 0, label, theme.style(DIM))
    canvas.put(axis.x + axis.width + 1, 0, "ANSWERED", theme.style(DIM))


def _row(
    canvas: Canvas,
    y: int,
    question: Question,
    view: View,
    axis: Axis,
    decisive: Question | None,
    theme: Theme,
) -> None:
    assert view.op is not None
    node = theme.style(theme.node_colour(question.node), bold=True)
    x = canvas.put(1, y, f"{question.node:<4}", node)
    canvas.put(x, y, fit(_label(question, view), LABEL - x - 1, theme.glyphs.more), theme.style(DIM))
    _bar(canvas, y, question, view.op, axis, theme)
    text, colour = _words(question, view.op, decisive is question, theme)
    words = fit(text, WORDS - 2, theme.glyphs.more)
    canvas.put(axis.x + axis.width + 1, y, words, theme.style(colour, bold=decisive is question))


def _label(question: Question, view: View) -> str:
    assert view.op is not None
    if question.local:
        return "itself"
    by = f" by {question.by}" if question.by != view.op.via else ""
    if question.owner is not None:
        return f"for {question.owner}{by}"
    return f"{question.kind}{by}"


def _bar(canvas: Canvas, y: int, question: Question, op: Shot, axis: Axis, theme: Theme) -> None:
    glyphs = theme.glyphs
    begins = axis.column(question.asked_ms)
    colour = theme.node_colour(question.node)
    finished = question.answered_ms
    if finished is None:
        _open(canvas, y, question, op, axis, theme)
    else:
        travels = theme.style(colour)
        for x in range(begins, axis.column(finished) + 1):
            canvas.put(x, y, glyphs.line, travels)
    if question.arrived_ms is not None or question.local:
        works = axis.column(question.arrived_ms or question.asked_ms)
        until = question.replied_ms or finished or question.arrived_ms or question.asked_ms
        solid = theme.style(BAD if question.refused else colour)
        for x in range(works, axis.column(until) + 1):
            canvas.put(x, y, glyphs.bar, solid)


def _open(canvas: Canvas, y: int, question: Question, op: Shot, axis: Axis, theme: Theme) -> None:
    """No answer has come: faint to the end of the axis; a cross where the message was lost."""
    glyphs, last = theme.glyphs, axis.x + axis.width - 1
    begins = axis.column(question.asked_ms)
    waits = theme.style(FAINT if op.outcome else ACCENT)
    for x in range(begins, last + 1):
        canvas.put(x, y, glyphs.silence, waits)
    if question.lost_ms is not None:
        canvas.put(axis.column(question.lost_ms), y, glyphs.lost, theme.style(BAD, bold=True))
    else:
        canvas.put(begins, y, glyphs.line, theme.style(theme.node_colour(question.node)))


def _words(question: Question, op: Shot, decisive: bool, theme: Theme) -> tuple[str, str]:
    """What came of it, and its colour."""
    end, glyphs = ended(op), theme.glyphs
    if question.answered_ms is None:
        if question.lost_ms is not None:
            return f"{glyphs.lost} {question.lost}", BAD
        if not op.outcome:
            return "no answer yet", ACCENT
        return "no answer so far", DIM if op.outcome == "ok" else BAD
    took = f"{question.answered_ms - op.started_ms:>6.1f}"
    if question.refused:
        return f"{took} {glyphs.bad} {'says no' if question.reply == 'Refused' else 'old ring'}", BAD
    if question.repair:
        return f"{took} repaired", ACCENT
    if decisive:
        return f"{took} {glyphs.ok} enough", GOOD
    if end is not None and question.by == op.via and question.answered_ms > end.at_ms:
        return f"{took} late", DIM
    return f"{took} {glyphs.ok}", TEXT


def _moment(canvas: Canvas, y: int, op: Shot, x: int, theme: Theme) -> None:
    """Under the bars: here the client was told."""
    text = f"{fine_ms(op.took_ms)}: the client is told {op.outcome}"
    style = theme.style(_end_colour(op), bold=True)
    canvas.put(x, y, theme.glyphs.pointer, style)
    if x + 2 + len(text) < canvas.width:
        canvas.put(x + 2, y, text, style)
    else:
        canvas.put(x - 1 - len(text), y, text, style)
