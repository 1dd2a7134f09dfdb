"""The whole screen: a header, the tabs, the one that is open, two sentences, the command line and the keys.

Each tab is drawn by a function of its own, in a file of its own: (view, size, theme) -> Canvas.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, groupby
from typing import TypeAlias

from kvlab.lab import actions
from kvlab.lab.actions import TAB_ACTIONS
from kvlab.lab.draw import cluster, code, data, load, messages, operation
from kvlab.lab.draw.canvas import Canvas, Row, Size, fit, shortened, wrapped
from kvlab.lab.draw.cursor import cursor
from kvlab.lab.draw.narration import narration, narration_rows
from kvlab.lab.draw.theme import ACCENT, BACKGROUND, BAD, BAR, DEAD, DIM, GOOD, TEXT, Theme
from kvlab.lab.narrate import sentences
from kvlab.lab.view import Tab, View, counted
from kvlab.script.help import Page

WIDTH_MIN, HEIGHT_MIN = 60, 20


def _talk_rows(view: View, height: int) -> int:
    """How many rows the two sentences get, or what is presented in their place."""
    if view.narration is not None:
        return narration_rows(height)
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
    _tabs(canvas, 1, view, theme)
    footer = _footer_rows(view, width)
    talk = _talk_rows(view, height)
    body: Size = (width, height - 2 - talk - 1 - footer)
    if view.page is not None:
        canvas.paste(0, 2, _page(view.page, (width, body[1] + talk), theme))
    elif view.help:
        canvas.paste(0, 2, _help(view, (width, body[1] + talk), theme))
    else:
        canvas.paste(0, 2, DRAWN[view.tab](view, body, theme))
        y = height - footer - 1 - talk
        if view.narration is not None:
            canvas.paste(0, y, narration(view.narration, view.notice, (width, talk), theme))
        else:
            _talk(canvas, y, talk, view, theme)
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
    badge = f" {view.moment.badge} "
    stage, mine = f"stage {view.stage.number}", f"   your {view.mine}" if view.mine else ""
    name = f" {theme.glyphs.between} {view.stage.name}"
    up = len(view.in_state("up"))
    alive = f"{up}/{len(view.nodes)} up"
    room = canvas.width - x - 1 - len(stage) - 3 - len(alive) - len(badge) - 1
    if len(name) + len(mine) > room:  # whose code runs says more
        name = ""
    x = canvas.put(x + 1, 0, stage + name, theme.style(TEXT, BAR))
    if mine:
        x = canvas.put(x, 0, fit(mine, room, theme.glyphs.more), theme.style(ACCENT, BAR, bold=True))
    lost = f"{view.lost} events lost" if view.lost else ""
    if view.stage.replicated and x + 30 + len(lost) + len(badge) < canvas.width:
        zones = len({node.zone for node in view.nodes})
        where = f" in {zones} zones" if zones > 1 and canvas.width >= 100 else ""
        copies = "copy" if view.n == 1 else "copies"
        x = canvas.put(x + 3, 0, f"{view.n} {copies} of a key{where}", theme.style(TEXT, BAR))
    well = up == len(view.nodes)
    x = canvas.put(x + 3, 0, alive, theme.style(GOOD if well else BAD, BAR, bold=True))
    if x + 3 + len(lost) < canvas.width - len(badge):
        canvas.put(x + 3, 0, lost, theme.style(BAD, BAR))
    colour = GOOD if view.moment.kind == "live" and not view.moment.behind else ACCENT
    canvas.put(canvas.width - len(badge) - 1, 0, badge, theme.style(BACKGROUND, colour, bold=True))


def action_at(view: View, size: Size, x: int, y: int) -> str:
    """The name of the action whose tab, or whose key in the footer, is here; "" if there is none."""
    if y == 1:
        for left, action in _tab_places():
            if left <= x < left + len(action.key) + 1 + len(action.label):
                return action.name
    line = y - size[1] + _footer_rows(view, size[0])
    if 0 <= line < _footer_rows(view, size[0]):
        for left, i in _footer_lines(view, size[0])[line]:
            hint = view.hints[i]
            if left <= x < left + len(hint.key) + 1 + len(hint.label):
                return hint.action
    return ""


# -- the tabs ------------------------------------------------------------------------------------

DRAWN: dict[Tab, Callable[[View, Size, Theme], Canvas]] = {
    "cluster": cluster.draw,
    "operation": operation.draw,
    "data": data.draw,
    "messages": messages.draw,
    "load": load.draw,
    "code": code.draw,
}


def _tab_places() -> list[tuple[int, actions.Action]]:
    """Each tab, and the column where its key stands."""
    lengths = (len(action.key) + 1 + len(action.label) + 2 for action in TAB_ACTIONS)
    return list(zip(accumulate(lengths, initial=1), TAB_ACTIONS, strict=False))


def _tabs(canvas: Canvas, y: int, view: View, theme: Theme) -> None:
    """The six tabs: the one that is open on a ground of its own, grey those that have nothing to show."""
    canvas.fill(y, theme.style(DIM, BAR))
    for x, action in _tab_places():
        chosen, usable = action.tab == view.tab, not action.refusal(view)
        text, ground = (BACKGROUND, ACCENT) if chosen else (TEXT if usable else DEAD, BAR)
        if chosen:
            canvas.put(x - 1, y, f" {action.key} {action.label} ", theme.style(text, ground, bold=True))
        else:
            canvas.put(x, y, action.key, theme.style(ACCENT if usable else DEAD, BAR, bold=usable))
            canvas.put(x + 2, y, action.label, theme.style(text, ground))


# -- help ----------------------------------------------------------------------------------------


HelpRow: TypeAlias = tuple[str, list[str], bool]
"""Keys, what they do in as many lines as that takes, and whether none of them can be used now."""


def _help_rows(view: View, width: int) -> list[HelpRow]:
    rows: list[HelpRow] = []
    for text, actions_of_row in groupby(actions.of(view), lambda action: action.help):
        group = list(actions_of_row)
        keys = [one.shown_key or one.key for one in group]
        shown_keys = " ".join(keys) if len(keys) < 3 else f"{keys[0]} - {keys[-1]}"
        rows.append((shown_keys, wrapped(text, width - 10), all(one.refusal(view) for one in group)))
    return rows


def _help_paged(rows: list[HelpRow], height: int) -> list[list[HelpRow]]:
    """One page if all fit; else pages that have a line below them for what is left."""
    if sum(len(lines) for _, lines, _ in rows) <= height:
        return [rows]
    pages: list[list[HelpRow]] = [[]]
    left = height - 1
    for row in rows:
        if len(row[1]) > left and pages[-1]:
            pages.append([])
            left = height - 1
        pages[-1].append(row)
        left -= len(row[1])
    return pages


def _help(view: View, size: Size, theme: Theme) -> Canvas:
    """The keys and what they do; as many of them as fit, the others one `?` further on."""
    width, height = size
    canvas = Canvas(size, theme.style())
    pages = _help_paged(_help_rows(view, width), height)
    y = 0
    for keys, lines, refused in pages[min(view.help, len(pages)) - 1]:
        canvas.put(0, y, f"{theme.key(keys):>7}", theme.style(DEAD if refused else ACCENT, bold=not refused))
        for line in lines:
            canvas.put(9, y, line, theme.style(DIM if refused else TEXT))
            y += 1
    if left := sum(map(len, pages[view.help :])):
        canvas.put(
            1, height - 1, f"{theme.glyphs.more} {counted(left, 'row')} more: press ?", theme.style(DIM)
        )
    return canvas


def help_pages(view: View, size: Size) -> int:
    """In how many pages the keys are told in a window of this size."""
    height = size[1] - 3 - _footer_rows(view, size[0])
    return len(_help_paged(_help_rows(view, size[0]), height))


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
    x = 1
    if view.moment.behind:
        x = cursor(canvas, x, y, view.moment, canvas.width // 2, theme) + 3
    x = canvas.put(x, y, f"{theme.glyphs.prompt} ", theme.style(DIM))
    canvas.put(x, y, fit(last, canvas.width - x - 1, theme.glyphs.more), theme.style(DIM))


def _footer_rows(view: View, width: int) -> int:
    return len(_footer_lines(view, width))


def _footer_lines(view: View, width: int) -> list[list[tuple[int, int]]]:
    """The keys, by their column and their place in `hints`, in two rows at most.

    Where those do not hold all, others are left out before the last two, help and quit: help names them.
    """
    places = list(range(len(view.hints)))
    while len(lines := _lines_of(view, places, width)) > 2:
        del places[-3]
    return lines


def _lines_of(view: View, places: list[int], width: int) -> list[list[tuple[int, int]]]:
    """These of the keys, in as many rows as it takes."""
    lines: list[list[tuple[int, int]]] = [[]]
    x = 1
    for i in places:
        hint = view.hints[i]
        length = len(hint.key) + 1 + len(hint.label) + 2
        if x + length - 2 > width and lines[-1]:
            lines.append([])
            x = 1
        lines[-1].append((x, i))
        x += length
    return lines


def _footer(canvas: Canvas, y: int, view: View, theme: Theme) -> None:
    """Each key and its name; grey, or faint where there is no colour, what cannot be used now."""
    for line in _footer_lines(view, canvas.width):
        canvas.fill(y, theme.style(TEXT, BAR))
        for left, i in line:
            hint = view.hints[i]
            usable = not hint.why_not
            x = canvas.put(left, y, hint.key, theme.style(ACCENT if usable else DEAD, BAR, bold=usable))
            canvas.put(x + 1, y, hint.label, theme.style(TEXT if usable else DEAD, BAR))
        y += 1
