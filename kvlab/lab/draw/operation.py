"""The operation tab: one operation, what it asked of whom and how long that took, and its events.

Above the waterfall, with the sentence of what came of it; below one row an event in causal order, with a lane
for each node where there is room. Heartbeats and other background traffic belong to no operation, and are not
here. To the right, where there is room, the last operations.
"""

from __future__ import annotations

from kvlab.lab.draw import panels
from kvlab.lab.draw.canvas import Canvas, Size, fine_ms, fit, shortened, shown, wrapped
from kvlab.lab.draw.panels import Piece
from kvlab.lab.draw.theme import ACCENT, BACKGROUND, BAD, DIM, FAINT, GOOD, MARK, TEXT, Theme
from kvlab.lab.draw.waterfall import rows_needed, waterfall
from kvlab.lab.questions import Question, ended, enough, need, questions_of
from kvlab.lab.view import Brief, Shot, View, counted
from kvlab.messages import NodeId
from kvlab.trace.events import AnyEvent, Delivered, MessageDropped, OpEnded, OpStarted, Removed, Sent, Stored

LIST_WIDTH = 38
LANE = 6
TIME = 9
"""Columns of the pointer and the time."""
WORDS_MIN = 24
EVENTS_MIN = 5


def draw(view: View, size: Size, theme: Theme) -> Canvas:
    """The whole tab."""
    width, height = size
    canvas = Canvas(size, theme.style())
    op = view.op
    if op is None:
        canvas.put(1, 0, "OPERATION", theme.style(DIM))
        canvas.put(1, 1, "none yet: press w to write, and watch it here", theme.style())
        return canvas
    main = width - LIST_WIDTH - 1 if width >= 118 else width
    if main < width:
        for y in range(height):
            canvas.put(main, y, theme.glyphs.yes, theme.style(FAINT))
        canvas.paste(main + 1, 0, operations(view, (LIST_WIDTH, height), theme))
    canvas.paste(0, 0, _one(view, op, (main, height), theme))
    return canvas


def _one(view: View, op: Shot, size: Size, theme: Theme) -> Canvas:
    width, height = size
    canvas = Canvas(size, theme.style())
    _title(canvas, view, op, theme)
    fall = min(rows_needed(view), max(0, height - 3 - EVENTS_MIN))
    y = 1
    if fall >= 3:
        canvas.paste(0, y, waterfall(view, (width, fall), theme))
        y += fall
    room = height - y - 1 - len(op.events)  # what no event needs
    for text, colour in outcome(view, op, width - 2, max(room, 3 if height >= 22 else 2), theme):
        canvas.put(1, y, text, theme.style(colour, bold=True))
        y += 1
    y += height - y > 14
    canvas.paste(0, y, events(view, op, (width, height - y), theme))
    return canvas


def _title(canvas: Canvas, view: View, op: Shot, theme: Theme) -> None:
    numbers = f"N={view.n} R={view.r} W={view.w}  " if view.stage.quorum else ""
    about = f"{numbers}via {op.via}  {op.place}/{op.of}"
    if op.of > 1:
        about += "  [ ]"
    name = fit(panels.title(op), canvas.width - len(about) - 4, theme.glyphs.more)
    canvas.put(1, 0, name, theme.style(TEXT, bold=True))
    canvas.put(canvas.width - len(about) - 1, 0, about, theme.style(DIM))


# -- what came of it -----------------------------------------------------------------------------


def outcome(view: View, op: Shot, width: int, rows: int, theme: Theme) -> list[Piece]:
    """What came of it and why, in so many rows at most."""
    sign = theme.glyphs.cut
    text, colour = _sentence(view, op, theme)
    return [(line, colour) for line in shortened(wrapped(text, width), rows, width, sign)]


def _sentence(view: View, op: Shot, theme: Theme) -> Piece:
    glyphs, questions = theme.glyphs, questions_of(op)
    if not op.outcome:
        waits = f" for {' '.join(op.silent)}" if op.silent else ""
        return f"{glyphs.starting} waiting{waits}, {max(0.0, view.now_ms - op.started_ms):.0f} ms", ACCENT
    if op.outcome != "ok":
        what = {"failed": "certainly not done", "unknown": "perhaps done, perhaps not"}[op.outcome]
        if op.kind == "get":
            what = "nothing is known of the value"
        return f"{glyphs.bad} {op.outcome}, {what}: {op.text or op.error}", BAD
    found = ""
    if op.kind == "get":
        found = f": {' and '.join(shown(value, 20) for value in op.values) or 'no such key'}"
    return f"{glyphs.ok} ok{found}. {_why(op, questions, need(view))}", GOOD


