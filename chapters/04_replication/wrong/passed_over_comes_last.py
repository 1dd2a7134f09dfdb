"""Lists the first of each zone, and those that were passed over after them.

Caught by: check_the_order_is_that_of_the_walk
"""


def preference_list(ring, slot, n):
    walk = list(dict.fromkeys(ring.clockwise(slot)))
    first = {}
    for node in walk:
        first.setdefault(ring.members[node].zone, node)
    alone = list(first.values())
    return (alone + [node for node in walk if node not in alone])[:n]
