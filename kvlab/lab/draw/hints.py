"""Hints: who keeps what for whom, and since when; and short marks of all that is unusual about a node."""

from __future__ import annotations

from kvlab.lab.draw.canvas import shown
from kvlab.lab.draw.lines import Bit, Line, badge, heading
from kvlab.lab.draw.theme import ACCENT, DIM, TEXT, Theme
from kvlab.lab.view import View, counted
from kvlab.messages import NodeId

KEY_WIDTH = 24


def marks(view: View, name: NodeId) -> list[str]:
    """What is unusual about this node, each in a few letters."""
    node = view.node(name)
    if node is None:
        return []
    found = ["locked"] if node.missing else []
    for owner, count in node.hints.items():
        found.append(f"{'hint' if count == 1 else counted(count, 'hint')} for {owner}")
    for held in view.holdings:
        if held.node == name and held.owner is None and len(held.values) > 1:
            found.append(f"{len(held.values)} values")
    if view.op is not None and name in view.op.repaired:
        found.append("mended")
    return found


def at_homes(view: View) -> dict[NodeId, tuple[str, str]]:
    """What each home replica of the key holds of it, as far as it is up and has told, and in which colour: it
    stands out where they differ. {} as long as nobody holds anything."""
    held = {
        held.node: held
        for held in view.holdings
        if held.place and held.owner is None and held.told and held.node in view.in_state("up", "paused")
    }
    if all(one.nothing for one in held.values()):
        return {}
    alike = len({frozenset(one.values) for one in held.values()}) == 1
    return {
        name: (
            " and ".join(shown(value) for value in one.values) or ("nothing" if one.nothing else "deleted"),
            TEXT if alike else ACCENT,
        )
        for name, one in held.items()
    }


def hints(view: View, rows: int, theme: Theme) -> list[Line]:
    """Keeper, owner, key and age of each hint, oldest first, in so many rows; [] where no stage keeps any."""
    if not view.stage.hints:
        return []
    total = sum(sum(node.hints.values()) for node in view.nodes)
    lines: list[Line] = [heading("HINTS KEPT", counted(total, "hint") if total else "none")]
    room = max(1, rows - 2)
    for hint in view.kept_hints[:room]:
        age_s = max(0.0, view.now_ms - hint.since_ms) / 1000
        lines.append(
            (
                badge(hint.keeper, view, theme),
                Bit(f" {theme.glyphs.sends} ", DIM),
                badge(hint.owner, view, theme),
                Bit(f" {shown(hint.key, KEY_WIDTH)} ", ACCENT, bold=True),
                Bit(f"for {age_s:.1f} s", DIM),
            )
        )
    if (more := total - min(room, len(view.kept_hints))) > 0:
        lines.append((Bit(f"{theme.glyphs.more} and {more} more", DIM),))
    return lines


def tombstones(view: View, theme: Theme) -> list[Line]:
    """Who holds how many deletes; [] where deletes leave nothing, or there are none."""
    holding = [node for node in view.nodes if node.tombstones]
    if not holding:
        return []
    line: Line = (Bit("TOMBSTONES", ACCENT, bold=True),)
    for node in holding:
        line = (*line, Bit("  "), badge(node.node, view, theme), Bit(f" {node.tombstones}"))
    return [line]
