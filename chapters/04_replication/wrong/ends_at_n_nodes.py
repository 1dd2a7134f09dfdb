"""Walks until it has n nodes, and only then looks at the zones of these.

Caught by: check_a_zone_is_passed_over_that_has_a_copy
"""


def preference_list(ring, slot, n):
    walk = []
    for node in ring.clockwise(slot):
        if node not in walk:
            walk.append(node)
        if len(walk) == n:
            break
    first = {}
    for node in walk:
        first.setdefault(ring.members[node].zone, node)
    others = [node for node in walk if node not in first.values()]
    return sorted([*first.values(), *others][:n], key=walk.index)
