"""Refuses only where fewer than half of the nodes are left.

Caught by: check_cp_refuses_writes_while_anybody_is_missing
"""

from solution import CapNode as Reference
from solution import newest, reconcile

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def unlocked(self):
        await self.has_begun()
        if self.consistent and len(self.missing()) > 1:
            raise self.locked()
