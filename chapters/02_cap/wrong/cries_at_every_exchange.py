"""Reports a loss whenever an acknowledged write meets another copy, whichever stays.

Caught by: check_what_stays_is_not_lost
"""

from solution import CapNode as Reference
from solution import newest

__all__ = ["CapNode", "newest", "reconcile"]


def reconcile(mine, theirs, told):
    return newest(mine, theirs), told


class CapNode(Reference):
    reconcile = staticmethod(reconcile)
