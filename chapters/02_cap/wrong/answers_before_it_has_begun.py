"""Answers right after its start with what it has: nothing.

Caught by: check_who_has_just_come_back_asks_first
"""

from solution import CapNode as Reference
from solution import newest, reconcile

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def get(self, key, r=None):
        await self.has_begun()
        copy = self.held(key)
        if self.consistent:
            await self.beyond_doubt(key)
        return copy if copy is not None and copy.alive else None
