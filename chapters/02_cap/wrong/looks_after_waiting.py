"""A read waits until what is held is settled, and then tells what is held by then.

Caught by: check_a_read_tells_only_what_it_has_settled
"""

from solution import CapNode as Reference
from solution import newest, reconcile

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def get(self, key, r=None):
        begun = await self.has_begun()
        if self.consistent:
            if not begun:
                raise self.busy()
            await self.beyond_doubt(key)
        copy = self.held(key)
        return copy if copy is not None and copy.alive else None
