"""Says "done" with cp too when nobody else has the write yet.

Caught by: check_cp_is_done_when_all_have_it
"""

from solution import CapNode as Reference
from solution import newest, reconcile

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def write(self, key, version):
        self.hold(key, version)
        self.env.later(self.spread(key, version))
