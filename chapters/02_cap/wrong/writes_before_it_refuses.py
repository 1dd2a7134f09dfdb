"""Holds the write, and asks afterwards whether it may be taken.

Caught by: check_cp_refuses_writes_while_anybody_is_missing
"""

from solution import CapNode as Reference
from solution import newest, reconcile

from kvlab.messages import Version

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def put(self, key, item, w=None):
        version = Version(item.value, self.stamp(key), item.expires_ms)
        self.hold(key, version)
        await self.unlocked()
        await self.write(key, version)
