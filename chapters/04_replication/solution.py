"""The reference of chapter 4: one walk, and two lists that are filled on the way.

`walk` is what one would take if there were no zones. `first` are those of it that are the first of their
zone; they have precedence, and what they leave free goes to the others, by distance.
"""

from __future__ import annotations

from kvlab.core.ring import Ring
from kvlab.messages import NodeId


def preference_list(ring: Ring, slot: int, n: int) -> list[NodeId]:
    """The n distinct nodes for the keys of this slot, nearest first, in as many zones as can be."""
    zone = {name: member.zone for name, member in ring.members.items()}
    zones = len(set(zone.values()))
    walk: list[NodeId] = []
    first: dict[str, NodeId] = {}
    for node in ring.clockwise(slot):
        if node in walk:
            continue
        walk.append(node)
        first.setdefault(zone[node], node)
        if len(first) >= min(n, zones) and len(walk) >= n:
            break
    firsts = list(first.values())[:n]
    others = [node for node in walk if node not in firsts]
    return sorted((firsts + others)[:n], key=walk.index)
