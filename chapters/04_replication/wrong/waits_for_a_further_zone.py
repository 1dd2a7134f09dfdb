"""Stops when it has n zones; where there are fewer, it walks to the end of the circle.

Caught by: check_it_stops_when_it_knows
"""


def preference_list(ring, slot, n):
    walk, first = [], {}
    for node in ring.clockwise(slot):
        if node not in walk:
            walk.append(node)
            first.setdefault(ring.members[node].zone, node)
        if len(first) >= n:
            break
    alone = list(first.values())
    return sorted((alone + [node for node in walk if node not in alone])[:n], key=walk.index)
