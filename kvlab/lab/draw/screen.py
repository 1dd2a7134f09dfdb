"""The whole screen: a header, the panels that fit, two sentences, the command line and the keys."""

from __future__ import annotations

from itertools import groupby

from kvlab.lab.actions import ACTIONS
from kvlab.lab.draw import panels
from kvlab.lab.draw.canvas import Canvas, Row, Size, fit, shortened, wrapped
from kvlab.lab.draw.ring import legible, ring, strip
from kvlab.lab.draw.theme import ACCENT, BACKGROUND, BAD, BAR, DEAD, DIM, FAINT, GOOD, TEXT, Theme
from kvlab.lab.narrate import sentences
from kvlab.lab.view import View
from kvlab.script.help import Page

WIDTH_MIN, HEIGHT_MIN = 60, 20


def _talk_rows(height: int) -> int:
    """How many rows the two sentences get."""
    return 3 if height >= 24 else 2


def screen(view: View, size: Size, theme: Theme) -> list[Row]:
    """The finished picture."""
    return compose(view, size, theme).rows()


def compose(view: View, size: Size, theme: Theme) -> Canvas:
    """The finished picture, as a canvas: a test looks at its text."""
    canvas = _compose(view, size, theme)
    if theme.ascii:
        canvas.to_ascii()
    return canvas


def command_row(view: View, size: Size) -> int:
    """The row of the command line: the application puts its input there."""
    return size[1] - 1 - _footer_rows(view, size[0])


def _compose(view: View, size: Size, theme: Theme) -> Canvas:
    width, height = size
    canvas = Canvas(size, theme.style())
    if width < WIDTH_MIN or height < HEIGHT_MIN:
        return _too_small(canvas, size, theme)
    _header(canvas, view, theme)
    footer = _footer_rows(view, width)
    talk = _talk_rows(height)
    body: Size = (width, height - 1 - talk - 1 - footer)
    if view.page is not None:
        canvas.paste(0, 1, _page(view.page, (width, body[1] + talk), theme))
    elif view.help:
        canvas.paste(0, 1, _help(view, (width, body[1] + talk), theme))
    else:
        canvas.paste(0, 1, _body(view, body, theme))
        _talk(canvas, height - footer - 1 - talk, talk, view, theme)
    _command(canvas, height - footer - 1, view, theme)
    _footer(canvas, height - footer, view, theme)
    return canvas


def _too_small(canvas: Canvas, size: Size, theme: Theme) -> Canvas:
    text = (
        f"The lab needs {WIDTH_MIN} columns and {HEIGHT_MIN} rows; this window has {size[0]} and {size[1]}. "
        "Make it larger, or its letters smaller. q quits."
    )
    for y, line in enumerate(wrapped(text, size[0])):
        canvas.put(0, y, line, theme.style())
    return canvas


def _header(canvas: Canvas, view: View, theme: Theme) -> None:
    canvas.fill(0, theme.style(TEXT, BAR))
    x = canvas.put(1, 0, "kvlab ", theme.style(ACCENT, BAR, bold=True))
    between = theme.glyphs.between
    x = canvas.put(x + 1, 0, f"stage {view.stage.number} {between} {view.stage.name}", theme.style(TEXT, BAR))
    if view.stage.replicated and canvas.width >= 76:
        zones = len({node.zone for node in view.nodes})
        where = f" in {zones} zones" if zones > 1 and canvas.width >= 100 else ""
        copies = "copy" if view.n == 1 else "copies"
        x = canvas.put(x + 3, 0, f"{view.n} {copies} of a key{where}", theme.style(TEXT, BAR))
    up = len(view.in_state("up"))
    well = up == len(view.nodes)
    x = canvas.put(x + 3, 0, f"{up}/{len(view.nodes)} up", theme.style(GOOD if well else BAD, BAR, bold=True))
    if view.lost and x + 24 < canvas.width - len(view.badge):
        canvas.put(x + 3, 0, f"{view.lost} events lost", theme.style(BAD, BAR))
    badge = f" {view.badge} "
    colour = GOOD if view.badge == "LIVE" else ACCENT
    canvas.put(canvas.width - len(badge) - 1, 0, badge, theme.style(BACKGROUND, colour, bold=True))


