"""Never says that an acknowledged write was overwritten.

Caught by: check_what_is_overwritten_is_told
"""

from solution import CapNode as Reference
from solution import newest

__all__ = ["CapNode", "newest", "reconcile"]


def reconcile(mine, theirs, told):
    return newest(mine, theirs), False


class CapNode(Reference):
    reconcile = staticmethod(reconcile)
