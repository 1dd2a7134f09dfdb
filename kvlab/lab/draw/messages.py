"""The messages tab: what is under way between the nodes, what has arrived last, and what was dropped.

The newest stands first. Heartbeats are not shown unless asked for: there are so many that one would see
nothing else. In the simulator one message is chosen, and keys decide what becomes of it.
"""

from __future__ import annotations

from kvlab.lab.draw.canvas import Canvas, Size, fit, shown, wrapped
from kvlab.lab.draw.panels import MEANS
from kvlab.lab.draw.theme import ACCENT, BAD, BAR, DIM, TEXT, Theme
from kvlab.lab.view import View, counted
from kvlab.lab.wire import OffWire, OnWire
from kvlab.trace.model import HEARTBEATS

WIDE = 100
REASONS = {
    "partition": "the network is cut",
    "loss": "the link loses messages",
    "no connection": "nobody listens there",
    "receiver down": "the receiver is down",
    "buffer full": "too much is waiting to be sent",
    "by hand": "dropped by hand",
}
"""Why a message will never arrive, in words."""


def draw(view: View, size: Size, theme: Theme) -> Canvas:
    """The whole tab."""
    width, height = size
    canvas = Canvas(size, theme.style())
    dropped = max(3, height // 5)
    left = height - dropped
    arrived = left - max(7, left // 3)
    if view.simulated:  # there they can be held, and one is chosen
        arrived = left // 2 if left >= 16 else 0
    _under_way(canvas, left - arrived - 1, view, theme)
    for y, rows, part in (
        (height - dropped - arrived, arrived, _arrived),
        (height - dropped, dropped, _dropped),
    ):
        below = Canvas((width, rows - (part is _arrived)), theme.style())
        part(below, view, theme)
        canvas.paste(0, y, below)
    return canvas


def _under_way(canvas: Canvas, height: int, view: View, theme: Theme) -> None:
    """The messages under way, in so many rows."""
    rows = view.wire_shown
    beats = sum(row.copies for row in view.wire if row.kind in HEARTBEATS)
    x = canvas.put(1, 0, f"UNDER WAY {sum(row.copies for row in rows)}", theme.style(TEXT, bold=True))
    order = ", the newest first" if len(rows) > 1 else ""
    hidden = f"   {counted(beats, 'heartbeat')} not shown" if beats and not view.heartbeats else ""
    canvas.put(x, 0, f"{order}{hidden}", theme.style(DIM))
    if not rows:
        for y, line in enumerate(wrapped(_nothing(view), canvas.width - 2), start=2):
            if y < height:
                canvas.put(1, y, line, theme.style())
        return
    head = _row(canvas, ("", "FROM", "", "TO", "MESSAGE", "KEY", "FOR", "AGE", "ARRIVES"))
    canvas.put(1, 1, head, theme.style(DIM))
    room = height - 2
    at = next((i for i, row in enumerate(rows) if row.name == view.message), 0)
    first = max(0, min(at - room // 2, len(rows) - room))
    for y, row in enumerate(rows[first : first + room], start=2):
        _message(canvas, y, row, view, theme)
    if len(rows) > first + room:
        canvas.put(1, height, f"{theme.glyphs.more} {len(rows) - first - room} more", theme.style(DIM))


def _row(canvas: Canvas, cells: tuple[str, ...]) -> str:
    """One row of the table; in a wide window there is room for what a message means."""
    wide = canvas.width >= WIDE
    widths = (1, 4, 1, 4, 34 if wide else 12, 16 if wide else 12, 22 if wide else 16, 8, 14)
    return " ".join(f"{fit(cell, w):<{w}}" for cell, w in zip(cells, widths, strict=True))


def _message(canvas: Canvas, y: int, row: OnWire, view: View, theme: Theme) -> None:
    chosen = view.in_hand and row.name == view.message
    glyphs = theme.glyphs
    kind = row.kind
    if canvas.width >= WIDE and (means := MEANS.get(row.kind)):
        kind += f": {means}"
    age = _time(view.now_ms - row.sent_ms) if row.sent_ms is not None else ""
    due = f"in {_time(row.due_ms - view.now_ms)}" if row.due_ms is not None else ""
    due += f" x{row.copies}" if row.copies > 1 else ""
    cells = (
        glyphs.prompt if chosen else "", row.sender, glyphs.sends, row.to, kind, shown(row.key, 16),
        row.why or "background", f"{age}" if age else "", due,
    )  # fmt: skip
    ground = BAR if chosen else ""
    style = theme.style(ACCENT, ground, bold=True) if chosen else theme.style()
    if chosen:
        canvas.fill(y, style)
    canvas.put(1, y, _row(canvas, cells), style)
    if not chosen:
        canvas.put(3, y, row.sender, theme.style(theme.node_colour(row.sender), bold=True))
        canvas.put(10, y, row.to, theme.style(theme.node_colour(row.to), bold=True))


def _time(ms: float) -> str:
    """A duration in at most seven characters."""
    if ms >= 10_000:
        return f"{ms / 1000:.0f} s"
    return f"{max(0.0, ms):.{0 if ms >= 100 else 1}f} ms"


def _nothing(view: View) -> str:
    """Why the list is empty, and what would fill it."""
    if view.moment.behind or view.moment.kind == "replay":
        return "Nothing is under way at this moment: n steps on, > leads to what happened next."
    slow = "On healthy links a message is there within "
    if view.simulated:
        return (
            f"Nothing is under way. {slow}3 ms. Press space to hold the world, w to write, and n for one "
            "step after the other: while the messages hang in the air, choose one and let it arrive now "
            "(Enter), never (d) or twice (t)."
        )
    return (
        f"Nothing is under way. {slow}1 ms, too fast to be seen: press s and a number to slow a node, and "
        "then w. What becomes of real messages nobody can decide; kvlab lab N --world sim lets you."
    )


def _arrived(canvas: Canvas, view: View, theme: Theme) -> None:
    """The last that have arrived, the newest first: on healthy links, all that is to be seen of them."""
    canvas.put(1, 0, "ARRIVED LAST, without heartbeats", theme.style(DIM))
    if not view.arrived:
        canvas.put(1, 1, "none yet", theme.style(DIM))
    glyphs = theme.glyphs
    for y, row in enumerate(view.arrived[: canvas.height - 1], start=1):
        x = canvas.put(1, y, f"{row.at_ms / 1000:>7.2f} s ", theme.style(DIM))
        x = canvas.put(x, y, f"{row.sender:<3}", theme.style(theme.node_colour(row.sender)))
        x = canvas.put(x, y, f" {glyphs.sends} ", theme.style(DIM))
        x = canvas.put(x, y, f"{row.to:<3} ", theme.style(theme.node_colour(row.to)))
        means = f": {MEANS[row.kind]}" if canvas.width >= WIDE and row.kind in MEANS else ""
        what = f"{row.kind + means:<{34 if canvas.width >= WIDE else 12}}"
        about = " ".join(filter(None, (what, f"{shown(row.key, 16):<12}", row.why and f"for {row.why}")))
        canvas.put(x, y, fit(about, canvas.width - x - 1, glyphs.more), theme.style())


def _dropped(canvas: Canvas, view: View, theme: Theme) -> None:
    """The last that will never arrive, the newest first."""
    rows = view.dropped if not view.heartbeats else view.dropped_heartbeats
    what = "heartbeats" if view.heartbeats else "messages"
    canvas.put(1, 0, f"DROPPED LAST: {what} that will never arrive", theme.style(DIM))
    if not rows:
        canvas.put(1, 1, "none", theme.style(DIM))
    for y, row in enumerate(rows[: canvas.height - 1], start=1):
        _lost(canvas, y, row, view, theme)


def _lost(canvas: Canvas, y: int, row: OffWire, view: View, theme: Theme) -> None:
    glyphs = theme.glyphs
    x = canvas.put(1, y, f"{row.at_ms / 1000:>7.2f} s ", theme.style(DIM))
    x = canvas.put(x, y, f"{row.sender:<3}", theme.style(theme.node_colour(row.sender)))
    x = canvas.put(x, y, f" {glyphs.lost} ", theme.style(BAD, bold=True))
    x = canvas.put(x, y, f"{row.to:<3} ", theme.style(theme.node_colour(row.to)))
    about = " ".join(filter(None, (row.kind, shown(row.key, 16), row.why and f"for {row.why}")))
    reason = REASONS.get(row.reason, row.reason)
    x = canvas.put(x, y, f"{reason}: ", theme.style(BAD))
    canvas.put(x, y, fit(about, canvas.width - x - 1, glyphs.more), theme.style())
