"""Passes over a node that is in the zone of the one before it, and of no other.

Caught by: check_a_zone_is_passed_over_that_has_a_copy
"""


def preference_list(ring, slot, n):
    walk = list(dict.fromkeys(ring.clockwise(slot)))
    found = []
    for node in walk:
        if not found or ring.members[node].zone != ring.members[found[-1]].zone:
            found.append(node)
    found += [node for node in walk if node not in found]
    return sorted(found[:n], key=walk.index)
