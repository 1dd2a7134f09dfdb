"""Placement: which nodes hold a key, in order of preference.

Source: DeCandia et al. 2007, sections 4.3 and 4.6; zones as Cassandra's NetworkTopologyStrategy has them.
Invariant: the list has no node twice, although a node has many tokens; it is as long as n, or as there
    are nodes.
Invariant: while a zone without a copy is left, no zone gets a second: with n >= 2 and two zones,
    the loss of either leaves a copy.
Invariant: who stands in for a home replica that is away holds no other copy of the key, home or hint.
"""

from __future__ import annotations

from collections.abc import Collection

from kvlab.core.ring import Ring
from kvlab.messages import Key, NodeId


class Placement:
    """The preference lists of one ring, for n copies of a key.

    Keys between two tokens share a list, so each list is worked out once: O(T) memory for T tokens,
    and then O(log T) a key.
    """

    def __init__(self, ring: Ring, n: int) -> None:
        self.ring = ring
        self.n = n
        self._lists: dict[int, list[NodeId]] = {}

    def replicas(self, key: Key) -> list[NodeId]:
        """The distinct nodes that hold the key, nearest clockwise first, in as many zones as can be."""
        slot = self.ring.slot(key)
        found = self._lists.get(slot)
        if found is None:
            found = self._lists[slot] = preference_list(self.ring, slot, self.n)
        return found

    def stand_ins(self, key: Key, healthy: Collection[NodeId]) -> list[tuple[NodeId, NodeId]]:
        """(home replica, where its copy goes), by the preference list: itself while it is healthy, else one
        stand-in of its own. Where nobody is left to stand in, itself again: it may yet hear of it.

        So the copies are on as many healthy nodes as there are, up to n, and on no node twice.
        """
        homes = self.replicas(key)
        places = {home: home for home in homes if home in healthy}
        for home in homes:
            if home not in healthy:
                places[home] = self.stand_in(key, healthy, places.values()) or home
        return [(home, places[home]) for home in homes]

    def stand_in(self, key: Key, healthy: Collection[NodeId], taken: Collection[NodeId]) -> NodeId | None:
        """The next healthy node clockwise that is no home replica and not taken, in a zone where none of
        those taken is if there is one; None if there is no such node. O(T) for T tokens."""
        zone = {name: member.zone for name, member in self.ring.members.items()}
        zones = [zone[node] for node in taken if node in zone]
        excluded = [*self.replicas(key), *taken]
        free = [n for n in self.ring.clockwise(self.ring.slot(key)) if n in healthy and n not in excluded]
        return next((node for node in free if zone[node] not in zones), free[0] if free else None)


def preference_list(ring: Ring, slot: int, n: int) -> list[NodeId]:
    """The n nodes for keys of this slot. One walk round the ring at the most, usually a few steps."""
    distinct: list[NodeId] = []  # every node, in order of its first token after the key
    alone: list[NodeId] = []  # those that are the first of their zone
    zone = {name: member.zone for name, member in ring.members.items()}
    zones = set(zone.values())
    for node in ring.clockwise(slot):
        if node in distinct:
            continue
        distinct.append(node)
        if zone[node] not in [zone[other] for other in alone]:
            alone.append(node)
        if len(alone) >= n or (len(alone) == len(zones) and len(distinct) >= n):
            break
    others = [node for node in distinct if node not in alone]
    return sorted((alone + others)[:n], key=distinct.index)


def heirs(old: list[NodeId], new: list[NodeId], dead: Collection[NodeId] = ()) -> list[tuple[NodeId, NodeId]]:
    """(source, heir) for every node that gains the key when its replicas change from old to new.

    Who gives a key up is the source, so that its heir takes exactly its place; where nobody does, or the
    one who does is dead, the first living replica is. Empty where no source lives: the key is lost.
    """
    gained = [node for node in new if node not in old]
    living = [node for node in old if node not in dead]
    lost = [node for node in living if node not in new]
    if not living:
        return []
    sources = lost + [next((node for node in living if node in new), living[0])] * len(gained)
    return list(zip(sources, gained, strict=False))
