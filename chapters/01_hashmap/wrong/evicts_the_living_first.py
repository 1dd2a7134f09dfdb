"""Evicts by the order of use alone: something living goes, although something dead would make room.

Caught by: check_the_expired_go_before_the_cold
"""

from solution import Store as Reference
from solution import footprint

__all__ = ["Store", "footprint"]


class Store(Reference):
    def put(self, key, item, now_ms):
        super().put(key, item, 0)
