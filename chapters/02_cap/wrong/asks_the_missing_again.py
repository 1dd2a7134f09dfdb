"""Tries to settle a doubt with nodes of which it knows that they are missing, and waits for them.

Caught by: check_doubt_is_told_at_once
"""

from solution import CapNode as Reference
from solution import newest, reconcile

from kvlab.errors import ReplicasMissing

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def beyond_doubt(self, key):
        version = self.in_doubt(key)
        if version is None:
            return
        try:
            await self.confirm(key, version)
        except ReplicasMissing:
            raise self.doubtful() from None
