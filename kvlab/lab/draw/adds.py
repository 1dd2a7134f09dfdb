"""What a stage adds, as it stands at this moment: one row under the goal, the first that the eye falls on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from rich.cells import cell_len

from kvlab.core import clocks
from kvlab.lab.draw.canvas import shown
from kvlab.lab.draw.lines import Bit, Line, badge
from kvlab.lab.draw.panels import size_of
from kvlab.lab.draw.theme import ACCENT, BAD, DIM, TEXT, Theme
from kvlab.lab.verdict import listed
from kvlab.lab.view import View, counted, ring_of
from kvlab.messages import NodeId, Siblings
from kvlab.trace.events import Exchanged

FOUND_MS = 10_000
"""For so long it is told that two trees differed, rather than that others are equal."""


def adds(view: View, width: int, theme: Theme) -> Line:
    """A title and what there is to say in so many columns; () at the start, and in stage 1, whose one dict is
    the picture."""
    if view.stage.nodes_max == 1 or not view.ready:
        return ()
    match view.stage.number:
        case 2:
            title, bits = f"CHOICE {view.choice}", _choice(view)
        case 3:
            title, bits = "SHARES", _shares(view, theme)
        case 4:
            title, bits = f"COPIES N={view.n}", _copies(view)
        case 5:
            title, bits = f"QUORUM N={view.n} R={view.r} W={view.w}", _quorum(view)
        case 6:
            title = "SIBLINGS"
            bits = _first_that_fits(_siblings(view), width - len(title) - 2)
        case 7:
            title = "GOSSIP"
            bits = _first_that_fits(_gossip(view, theme), width - len(title) - 2)
        case 8:
            title, bits = "HINTS", _hints(view, theme)
        case _:
            title, bits = "TREES", _trees(view, theme)
    return (Bit(title, ACCENT, bold=True), Bit("  "), *bits)


def _first_that_fits(lines: list[Line], width: int) -> Line:
    """The fullest of these that has room; the last if none has."""
    fits = (line for line in lines if cell_len("".join(bit.text for bit in line).rstrip()) < width)
    return next(fits, lines[-1])


def _choice(view: View) -> Line:
    locked = [node.node for node in view.nodes if node.missing]
    if view.choice == "ap":
        if view.groups:
            return (Bit("both sides of the cut go on writing; at heal the later write wins", ACCENT),)
        return (Bit("writes go on also while the network is cut, and are reconciled after it"),)
    if locked:
        verb = "takes" if len(locked) == 1 else "take"
        return (Bit(f"{listed(locked)} {verb} no writes: somebody is missing", BAD, bold=True),)
    return (Bit("writes are taken as long as every node hears every other"),)


def _shares(view: View, theme: Theme) -> Line:
    """Of the circle, and so, about, of the keys."""
    shares = ring_of(view.ring).shares()
    bits: list[Bit] = []
    for node, share in shares.items():
        bits += [badge(node, view, theme), Bit(f" {share:.0%} ")]
    return tuple(bits)


def _copies(view: View) -> Line:
    up = _homes_up(view)
    of = f"{up} of {len(view.homes)} replicas of the key {'is' if up == 1 else 'are'} up"
    if view.w == 1:
        return (Bit(f"{of}; a write trusts the first that has it", TEXT if up else BAD),)
    if up < len(view.homes):
        return (Bit(f"{of}: a write waits for all, in vain", BAD, bold=True),)
    return (Bit(f"{of}; a write waits for them all"),)


def _quorum(view: View) -> Line:
    up, r, w = _homes_up(view), view.r or 0, view.w or 0
    not_done = [what for what, need in (("written", w), ("read", r)) if up < need]
    if not_done:
        key = shown(view.key, 12)
        return (
            Bit(f"{up} of {view.n} replicas up: {key} cannot be {' or '.join(not_done)}", BAD, bold=True),
        )
    if r + w > view.n:
        return (Bit("R + W > N: every read meets the last write at one replica"),)
    return (Bit("R + W <= N: a read may miss the last write", ACCENT),)


def _siblings(view: View) -> list[Line]:
    """The same in more and in fewer words."""
    copies = [held.copy for held in view.holdings if isinstance(held.copy, Siblings)]
    values = reduce(clocks.merged, copies).values if copies else ()
    others = view.conflicts - (len(values) > 1)
    more = f"; {counted(others, 'other key')} too" if others > 0 else ""
    if len(values) > 1:
        both = "both" if len(values) == 2 else "all"
        names = " and ".join(shown(value, 12) for value in values)
        told = [f"{both} stay: {names}", f"{len(values)} values stay"]
        why = ", for no writer had seen the other"
        texts = (told[0] + why + more, told[1] + why + more, told[1] + more)
        return [(Bit(text, ACCENT, bold=True),) for text in texts]
    if others > 0:
        return [(Bit(f"of {counted(others, 'key')}: 3 shows which", ACCENT),)]
    return [(Bit("none: whoever wrote had seen what the write replaces"),)]


def _gossip(view: View, theme: Theme) -> list[Line]:
    """Who is taken for anything but alive, and by how many; then in fewer words; then without names."""
    observers = [node for node in view.nodes if node.state in ("up", "paused")]
    full: dict[tuple[str, str], list[NodeId]] = {}
    without_alive: dict[tuple[str, str], list[NodeId]] = {}
    short: dict[tuple[str, str], list[NodeId]] = {}
    for node in view.nodes:
        beliefs = [one.beliefs.get(node.node, "alive") for one in observers if one.node != node.node]
        failed, suspect = beliefs.count("failed"), beliefs.count("suspect")
        if not failed and not suspect:
            continue
        told = [f"failed for {failed}"] if failed else []
        told += [f"suspected by {suspect}"] if suspect else []
        colour = BAD if failed else ACCENT
        without_alive.setdefault((", ".join(told), colour), []).append(node.node)
        alive = len(beliefs) - failed - suspect
        told += [f"alive for {alive}"] if alive else []
        full.setdefault((", ".join(told), colour), []).append(node.node)
        short.setdefault(("failed" if failed else "suspected", colour), []).append(node.node)
    if not full:
        return [(Bit("everybody takes everybody for alive"),)]
    missed = sum(map(len, full.values()))
    summary = (Bit(f"{counted(missed, 'node')} missed by somebody", BAD, bold=True),)
    return [*(_believed(told, view, theme) for told in (full, without_alive, short)), summary]


def _believed(told: Mapping[tuple[str, str], Sequence[NodeId]], view: View, theme: Theme) -> Line:
    """Those of whom the same is told stand together."""
    bits: list[Bit] = []
    for (text, colour), names in told.items():
        bits += [badge(name, view, theme) for name in names]
        bits.append(Bit(f" {text}  ", colour, bold=True))
    return tuple(bits)


def _hints(view: View, theme: Theme) -> Line:
    """Who keeps how many for whom."""
    bits: list[Bit] = []
    for node in view.nodes:
        for owner, count in node.hints.items():
            kept = "a hint" if count == 1 else counted(count, "hint")
            bits += [
                badge(node.node, view, theme), Bit(f" keeps {kept} for ", ACCENT, bold=True),
                badge(owner, view, theme), Bit("  "),
            ]  # fmt: skip
    return tuple(bits) or (Bit("none: nobody keeps anything for another"),)


def _trees(view: View, theme: Theme) -> Line:
    found, last = view.found, view.compared
    if found is not None and view.now_ms - found.at_ms < FOUND_MS:
        told = f" {counted(found.keys, 'key')} differed, found with {size_of(found.size)} of hashes"
        return (*_pair(found, view, theme), Bit(told, ACCENT, bold=True))
    if last is None:
        return (Bit("no two replicas have compared theirs yet", DIM),)
    return (*_pair(last, view, theme), Bit(" have compared theirs: the same, from the root on"))


def _pair(event: Exchanged, view: View, theme: Theme) -> Line:
    return (badge(event.node, view, theme), Bit(" and "), badge(event.peer, view, theme))


def _homes_up(view: View) -> int:
    up: list[NodeId] = view.in_state("up")
    return sum(home in up for home in view.homes)
