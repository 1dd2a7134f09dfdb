"""peek is get: to look is to use.

Caught by: check_peek_leaves_no_trace
"""

from solution import Store as Reference
from solution import footprint

__all__ = ["Store", "footprint"]


class Store(Reference):
    def peek(self, key, now_ms):
        return self.get(key, now_ms)
