"""Takes the same write, which came back over the network, for another one.

Caught by: check_what_stays_is_not_lost
"""

from solution import CapNode as Reference
from solution import newest

__all__ = ["CapNode", "newest", "reconcile"]


def reconcile(mine, theirs, told):
    stays = theirs if newest(mine, theirs) == theirs else mine
    return stays, told and stays is not mine


class CapNode(Reference):
    reconcile = staticmethod(reconcile)
