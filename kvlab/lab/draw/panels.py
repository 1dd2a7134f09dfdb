"""The panels beside the ring: the nodes, one operation event by event, what stage 1 holds, the log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from rich.cells import cell_len

from kvlab.lab.draw.canvas import Canvas, Size, fine_ms, fit, shortened, shown, wrapped
from kvlab.lab.draw.hints import marks
from kvlab.lab.draw.theme import ACCENT, BACKGROUND, BAD, DIM, GOOD, TEXT, Theme
from kvlab.lab.view import Shot, View, counted
from kvlab.messages import Key, NodeId
from kvlab.stages.pieces import NOT_YET
from kvlab.trace.events import (
    AnyEvent,
    Delivered,
    Hinted,
    LineFailed,
    MessageDropped,
    OpEnded,
    OpStarted,
    Removed,
    Repaired,
    Said,
    ScriptLine,
    Sent,
    Stored,
)
from kvlab.trace.model import Node

Piece: TypeAlias = tuple[str, str]
"""Text and its colour."""

MEANS = {
    "Keep": "keep this copy",
    "Kept": "it is kept",
    "Fetch": "what do you hold?",
    "Fetched": "this I hold",
    "Forward": "write this for me",
    "Forwarded": "it is written",
    "Drop": "forget this key",
    "Dropped": "it is forgotten",
    "Settle": "all hold this",
    "Settled": "I know now",
    "KeepHint": "keep this for another",
    "FindHint": "do you keep it for another?",
    "FoundHint": "this I keep",
    "GetRing": "are you there?",
    "RingIs": "I am, by this ring",
    "Refused": "no",
    "StaleRing": "your ring is old",
}
"""What a message says, where there is room for more than its name."""

ENDING_ROWS_MAX = 4
PAIR_MIN = 24
"""Columns that a key and its value need to stand in one row."""

WITHOUT_PORTS, PORTS, ZONES = 29, 13, 5
"""Columns that the list of nodes needs; that the ports need, and the zones."""


def row_without_ports(view: View) -> int:
    """Columns that the list of nodes needs at least; the zone is told where there are several."""
    return WITHOUT_PORTS + (ZONES if in_zones(view) else 0)


def row_of_nodes(view: View) -> int:
    """And with the ports and numbers of the processes."""
    return row_without_ports(view) + (0 if view.simulated else PORTS)


def in_zones(view: View) -> bool:
    return len({node.zone for node in view.nodes}) > 1


def size_of(count: int) -> str:
    """Bytes as a person reads them, in six characters: 812 B, 3.4 KB, 120 KB."""
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if count >= length:
            return f"{count / length:.{1 if count < 10 * length else 0}f} {unit}"
    return f"{count} B"


# -- the nodes -----------------------------------------------------------------------------------


def nodes(view: View, size: Size, theme: Theme) -> Canvas:
    """One row a node, and below them what ails the network."""
    width, height = size
    canvas = Canvas(size, theme.style())
    head = f"NODE STATE     {'ZONE ' if in_zones(view) else ''} KEYS MEMORY"
    ports = not view.simulated and width >= row_of_nodes(view)
    head += "  PORT     PID" if ports else ""
    canvas.put(1, 0, head, theme.style(DIM))
    ails = network(view)
    room = max(1, height - 1 - len(ails))
    listed = view.nodes if len(view.nodes) <= room else view.nodes[: room - 1]
    for y, node in enumerate(listed, start=1):
        _node_row(canvas, y, node, view, theme)
    y = 1 + len(listed)
    if left_out := len(view.nodes) - len(listed):
        canvas.put(1, y, f"{theme.glyphs.more} {left_out} more: make the window taller", theme.style(DIM))
        y += 1
    for line in ails:
        canvas.put(1, y, fit(line, width - 1, theme.glyphs.more), theme.style(ACCENT, bold=True))
        y += 1
    return canvas


def _node_row(canvas: Canvas, y: int, node: Node, view: View, theme: Theme) -> None:
    colour = theme.node_colour(node.node, node.state)
    canvas.put(1, y, f"{node.node:>3} ", theme.style(BACKGROUND, colour, bold=True))
    glyph, state_colour = theme.state(node.state)
    canvas.put(6, y, f"{glyph} {node.state}", theme.style(state_colour, bold=node.state != "up"))
    if node.state == "starting":
        return
    if node.state == "down":
        canvas.put(16, y, fit(node.trouble, canvas.width - 17, theme.glyphs.more), theme.style(DIM))
        return
    columns = [f"{fit(node.zone, 4):<4} "] if in_zones(view) else []
    columns += [f"{node.keys:>5} ", f"{size_of(node.bytes):>6} "]
    if not view.simulated:
        columns += [f"{node.port or '':>5} ", f"{node.pid or '':>7} "]
    notes = [*marks(view, node.node), *_notes(node)]
    if fault := _fault(view, node, canvas.width - 16 - len(", ".join([*notes, ""]))):
        notes.append(fault)
    note = ", ".join(notes)
    room = canvas.width - 16 - len(note) + (not note)
    while columns and sum(map(len, columns)) > room:
        columns.pop()  # what is unusual says more
    x = canvas.put(16, y, "".join(columns), theme.style())
    canvas.put(x, y, fit(note, canvas.width - x, theme.glyphs.more), theme.style(ACCENT))


def _notes(node: Node) -> list[str]:
    notes = [f"weight {node.weight}"] if node.weight != 1 else []
    if node.skew_ms:
        notes.append(f"clock {node.skew_ms / 1000:+g} s")
    return notes


def _fault(view: View, node: Node, room: int) -> str:
    """What it has raised; where there is no room for that, a word for it."""
    if not node.trouble or node.state != "up":
        return ""
    if view.is_mine(node.trouble) and node.trouble.endswith(NOT_YET):
        return "not written yet"
    in_full = f"fault: {node.trouble}"
    return in_full if cell_len(in_full) <= room else "fault (v: all)"


def network(view: View) -> list[str]:
    """What ails the network, a line each: the cut, and the links that are slow or lossy."""
    lines = []
    if view.groups:
        lines.append("CUT   " + " | ".join(" ".join(group) for group in view.groups))
    by_node: dict[str, set[str]] = {}
    for link in view.links:
        ailment = f"{link.delay_ms:g} ms" if link.delay_ms else ""
        ailment += f" +-{link.jitter_ms:g}" if link.jitter_ms else ""
        ailment += f" {link.loss:.0%} lost" if link.loss else ""
        ailment += f" {link.duplication:.0%} twice" if link.duplication else ""
        by_node.setdefault(ailment.strip(), set()).add(f"{link.node} {link.to}")
    for ailment, pairs in by_node.items():
        lines.append(f"LINKS {_worst(pairs)}: {ailment}")
    return lines


def _worst(pairs: Iterable[str]) -> str:
    """Whose links they are: one node's, if all have one in common, otherwise the pairs."""
    both = [set(pair.split()) for pair in pairs]
    if common := set.intersection(*both):
        return "of " + " and ".join(sorted(common))
    unordered = sorted({"-".join(sorted(pair)) for pair in both})
    return " ".join(unordered[:4]) + (f" and {len(unordered) - 4} more" if len(unordered) > 4 else "")


