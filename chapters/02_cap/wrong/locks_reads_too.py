"""Refuses everything while anybody is missing.

Caught by: check_cp_goes_on_reading
"""

from solution import CapNode as Reference
from solution import newest, reconcile

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def get(self, key, r=None):
        if self.consistent and self.missing():
            raise self.locked()
        return await super().get(key, r)
