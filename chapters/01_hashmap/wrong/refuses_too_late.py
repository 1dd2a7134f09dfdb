"""Finds out that the item is too large when the old one is gone already.

Caught by: check_an_item_above_the_budget_is_refused
"""

from solution import Store as Reference
from solution import footprint

__all__ = ["Store", "footprint"]


class Store(Reference):
    def put(self, key, item, now_ms):
        self.remove(key)
        super().put(key, item, now_ms)
