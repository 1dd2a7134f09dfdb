"""Locks writes whenever anybody is missing, with ap too.

Caught by: check_ap_goes_on_with_everything
"""

from solution import CapNode as Reference
from solution import newest, reconcile

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def unlocked(self):
        await self.has_begun()
        if self.missing():
            raise self.locked()
