"""The old item is removed before the new one is put: whoever listens hears of a delete that nobody asked for.

Caught by: check_whoever_listens_knows_what_is_held
"""

from solution import Store as Reference
from solution import footprint

__all__ = ["Store", "footprint"]


class Store(Reference):
    def put(self, key, item, now_ms):
        self.remove(key)
        super().put(key, item, now_ms)
