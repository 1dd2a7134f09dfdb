"""What has expired is thrown away, and nobody is told.

Caught by: check_whoever_listens_knows_what_is_held
"""

from solution import Store as Reference
from solution import expired, footprint

__all__ = ["Store", "footprint"]


class Store(Reference):
    def get(self, key, now_ms):
        item = self.held.get(key)
        if item is not None and expired(item, now_ms):
            del self.held[key]
            self.bytes -= footprint(key, item)
            return None
        return super().get(key, now_ms)
