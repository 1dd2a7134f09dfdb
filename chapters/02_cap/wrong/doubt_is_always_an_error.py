"""Refuses to tell of a write that is on its way, though everybody could be asked.

Caught by: check_a_read_settles_what_is_in_doubt
"""

from solution import CapNode as Reference
from solution import newest, reconcile

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def beyond_doubt(self, key):
        if self.in_doubt(key) is not None:
            raise self.doubtful()
