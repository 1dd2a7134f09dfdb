"""Evicts in a loop that forgets the item and not its bytes, and so never ends.

Caught by: check_the_coldest_is_evicted
"""

from solution import Store as Reference
from solution import footprint

__all__ = ["Store", "footprint"]


class Store(Reference):
    def put(self, key, item, now_ms):
        self.held[key] = item
        self.bytes += footprint(key, item)
        while self.budget_bytes is not None and self.bytes > self.budget_bytes:
            if self.held:
                self.held.popitem(last=False)
