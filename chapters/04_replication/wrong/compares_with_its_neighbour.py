"""Passes over a node that it has just taken, and takes one again that it took before that.

Caught by: check_no_node_is_listed_twice
"""


def preference_list(ring, slot, n):
    found = []
    for node in ring.clockwise(slot):
        if len(found) < n and (not found or node != found[-1]):
            found.append(node)
    return found
