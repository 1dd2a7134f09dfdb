"""Takes the next n tokens, whosever they are.

Caught by: check_no_node_is_listed_twice
"""

from itertools import islice


def preference_list(ring, slot, n):
    return list(islice(ring.clockwise(slot), n))
