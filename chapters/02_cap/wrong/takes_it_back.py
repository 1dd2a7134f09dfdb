"""Puts the old value back when not all have confirmed, and says that nothing was written.

Caught by: check_a_write_that_the_cut_surprises_is_unknown
"""

from solution import CapNode as Reference
from solution import newest, reconcile

from kvlab.errors import ReplicasMissing
from kvlab.messages import Version

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def write(self, key, version):
        before = self.held(key)
        try:
            await super().write(key, version)
        except ReplicasMissing:
            self.hold(key, Version(before and before.value, self.stamp(key)))
            raise self.locked() from None
