"""The last walk down two Merkle trees: which buckets differed at each level, and what that cost.

Buckets asked for are drawn as squares, full where the two trees differed. Below the root only the children of
buckets that differ are asked for: that is why comparing a thousand keys costs a kilobyte.
"""

from __future__ import annotations

from kvlab.lab.draw.lines import Bit, Line, badge, heading
from kvlab.lab.draw.panels import size_of
from kvlab.lab.draw.theme import ACCENT, DIM, GOOD, Theme
from kvlab.lab.view import View, counted
from kvlab.trace.events import Exchanged

FANOUT = 16
"""Children of a bucket (core/merkle.py)."""
SQUARES_MAX = 16
FIRST_STAGE = 9


def walk(view: View, theme: Theme) -> list[Line]:
    """The last exchange that found something, or else the last one; [] before stage 9."""
    if view.stage.number < FIRST_STAGE:
        return []
    event = view.found or view.compared
    if event is None:
        return [heading("MERKLE WALK"), (Bit("no two replicas have compared their trees yet", DIM),)]
    ago_s = max(0.0, view.now_ms - event.at_ms) / 1000
    lines: list[Line] = [
        (
            *heading("MERKLE WALK "),
            badge(event.node, view, theme),
            Bit(" with "),
            badge(event.peer, view, theme),
            Bit(f" {ago_s:.1f} s ago", DIM),
        )
    ]
    asked = 1
    for level, differed in enumerate(event.walk):
        name = "root" if level == 0 else "leaves" if level == len(event.walk) - 1 else f"level {level}"
        lines.append(_level(name, asked, differed, theme))
        asked = differed * FANOUT
    lines.append((Bit(_sum(event)),))
    if view.compared is not None and view.compared is not event:
        since_s = max(0.0, view.now_ms - view.compared.at_ms) / 1000
        last = f"since then no difference: the last walk, {since_s:.1f} s ago, ended at the root"
        lines.append((Bit(last, GOOD),))
    return lines


def _level(name: str, asked: int, differed: int, theme: Theme) -> Line:
    full = min(differed, SQUARES_MAX)
    empty = min(asked, SQUARES_MAX) - full
    squares = (Bit(theme.glyphs.holds * full, ACCENT), Bit(theme.glyphs.equal * empty, DIM))
    counts = f"{differed} of {asked} differ" if differed else "equal"
    return (Bit(f"{name:<8}", DIM), *squares, Bit(" " * (SQUARES_MAX + 1 - full - empty)), Bit(counts))


def _sum(event: Exchanged) -> str:
    if not event.keys:
        return f"the same on both sides, for {size_of(event.size)} of hashes"
    return f"{counted(event.keys, 'key')} differed; found with {size_of(event.size)} of hashes"
