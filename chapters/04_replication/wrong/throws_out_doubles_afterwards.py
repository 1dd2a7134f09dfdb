"""Takes n tokens and throws out the doubles, so that the list is too short.

Caught by: check_no_node_is_listed_twice
"""

from itertools import islice


def preference_list(ring, slot, n):
    return list(dict.fromkeys(islice(ring.clockwise(slot), n)))
