"""Goes round and round until it has n zones, and there are no n.

Caught by: check_with_fewer_zones_than_copies_it_is_as_long
"""

from itertools import cycle


def preference_list(ring, slot, n):
    found, zones = [], set()
    for node in cycle(ring.clockwise(slot)):
        if ring.members[node].zone not in zones:
            zones.add(ring.members[node].zone)
            found.append(node)
        if len(found) == n:
            return found