def _why(op: Shot, questions: list[Question], needed: int | None) -> str:
    """Whom the client has waited for, and for whom not."""
    end, last = ended(op), enough(op, questions, needed)
    if end is None or last is None:
        return f"No other node was asked; it took {fine_ms(op.took_ms)}."
    rounds = {(one.by, one.kind) for one in questions if not one.local and one.asked_ms < end.at_ms}
    late = [one for one in questions if not one.repair and _after(one, end.at_ms)]
    if len(rounds) > 1:  # what was asked later may have waited for what was asked before
        late = []
    if last.local and len(questions) == 1:
        return f"{last.node} did it by itself, after {fine_ms(op.took_ms)}."
    whose = "its own" if last.local else f"that of {last.node}"
    waited = f"The last answer it waited for was {whose}, after {fine_ms(op.took_ms)}"
    names = " and ".join(dict.fromkeys(one.node for one in late))
    return f"{waited}; {names} kept nobody waiting." if late else f"{waited}."


def _after(question: Question, at_ms: float) -> bool:
    return question.answered_ms is None or question.answered_ms > at_ms


# -- its events ----------------------------------------------------------------------------------


def events(view: View, op: Shot, size: Size, theme: Theme) -> Canvas:
    """One row an event, those around the chosen one; a head of lanes, where there is room for them."""
    width, height = size
    canvas = Canvas(size, theme.style())
    if height < 2:
        return canvas
    lanes = _lanes(view, op, width)
    _head(canvas, lanes, theme)
    rows: list[list[AnyEvent]] = [[event] for event in op.events]
    if len(rows) > height - 1:
        rows = panels.folded(rows)
    chosen = view.chosen_event()
    at = next((i for i, row in enumerate(rows) if any(event is chosen for event in row)), len(rows) - 1)
    first, last = window(len(rows), at, height - 1)
    for y, row in enumerate(rows[first:last], start=1):
        _event(canvas, y, row, op, lanes, y - 1 + first == at, theme)
    if first or op.cut:
        _left_out(canvas, 1, sum(map(len, rows[: first + 1])) + op.cut, "before", theme)
    if last < len(rows):
        _left_out(canvas, last - first, sum(map(len, rows[last - 1 :])), "after", theme)
    return canvas


