"""All keys, one a row, and how each node stands to them: which replicas have gone apart is seen at once."""

from __future__ import annotations

from kvlab.lab.draw.canvas import Canvas, Size, fit, shown
from kvlab.lab.draw.theme import ACCENT, BACKGROUND, BAD, DIM, MARK, TEXT, Theme
from kvlab.lab.keys import KeyRow, Standing
from kvlab.lab.view import View, counted
from kvlab.messages import NodeId

ROWS_MIN = 4
KEY_WIDTH, VALUE_WIDTH = 16, 22
MEANINGS: dict[Standing, str] = {
    "holds": "as it should be",
    "behind": "an older copy",
    "differs": "they differ",
    "lacks": "nothing",
    "hint": "a hint",
    "down": "down",
    "unknown": "not told",
    "spare": "not its home",
}


def keys(view: View, size: Size, theme: Theme) -> Canvas:
    """The table, around the key shown; empty where nothing is held, or where there is no room for it."""
    width, height = size
    canvas = Canvas(size, theme.style())
    if height < ROWS_MIN or not view.keys:
        return canvas
    conflicts = sum(len(row.values) > 1 for row in view.keys)
    apart = sum(row.apart for row in view.keys)
    x = canvas.put(1, 0, "KEYS", theme.style(ACCENT, bold=True))
    about = counted(len(view.keys), "key")
    x = canvas.put(x + 2, 0, about, theme.style(DIM))
    for count, what in ((conflicts, "with siblings"), (apart, "not alike everywhere")):
        if count:
            x = canvas.put(x, 0, f", {count} {what}", theme.style(ACCENT))
    choose = "up down choose: w and g take that key"
    if len(view.keys) > 1 and x + len(choose) + 3 < width:
        canvas.put(width - len(choose) - 1, 0, choose, theme.style(DIM))
    values = min(VALUE_WIDTH, max(8, width - 6 - KEY_WIDTH - 4 * len(view.nodes)))
    columns = {node.node: 5 + KEY_WIDTH + values + 4 * i for i, node in enumerate(view.nodes)}
    canvas.put(3, 1, "KEY", theme.style(DIM))
    canvas.put(4 + KEY_WIDTH, 1, "VALUE", theme.style(DIM))
    for node in view.nodes:
        style = theme.style(theme.node_colour(node.node, node.state), bold=True)
        canvas.put(columns[node.node], 1, f"{node.node:<3}", style)
    legend = height > ROWS_MIN + 1
    room = height - 2 - legend
    at = next((i for i, row in enumerate(view.keys) if row.key == view.key), 0)
    first = max(0, min(at - room // 2, len(view.keys) - room))
    for y, row in enumerate(view.keys[first : first + room], start=2):
        _row(canvas, y, row, values, columns, view, theme)
    if legend:
        _legend(canvas, 2 + min(room, len(view.keys)), view, theme)
    return canvas


def _row(
    canvas: Canvas, y: int, row: KeyRow, values: int, columns: dict[NodeId, int], view: View, theme: Theme
) -> None:
    ground = MARK if row.key == view.key else BACKGROUND
    if row.key == view.key:
        canvas.fill(y, theme.style(TEXT, ground))
        canvas.put(1, y, theme.glyphs.begins, theme.style(ACCENT, ground, bold=True))
    more = theme.glyphs.more
    colour = ACCENT if row.amiss else TEXT
    canvas.put(3, y, fit(shown(row.key), KEY_WIDTH, more), theme.style(colour, ground, bold=True))
    value = " and ".join(shown(value) for value in row.values) or "(deleted)"
    canvas.put(4 + KEY_WIDTH, y, fit(value, values, more), theme.style(colour, ground))
    for node, x in columns.items():
        if (standing := row.standings.get(node)) is not None:
            glyph, colour = _sign(standing, node, theme)
            canvas.put(x, y, glyph, theme.style(colour, ground, bold=True))


def _sign(standing: Standing, node: NodeId, theme: Theme) -> tuple[str, str]:
    """The glyph and its colour: no two have one glyph."""
    glyphs = theme.glyphs
    match standing:
        case "holds":
            return glyphs.holds, theme.node_colour(node)
        case "behind":
            return glyphs.equal, ACCENT
        case "differs":
            return "!", ACCENT
        case "lacks":
            return glyphs.lost, BAD
        case "hint":
            return "h", ACCENT
        case "down":
            return "-", DIM
        case "unknown":
            return "?", DIM
        case "spare":
            return "s", DIM


def _legend(canvas: Canvas, y: int, view: View, theme: Theme) -> None:
    """What the signs in the table mean; only those that are there."""
    x = 3
    there = {standing for row in view.keys for standing in row.standings.values()}
    for standing, meaning in MEANINGS.items():
        if standing in there:
            glyph, colour = _sign(standing, NodeId("n1"), theme)
            if x + len(meaning) + 4 > canvas.width:
                return
            x = canvas.put(x, y, glyph, theme.style(TEXT if standing == "holds" else colour, bold=True))
            x = canvas.put(x + 1, y, meaning, theme.style(DIM)) + 3
