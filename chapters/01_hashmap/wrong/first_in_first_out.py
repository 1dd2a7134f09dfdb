"""Evicts by age: a get does not move the item.

Caught by: check_the_coldest_is_evicted
"""

from solution import Store as Reference
from solution import expired, footprint

__all__ = ["Store", "footprint"]


class Store(Reference):
    def get(self, key, now_ms):
        item = self.held.get(key)
        if item is not None and expired(item, now_ms):
            self.remove(key, "expired")
            return None
        return item