# -- one operation -------------------------------------------------------------------------------


def operation(view: View, size: Size, theme: Theme) -> Canvas:
    """One operation: its events in causal order, one a row, in ms since it began."""
    width, height = size
    canvas = Canvas(size, theme.style())
    op = view.op
    if op is None:
        canvas.put(1, 0, "OPERATION", theme.style(DIM))
        canvas.put(1, 1, "none yet: press w to write", theme.style())
        return canvas
    place, via = f"  {op.place}/{op.of}", f"  via {op.via}"
    about = via + (place if cell_len(title(op) + via + place) <= width - 2 else "")
    name = fit(title(op), width - 2 - len(about), theme.glyphs.more)
    x = canvas.put(1, 0, name, theme.style(TEXT, bold=True))
    canvas.put(x, 0, about, theme.style(DIM))
    ending = _ending(op, view.now_ms, width - 2, max(1, height // 3), theme)
    room = max(0, height - 1 - len(ending))
    rows: list[list[AnyEvent]] = [[event] for event in op.events if not isinstance(event, OpEnded)]
    if len(rows) > room:
        rows = folded(rows)
    dropped = op.cut + sum(map(len, rows[: max(0, len(rows) - room)]))
    y = 1
    if dropped and room:
        rows = rows[len(rows) - (room - 1) :] if room > 1 else []
        dropped = op.cut + len(op.events) - sum(map(len, rows)) - bool(op.outcome)
        before = f"{theme.glyphs.more} {counted(dropped, 'event')} before"
        text = before if view.tab == "operation" else f"{before} (m: all)"
        canvas.put(1, y, fit(text, width - 2, theme.glyphs.more), theme.style(DIM))
        y += 1
    for row in rows[:room]:
        _event_row(canvas, y, row, op, theme)
        y += 1
    for text, colour in ending:
        canvas.put(1, y, text, theme.style(colour, bold=True))
        y += 1
    return canvas


def folded(rows: list[list[AnyEvent]]) -> list[list[AnyEvent]]:
    """Where there is no room for a row an event: one row for a message sent to several, and one for its
    arrival and the store that follows from it, at the place of the store."""
    joined: list[list[AnyEvent]] = []
    last: dict[NodeId, list[AnyEvent]] = {}
    for row in rows:
        event = row[0]
        before = last.get(event.node)
        if before is not None and isinstance(before[-1], Delivered) and isinstance(event, Stored | Removed):
            joined.remove(before)
            joined.append([*before, event])
        elif (
            joined
            and joined[-1] is before
            and isinstance(event, Sent)
            and isinstance(sent := before[-1], Sent)
            and sent.kind == event.kind
        ):
            before.append(event)
        else:
            joined.append([event])
        last[event.node] = joined[-1]
    return joined


def title(op: Shot) -> str:
    value = f" = {shown(op.value, 24)}" if op.value is not None else ""
    return f"{op.kind} {shown(op.key, 24)}{value}"


def _ending(op: Shot, now_ms: float, width: int, rows: int, theme: Theme) -> list[Piece]:
    """What came of it, in so many rows at most."""
    glyphs = theme.glyphs
    if not op.outcome:
        waits = f" for {' '.join(op.silent)}" if op.silent else ""
        elapsed = max(0.0, now_ms - op.started_ms)
        return [(fit(f"{glyphs.starting} waiting{waits}, {elapsed:.0f} ms", width, glyphs.more), ACCENT)]
    if op.outcome == "ok":
        found = ""
        if op.kind == "get":
            found = ": " + (" and ".join(shown(value, 20) for value in op.values) or "no such key")
        return [(fit(f"{glyphs.ok} ok{found}, {fine_ms(op.took_ms)}", width, glyphs.more), GOOD)]
    lines = wrapped(f"{glyphs.bad} {op.outcome}, {op.took_ms:.0f} ms: {op.text or op.error}", width)
    return [(line, BAD) for line in shortened(lines, min(rows, ENDING_ROWS_MAX), width, glyphs.cut)]


def _event_row(canvas: Canvas, y: int, row: list[AnyEvent], op: Shot, theme: Theme) -> None:
    """One event, or several that belong together."""
    event = row[-1]
    since = event.at_ms - op.started_ms
    x = canvas.put(1, y, f"{since:>7.1f} ", theme.style(DIM))
    x = canvas.put(x, y, f"{event.node:<3} ", theme.style(theme.node_colour(event.node), bold=True))
    if len(row) > 1 and isinstance(event, Sent):
        x = canvas.put(x, y, f"{theme.glyphs.sends} ", theme.style(DIM))
        for sent in row:
            if isinstance(sent, Sent):
                x = canvas.put(x, y, f"{sent.to} ", theme.style(theme.node_colour(sent.to)))
        canvas.put(x, y, event.kind, theme.style())
        return
    for text, colour in event_words(event, op.key, canvas.width - x, theme):
        x = canvas.put(x, y, text, theme.style(colour))


def event_words(event: AnyEvent, key: Key, room: int, theme: Theme) -> list[Piece]:
    """An event of an operation on this key, in the words that stand behind the node it happened on."""
    glyphs = theme.glyphs
    match event:
        case Sent():
            means = f"  {MEANS[event.kind]}" if event.kind in MEANS and room >= 30 else ""
            peer = theme.node_colour(event.to)
            return [(f"{glyphs.sends} ", DIM), (f"{event.to:<3} ", peer), (event.kind, TEXT), (means, DIM)]
        case Delivered():
            peer = theme.node_colour(event.sender)
            return [(f"{glyphs.receives} ", DIM), (f"{event.sender:<3} ", peer), (event.kind, DIM)]
        case MessageDropped():
            kind = f"{event.kind}: " if room >= 30 else ""
            return [(fit(f"{glyphs.lost} {event.to:<3} {kind}{event.why}", room, glyphs.more), BAD)]
        case Stored():
            which = f"{shown(event.key, 16)} = " if event.key != key else ""
            values = " and ".join(shown(value, 24) for value in (event.value, *event.siblings))
            what = f"{glyphs.holds} holds {which}{values}"
            return [(fit(what, room, glyphs.more), theme.node_colour(event.node))]
        case Removed():
            which = shown(event.key, 16) if event.key != key else "it"
            what = f"{glyphs.lost} no longer holds {which} ({event.why})"
            return [(fit(what, room, glyphs.more), DIM)]
        case Repaired():
            return [(f"{glyphs.key} has repaired ", ACCENT), (event.peer, theme.node_colour(event.peer))]
        case Hinted():
            return [(f"{glyphs.key} hint for ", TEXT), (event.owner, theme.node_colour(event.owner)),
                    (f" {event.what}", TEXT)]  # fmt: skip
        case OpStarted():
            return [(f"{glyphs.begins} is asked", ACCENT)]
        case OpEnded():
            good = event.outcome == "ok"
            return [(f"{glyphs.ok if good else glyphs.bad} answers: {event.outcome}", GOOD if good else BAD)]
        case _:
            return [(type(event).__name__, DIM)]


# -- stage 1: no ring, one node ------------------------------------------------------------------


def store(view: View, size: Size, theme: Theme) -> Canvas:
    """The one node of stage 1, and what it holds, last written first."""
    width, height = size
    canvas = Canvas(size, theme.style())
    if not view.nodes:
        return canvas
    node = view.nodes[0]
    colour = theme.node_colour(node.node, node.state)
    canvas.put(2, 1, f" {node.node} ", theme.style(BACKGROUND, colour, bold=True))
    glyph, state_colour = theme.state(node.state)
    canvas.put(7, 1, f"{glyph} {node.state}", theme.style(state_colour, bold=True))
    budget = f" of {size_of(view.memory_bytes)}" if view.memory_bytes else ", no limit"
    held = f"{counted(node.keys, 'key')}, {size_of(node.bytes)}{budget}"
    if node.state == "down":
        held = "its dict is gone: nothing was on a disk"
    top = 3
    if 17 + len(held) < width:
        canvas.put(17, 1, held, theme.style())
    else:
        for line in wrapped(held, width - 3):
            canvas.put(2, top - 1, line, theme.style())
            top += 1
    canvas.put(2, top, "ONE DICT, the last written first", theme.style(DIM))
    room = height - top - 2
    newest = list(reversed(view.items))
    for y, (key, value) in enumerate(newest[:room], start=top + 1):
        x = canvas.put(2, y, f"{shown(key, 24)}", theme.style(colour, bold=key == view.key))
        x = canvas.put(x, y, " = ", theme.style(DIM))
        canvas.put(x, y, fit(shown(value, 40), width - x - 1, theme.glyphs.more), theme.style())
    if node.keys > min(room, len(newest)) and node.state == "up":
        more = node.keys - min(room, len(newest))
        canvas.put(2, height - 1, f"{theme.glyphs.more} and {more} more", theme.style(DIM))
    if not newest and node.state == "up":
        canvas.put(2, top + 1, "empty", theme.style(DIM))
    return canvas


def mirrors(view: View, size: Size, theme: Theme) -> Canvas:
    """Stage 2: what each node holds, side by side, so that a difference is seen; last written first."""
    width, height = size
    canvas = Canvas(size, theme.style())
    column = width // max(1, len(view.nodes))
    for i, (node, held) in enumerate(zip(view.nodes, view.mirrors, strict=True)):
        x = i * column + 1
        colour = theme.node_colour(node.node, node.state)
        canvas.put(x, 0, f" {node.node} ", theme.style(BACKGROUND, colour, bold=True))
        how = "locked" if node.missing else node.state
        canvas.put(
            x + 5, 0, fit(how, column - 6, theme.glyphs.more), theme.style(BAD if node.missing else DIM)
        )
        lines = 2 if column < PAIR_MIN else 1
        for i, (key, value) in enumerate(list(reversed(held))[: (height - 2) // lines]):
            y, style = 2 + lines * i, theme.style(colour, bold=key == view.key)
            pair = f"{shown(key, 24)} = {shown(value, 40)}" if lines == 1 else shown(key, 24)
            canvas.put(x, y, fit(pair, column - 1, theme.glyphs.more), style)
            if lines > 1:  # in a narrow column the value stands below its key
                canvas.put(x + 2, y + 1, fit(shown(value, 40), column - 3, theme.glyphs.more), style)
        if not held and node.state == "up":
            canvas.put(x, 2, "empty", theme.style(DIM))
    return canvas


# -- the log -------------------------------------------------------------------------------------


def log(view: View, size: Size, theme: Theme) -> Canvas:
    """The last lines of the scenario: what was done by key or by hand, as a file would have it."""
    height = size[1]
    canvas = Canvas(size, theme.style())
    canvas.put(1, 0, "SCENARIO: what was done, as lines", theme.style(DIM))
    lines = list(view.log)[-(height - 1) :] if height > 1 else []
    for y, entry in enumerate(lines, start=1):
        _line(canvas, y, entry, theme)
    return canvas


def _line(canvas: Canvas, y: int, entry: ScriptLine | LineFailed | Said, theme: Theme) -> None:
    """When it was begun, and the line; one that fell short is marked, and says how."""
    at_ms = entry.told_ms if isinstance(entry, LineFailed) else entry.at_ms
    x = canvas.put(1, y, f"{at_ms / 1000:>6.1f} ", theme.style(DIM))
    room, more = canvas.width - x - 1, theme.glyphs.more
    match entry:
        case Said(text=text):
            canvas.put(x, y, fit(f'say "{text}"', room, more), theme.style(DIM))
        case ScriptLine(line=line):
            canvas.put(x, y, fit(line, room, more), theme.style())
        case LineFailed(line=line, how=how):
            ending = f"  {theme.glyphs.bad} {how}"
            x = canvas.put(x, y, fit(line, room - len(ending), more), theme.style(DIM))
            canvas.put(x, y, ending, theme.style(BAD))
