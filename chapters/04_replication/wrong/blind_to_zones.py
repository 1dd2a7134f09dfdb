"""The next n distinct nodes, wherever they stand.

Caught by: check_a_zone_is_passed_over_that_has_a_copy
"""


def preference_list(ring, slot, n):
    return list(dict.fromkeys(ring.clockwise(slot)))[:n]