# -- the panels ----------------------------------------------------------------------------------


def _body(view: View, size: Size, theme: Theme) -> Canvas:
    width, height = size
    if view.maximised:
        return panels.operation(view, size, theme)
    left: Size = (width - max(panels.ROW_OF_NODES + 3, width * 2 // 5), height)
    if width >= 100 and (not view.stage.ring or legible(view.ring, (left[0], height - 1))):
        return _wide(view, size, left, theme)
    return _narrow(view, size, theme)


def _wide(view: View, size: Size, left: Size, theme: Theme) -> Canvas:
    """The ring to the left; nodes, operation and log to the right."""
    width, height = size
    canvas = Canvas(size, theme.style())
    main = ring(view, left, theme) if view.stage.ring else _held(view, left, theme)
    canvas.paste(0, 0, main)
    x = left[0] + 1
    for y in range(height):
        canvas.put(left[0], y, theme.glyphs.yes, theme.style(FAINT))
    right = width - x
    nodes = _nodes_rows(view, height // 2)
    lines = 5 if height >= 28 else 0
    canvas.paste(x, 0, panels.nodes(view, (right, nodes), theme))
    canvas.paste(x, nodes + 1, panels.operation(view, (right, height - nodes - 2 - lines), theme))
    if lines:
        canvas.paste(x, height - lines, panels.log(view, (right, lines), theme))
    return canvas


def _narrow(view: View, size: Size, theme: Theme) -> Canvas:
    """The ring as a strip; below it the nodes and the operation, side by side if there is room."""
    width, height = size
    canvas = Canvas(size, theme.style())
    top = 0
    if view.stage.ring:
        canvas.paste(0, 0, strip(view, (width, 3), theme))
        top = 4 if height >= 22 else 3
    rest = height - top
    if width < panels.ROW_OF_NODES + 31:
        nodes = _nodes_rows(view, max(3, rest - 4))
        canvas.paste(0, top, panels.nodes(view, (width, nodes), theme))
        canvas.paste(0, top + nodes, panels.operation(view, (width, rest - nodes), theme))
        return canvas
    nodes_width = panels.ROW_OF_NODES
    nodes = _nodes_rows(view, rest)
    canvas.paste(0, top, panels.nodes(view, (nodes_width, nodes), theme))
    below = rest - nodes - 1
    if not view.stage.ring and below >= 5:
        canvas.paste(0, top + nodes + 1, _held(view, (nodes_width, below), theme))
    elif below >= 3:
        canvas.paste(0, top + nodes + 1, panels.log(view, (nodes_width, below), theme))
    canvas.paste(nodes_width, top, panels.operation(view, (width - nodes_width, rest), theme))
    return canvas


def _held(view: View, size: Size, theme: Theme) -> Canvas:
    """Where there is no ring: what the node holds, or what each of the mirrors does."""
    return panels.mirrors(view, size, theme) if view.stage.mirrored else panels.store(view, size, theme)


def _nodes_rows(view: View, most: int) -> int:
    return min(most, 1 + len(view.nodes) + len(panels.network(view)))


# -- help ----------------------------------------------------------------------------------------


def _help(view: View, size: Size, theme: Theme) -> Canvas:
    """The keys, one a row, and what they do."""
    width, height = size
    canvas = Canvas(size, theme.style())
    rows = [list(group) for _, group in groupby(ACTIONS, lambda action: action.help)]
    for y, (action, *others) in enumerate(rows[:height]):
        refusal = action.refusal(view)
        keys = " ".join(one.shown_key or one.key for one in (action, *others))
        canvas.put(1, y, f"{keys:>5}", theme.style(DEAD if refusal else ACCENT, bold=not refusal))
        text = fit(action.help, width - 9, theme.glyphs.more)
        canvas.put(8, y, text, theme.style(DIM if refusal else TEXT))
    _cut_off(canvas, len(rows), theme)
    return canvas


def _cut_off(canvas: Canvas, needed: int, theme: Theme) -> None:
    """Say in the last row how many rows did not fit, if any."""
    if (left_out := needed - canvas.height) > 0:
        canvas.fill(canvas.height - 1, theme.style())
        more = f"{theme.glyphs.more} {left_out + 1} more rows: make the window taller"
        canvas.put(1, canvas.height - 1, more, theme.style(DIM))


def _page(page: Page, size: Size, theme: Theme) -> Canvas:
    """A page to be read: its title, and its paragraphs below each other, or side by side where they fit."""
    width = size[0]
    canvas = Canvas(size, theme.style())
    leave = "Esc: back"
    title = fit(page.title, width - len(leave) - 3, theme.glyphs.more)
    canvas.put(1, 0, title, theme.style(ACCENT, bold=True))
    canvas.put(width - len(leave) - 1, 0, leave, theme.style(DIM))
    half, y, beside = width // 2, 1, False
    for paragraph in page.paragraphs:
        short = page.short and len(paragraph) < half - 1
        if short and beside:
            canvas.put(half, y - 1, paragraph, theme.style())
            beside = False
            continue
        lines = wrapped(paragraph, width - 2)
        for line in lines:
            canvas.put(1, y, line, theme.style())
            y += 1
        y += not page.short  # a blank row between paragraphs
        beside = short
    _cut_off(canvas, y if page.short else y - 1, theme)
    return canvas


# -- below the panels ----------------------------------------------------------------------------


def _talk(canvas: Canvas, y: int, rows: int, view: View, theme: Theme) -> None:
    """What the lab has to say, or what just happened; and what to try next."""
    for row in range(y, y + rows):
        canvas.fill(row, theme.style(TEXT, BAR))
    what, try_next = sentences(view)
    width = canvas.width - 2
    first, colour = (view.notice, ACCENT) if view.notice else (what, TEXT)
    lines = wrapped(first, width)
    advice = wrapped(try_next, width) if try_next else []
    lines = shortened(lines, rows - 1 if advice else rows, width, theme.glyphs.cut)
    for i, line in enumerate(lines):
        canvas.put(1, y + i, line, theme.style(colour, BAR, bold=True))
    y += len(lines)
    for line in shortened(advice, rows - len(lines), width, theme.glyphs.cut):
        canvas.put(1, y, line, theme.style(ACCENT, BAR))
        y += 1


def _command(canvas: Canvas, y: int, view: View, theme: Theme) -> None:
    """The question that is open, or the last line that was done."""
    if view.prompt:
        canvas.put(1, y, fit(view.prompt, canvas.width - 2), theme.style(ACCENT, bold=True))
        return
    last = next((getattr(entry, "line", "") for entry in reversed(view.log) if hasattr(entry, "line")), "")
    x = canvas.put(1, y, f"{theme.glyphs.prompt} ", theme.style(DIM))
    canvas.put(x, y, fit(last, canvas.width - x - 1, theme.glyphs.more), theme.style(DIM))


def _footer_rows(view: View, width: int) -> int:
    return min(2, len(_footer_lines(view, width)) or 1)


def _footer_lines(view: View, width: int) -> list[list[int]]:
    """The keys, by their place in `hints`, in as many rows as it takes."""
    lines: list[list[int]] = [[]]
    x = 1
    for i, hint in enumerate(view.hints):
        length = len(hint.key) + 1 + len(hint.label) + 2
        if x + length - 2 > width and lines[-1]:
            lines.append([])
            x = 1
        lines[-1].append(i)
        x += length
    return lines


def _footer(canvas: Canvas, y: int, view: View, theme: Theme) -> None:
    """Each key and its name; grey what cannot be used now, in parentheses where there is no grey."""
    for line in _footer_lines(view, canvas.width)[:2]:
        canvas.fill(y, theme.style(TEXT, BAR))
        x = 1
        for i in line:
            hint = view.hints[i]
            usable = not hint.why_not
            x = canvas.put(x, y, hint.key, theme.style(ACCENT if usable else DEAD, BAR, bold=usable))
            x = canvas.put(x + 1, y, hint.label, theme.style(TEXT if usable else DEAD, BAR)) + 2
        y += 1
