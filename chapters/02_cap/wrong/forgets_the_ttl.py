"""Makes the version without the item's expiry.

Caught by: check_a_ttl_is_kept
"""

from solution import CapNode as Reference
from solution import newest, reconcile

from kvlab.messages import Version

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def put(self, key, item, w=None):
        await self.unlocked()
        await self.write(key, Version(item.value, self.stamp(key)))
