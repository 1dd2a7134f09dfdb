"""get says None of an expired item, and leaves it where it is.

Caught by: check_an_expired_item_is_forgotten_when_it_is_met
"""

from solution import Store as Reference
from solution import footprint

__all__ = ["Store", "footprint"]


class Store(Reference):
    def get(self, key, now_ms):
        item = self.peek(key, now_ms)
        if item is not None:
            self.held.move_to_end(key)
        return item
