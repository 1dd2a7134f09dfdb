"""`if` where it has to be `while`: one eviction, however large the new item is.

Caught by: check_one_large_item_may_evict_several
"""

from solution import Store as Reference
from solution import footprint

from kvlab.errors import ItemTooLarge

__all__ = ["Store", "footprint"]


class Store(Reference):
    def put(self, key, item, now_ms):
        if self.budget_bytes is not None and footprint(key, item) > self.budget_bytes:
            raise ItemTooLarge("too large")
        self.remove_quietly(key)
        self.held[key] = item
        self.bytes += footprint(key, item)
        self.tell(key, item, "put")
        if self.budget_bytes is not None and self.bytes > self.budget_bytes:
            self.collect(now_ms)
            if self.bytes > self.budget_bytes:
                self.remove(next(iter(self.held)), "evicted")

    def remove_quietly(self, key):
        if key in self.held:
            self.bytes -= footprint(key, self.held.pop(key))
