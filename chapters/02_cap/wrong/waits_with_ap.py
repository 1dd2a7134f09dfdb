"""Waits for all nodes with ap as well.

Caught by: check_ap_is_done_at_once
"""

from solution import CapNode as Reference
from solution import newest, reconcile

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def write(self, key, version):
        self.hold(key, version)
        if self.consistent:
            await self.confirm(key, version)
        else:
            await self.spread(key, version)
