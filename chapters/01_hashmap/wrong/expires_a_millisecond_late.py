"""`<` where it has to be `<=`: an item is still found at the millisecond of its expiry.

Caught by: check_an_item_is_gone_at_its_expiry
"""

from solution import Store as Reference
from solution import footprint

__all__ = ["Store", "footprint"]


class Store(Reference):
    def get(self, key, now_ms):
        item = self.held.get(key)
        if item is not None and item.expires_ms is not None and item.expires_ms < now_ms:
            self.remove(key, "expired")
            return None
        if item is not None:
            self.held.move_to_end(key)
        return item
