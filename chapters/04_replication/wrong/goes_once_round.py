"""Walks the whole circle for each list.

Caught by: check_it_stops_when_it_knows
"""


def preference_list(ring, slot, n):
    walk = list(dict.fromkeys(ring.clockwise(slot)))
    first = {}
    for node in walk:
        first.setdefault(ring.members[node].zone, node)
    alone = list(first.values())
    return sorted((alone + [node for node in walk if node not in alone])[:n], key=walk.index)