def window(count: int, at: int, room: int) -> tuple[int, int]:
    """Which of so many rows are shown so that row `at` is well inside: [first, last)."""
    first = min(max(0, at - room // 2), max(0, count - room))
    return first, min(count, first + room)


def _left_out(canvas: Canvas, y: int, count: int, where: str, theme: Theme) -> None:
    canvas.fill(y, theme.style())
    canvas.put(1, y, f"{theme.glyphs.more} {counted(count, 'event')} {where}", theme.style(DIM))


def _lanes(view: View, op: Shot, width: int) -> dict[NodeId, int]:
    """The column of each node's lane: the coordinator's first, then the replicas', then the others'; none
    where there is no room for all of them."""
    asked = [event.to for event in op.events if isinstance(event, Sent)]
    seen = dict.fromkeys([*(event.node for event in op.events), *asked])
    homes = [node for node in view.homes if node in seen]
    order = list(dict.fromkeys([op.via, *homes, *seen]))
    lane = min(10, (width - TIME - WORDS_MIN) // max(1, len(order)))
    if len(order) < 2 or lane < LANE:
        return {}
    return {node: TIME + i * lane for i, node in enumerate(order)}


def _end_of(lanes: dict[NodeId, int]) -> int:
    """The column after the lanes."""
    columns = list(lanes.values())
    return columns[-1] + 5 if columns else TIME


def _head(canvas: Canvas, lanes: dict[NodeId, int], theme: Theme) -> None:
    canvas.put(1, 0, "     ms", theme.style(DIM))
    for node, x in lanes.items():
        canvas.put(x - 1, 0, f" {node} ", theme.style(BACKGROUND, theme.node_colour(node), bold=True))
    keys = ", . choose   6 code"
    x = canvas.put(_end_of(lanes), 0, "WHAT HAPPENED", theme.style(DIM))
    if x + 2 + len(keys) < canvas.width:
        canvas.put(canvas.width - len(keys) - 1, 0, keys, theme.style(DIM))


def _event(
    canvas: Canvas,
    y: int,
    row: list[AnyEvent],
    op: Shot,
    lanes: dict[NodeId, int],
    chosen: bool,
    theme: Theme,
) -> None:
    """One event, or several that belong together."""
    ground = BACKGROUND
    if chosen:
        ground = MARK
        canvas.fill(y, theme.style(TEXT, ground))
        canvas.put(0, y, theme.glyphs.begins, theme.style(ACCENT, ground, bold=True))
    canvas.put(1, y, f"{row[-1].at_ms - op.started_ms:>7.1f}", theme.style(DIM, ground))
    for x in lanes.values():
        canvas.put(x, y, theme.glyphs.lane, theme.style(FAINT, ground))
    if lanes:
        for event in row:
            _on_lanes(canvas, y, event, lanes, ground, theme)
    x = _end_of(lanes)
    for text, colour in _words(row, op, canvas.width - x, theme):
        x = canvas.put(x, y, fit(text, canvas.width - x, theme.glyphs.more), theme.style(colour, ground))


def _words(row: list[AnyEvent], op: Shot, room: int, theme: Theme) -> list[Piece]:
    event = row[-1]
    begins: list[Piece] = [(f"{event.node:<3} ", theme.node_colour(event.node))]
    if len(row) > 1 and isinstance(event, Sent):
        to = [(f"{one.to} ", theme.node_colour(one.to)) for one in row if isinstance(one, Sent)]
        return [*begins, (f"{theme.glyphs.sends} ", DIM), *to, (event.kind, TEXT)]
    return begins + panels.event_words(event, op.key, room - 4, theme)


def _on_lanes(
    canvas: Canvas, y: int, event: AnyEvent, lanes: dict[NodeId, int], ground: str, theme: Theme
) -> None:
    """The event in the lane of its node; an arrow from lane to lane where a message arrives."""
    glyphs, here = theme.glyphs, lanes[event.node]
    colour = theme.style(theme.node_colour(event.node), ground, bold=True)
    match event:
        case Sent():
            _dash(canvas, y, here, lanes.get(event.to, here), 2, ground, theme)
            canvas.put(here, y, glyphs.dot, colour)
        case Delivered():
            there = lanes.get(event.sender, here)
            _dash(canvas, y, there, here, abs(there - here), ground, theme)
            canvas.put(here, y, glyphs.begins if there < here else glyphs.back, colour)
        case MessageDropped():
            there = lanes.get(event.to, here)
            reach = abs(there - here) // 2
            _dash(canvas, y, here, there, reach, ground, theme)
            canvas.put(here + (reach if there > here else -reach), y, glyphs.lost, theme.style(BAD, ground))
        case Stored():
            canvas.put(here, y, glyphs.holds, colour)
        case Removed():
            canvas.put(here, y, glyphs.lost, colour)
        case OpStarted():
            canvas.put(here, y, glyphs.starting, theme.style(ACCENT, ground, bold=True))
        case OpEnded():
            good = event.outcome == "ok"
            sign = glyphs.ok if good else glyphs.bad
            canvas.put(here, y, sign, theme.style(GOOD if good else BAD, ground, bold=True))
        case _:
            canvas.put(here, y, glyphs.key, colour)


def _dash(canvas: Canvas, y: int, start: int, end: int, length: int, ground: str, theme: Theme) -> None:
    """A line of so many columns from the one lane towards the other."""
    step = 1 if end > start else -1
    for i in range(1, min(length, abs(end - start)) + 1):
        canvas.put(start + step * i, y, theme.glyphs.line, theme.style(DIM, ground))


# -- the last operations -------------------------------------------------------------------------


def operations(view: View, size: Size, theme: Theme) -> Canvas:
    """The last operations and what came of each, the one shown marked."""
    width, height = size
    canvas = Canvas(size, theme.style())
    canvas.put(1, 0, "OPERATIONS", theme.style(DIM))
    canvas.put(width - 5, 0, "[ ]", theme.style(DIM))
    at = view.op.place - 1 if view.op is not None else 0
    first, last = window(len(view.briefs), at, height - 1)
    for y, brief in enumerate(view.briefs[first:last], start=1):
        _brief(canvas, y, first + y, brief, first + y - 1 == at, theme)
    return canvas


def _brief(canvas: Canvas, y: int, number: int, brief: Brief, chosen: bool, theme: Theme) -> None:
    ground = MARK if chosen else BACKGROUND
    if chosen:
        canvas.fill(y, theme.style(TEXT, ground))
        canvas.put(0, y, theme.glyphs.begins, theme.style(ACCENT, ground, bold=True))
    sign, colour = theme.glyphs.starting, ACCENT
    if brief.outcome:
        good = brief.outcome == "ok"
        sign, colour = (theme.glyphs.ok, GOOD) if good else (theme.glyphs.bad, BAD)
    took = f"{brief.took_ms:.0f} ms" if brief.outcome else ""
    if brief.outcome not in ("", "ok"):
        took = brief.outcome
    end = f" {sign} {took:>7}"
    x = canvas.put(1, y, f"{number:>3} ", theme.style(DIM, ground))
    value = f" = {shown(brief.value, 12)}" if brief.value is not None else ""
    what = f"{brief.kind} {shown(brief.key, 16)}{value}"
    canvas.put(x, y, fit(what, canvas.width - x - len(end) - 1, theme.glyphs.more), theme.style(TEXT, ground))
    canvas.put(canvas.width - len(end) - 1, y, end, theme.style(colour, ground))
