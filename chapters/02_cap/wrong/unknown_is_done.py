"""Catches ReplicasMissing, and says that the write is done.

Caught by: check_a_write_that_the_cut_surprises_is_unknown
"""

from solution import CapNode as Reference
from solution import newest, reconcile

from kvlab.errors import ReplicasMissing

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def write(self, key, version):
        try:
            await super().write(key, version)
        except ReplicasMissing:
            self.env.later(self.spread(key, version))
