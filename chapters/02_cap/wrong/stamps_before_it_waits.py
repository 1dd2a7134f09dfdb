"""A write has the stamp of the moment at which it came, though it waits after that.

Caught by: check_a_stamp_is_later_than_what_was_missed
"""

from solution import CapNode as Reference
from solution import newest, reconcile

from kvlab.messages import Version

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def put(self, key, item, w=None):
        version = Version(item.value, self.stamp(key), item.expires_ms)
        await self.unlocked()
        await self.write(key, version)
