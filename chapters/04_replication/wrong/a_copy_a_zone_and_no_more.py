"""One copy in each zone, and none besides, although n are wanted.

Caught by: check_with_fewer_zones_than_copies_it_is_as_long
"""


def preference_list(ring, slot, n):
    first = {}
    for node in ring.clockwise(slot):
        first.setdefault(ring.members[node].zone, node)
    return list(first.values())[:n]
