"""Two versions of one stamp and value are equal to it, and the one that was met first is kept.

Caught by: check_in_whatever_order_copies_meet_the_same_one_is_left
"""

from solution import CapNode, reconcile

__all__ = ["CapNode", "newest", "reconcile"]


def newest(a, b):
    if a is None or b is None:
        return a or b
    return max(a, b, key=lambda version: (version.stamp_ms, version.value is None, version.value or b""))
