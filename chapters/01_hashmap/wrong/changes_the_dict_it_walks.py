"""collect removes while it goes through the dict.

Caught by: check_collect_forgets_what_has_expired
"""

from solution import Store as Reference
from solution import expired, footprint

__all__ = ["Store", "footprint"]


class Store(Reference):
    def collect(self, now_ms):
        count = 0
        for key, item in self.held.items():
            if expired(item, now_ms):
                self.remove(key, "expired")
                count += 1
        return count
