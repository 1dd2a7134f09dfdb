"""collect removes what its heap names, whatever has become of that key since.

Caught by: check_collect_forgets_what_has_expired
"""

import heapq

from solution import Store as Reference
from solution import footprint

__all__ = ["Store", "footprint"]


class Store(Reference):
    def __init__(self, budget_bytes=None, observer=None):
        super().__init__(budget_bytes, observer)
        self.due = []

    def put(self, key, item, now_ms):
        super().put(key, item, now_ms)
        if item.expires_ms is not None:
            heapq.heappush(self.due, (item.expires_ms, key))

    def collect(self, now_ms):
        count = 0
        while self.due and self.due[0][0] <= now_ms:
            count += self.remove(heapq.heappop(self.due)[1], "expired")
        return count
