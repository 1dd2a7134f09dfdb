"""One key at each of its replicas: the values, the writes they stem from, and what each replica has seen."""

from __future__ import annotations

from datetime import UTC, datetime

from kvlab.core import clocks
from kvlab.lab.draw.canvas import shown
from kvlab.lab.draw.lines import INDENT, Bit, Line, badge, cut, heading, said
from kvlab.lab.draw.theme import ACCENT, BAD, DIM, GOOD, TEXT, Theme
from kvlab.lab.verdict import verdict, write_of
from kvlab.lab.view import Held, View
from kvlab.messages import Siblings, Version

VALUE_WIDTH = 20
ROLE_WIDTH = 14


def copies(view: View, width: int, theme: Theme) -> list[Line]:
    """Who holds what, a row a value, and the verdict below."""
    where = "at its home replicas, in order" if view.homes else "on every node"
    lines: list[Line] = [heading("DATA", f"{shown(view.key, 24)} {where}")]
    for held in view.holdings:
        lines += [cut(line, width, theme) for line in _held(held, view, theme)]
    told = verdict(view)
    lines.append(())
    for sentence in told or ["Nobody holds anything under this key: press w to write it."]:
        bad = "behind" in sentence or "CONCURRENT" in sentence or "differ" in sentence
        lines += said(sentence, width - 2, ACCENT if bad else GOOD if told else DIM)
    return lines


def _held(held: Held, view: View, theme: Theme) -> list[Line]:
    """One node's rows."""
    start = (badge(held.node, view, theme), Bit(f" {_role(held):<{ROLE_WIDTH}}", DIM))
    node = view.node(held.node)
    if node is not None and node.state == "down":
        return [(*start, Bit(f"{theme.glyphs.down} is down", BAD))]
    if held.owner is not None:
        value = shown(held.values[0], VALUE_WIDTH) if held.values else "a copy"
        return [(*start, Bit(value, ACCENT, bold=True), Bit("  as a hint, apart from its own keys", DIM))]
    if not held.told:
        return [(*start, Bit("it has not told what it holds", DIM))]
    values = _values(held)
    more = [(Bit(INDENT + " " * ROLE_WIDTH), *value) for value in values[1:]]
    return [(*start, *values[0], *_history(held)), *more]


def _role(held: Held) -> str:
    if held.owner is not None:
        return f"keeps for {held.owner}"
    return f"{_ordinal(held.place)} home" if held.place else ""


def _ordinal(place: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(place, "th")
    return f"{place}{ending}"


def _values(held: Held) -> list[Line]:
    """Each value with the name of its write."""
    match held.copy:
        case Siblings(siblings=siblings):
            conflict = len(siblings) > 1
            return [
                (_value(s.value, ACCENT if conflict else TEXT), Bit(f" {write_of(s.dot):<6}", DIM))
                for s in siblings
            ] or [(Bit("nothing", DIM),)]
        case Version(value=value, stamp_ms=stamp_ms):
            at = datetime.fromtimestamp(stamp_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
            return [(_value(value, TEXT), Bit(f" written {at} UTC", DIM))]
        case _:
            return [(_value(value, TEXT),) for value in held.values] or [(Bit("nothing", DIM),)]


def _value(value: bytes | None, colour: str) -> Bit:
    if value is None:
        return Bit(f"{'(deleted)':<{VALUE_WIDTH}}", DIM)
    return Bit(f"{shown(value, VALUE_WIDTH):<{VALUE_WIDTH}}", colour, bold=True)


def _history(held: Held) -> Line:
    if not isinstance(held.copy, Siblings):
        return ()
    return (Bit("  has seen ", DIM), Bit(clocks.shown(held.copy.context)))
