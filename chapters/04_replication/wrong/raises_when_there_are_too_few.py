"""Looks for the next node until it has n, and there are no n.

Caught by: check_it_is_as_long_as_there_are_nodes
"""


def preference_list(ring, slot, n):
    found = []
    while len(found) < n:
        found.append(next(node for node in ring.clockwise(slot) if node not in found))
    return found
