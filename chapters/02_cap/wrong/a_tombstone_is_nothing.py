"""Takes value None for "nothing here", so that the other side's copy comes back.

Caught by: check_a_tombstone_is_a_version
"""

from solution import CapNode as Reference
from solution import newest as reference

__all__ = ["CapNode", "newest", "reconcile"]


def newest(a, b):
    if a is None or a.value is None:
        return b or a
    if b is None or b.value is None:
        return a
    return reference(a, b)


def reconcile(mine, theirs, told):
    stays = newest(mine, theirs)
    return stays, told and stays != mine


class CapNode(Reference):
    reconcile = staticmethod(reconcile)
