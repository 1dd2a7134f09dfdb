"""The reference of chapter 1: an OrderedDict, whose order is the order of use.

`move_to_end` and taking the first are O(1), because an OrderedDict is a hash table and a linked list in one:
what memcached builds by hand. To find what has expired we go through all entries, which a full store does at
each put; kvlab/core/store.py, which the stages use, keeps a heap of expiry times instead.
"""

from __future__ import annotations

from collections import OrderedDict

from kvlab.core.store import Observer
from kvlab.course.given import OVERHEAD_BYTES, GivenStore
from kvlab.errors import ItemTooLarge
from kvlab.messages import Item, Key


def footprint(key: Key, item: Item) -> int:
    """How many bytes of the budget an entry takes: its key, its value and OVERHEAD_BYTES."""
    return OVERHEAD_BYTES + len(key) + len(item.value)


def expired(item: Item, now_ms: int) -> bool:
    return item.expires_ms is not None and item.expires_ms <= now_ms


class Store(GivenStore):
    """Keys and items, under a budget. get, put and remove are O(1), but for a collect that a put may need."""

    def __init__(self, budget_bytes: int | None = None, observer: Observer[Item] | None = None) -> None:
        super().__init__(budget_bytes, observer)
        self.held: OrderedDict[Key, Item] = OrderedDict()  # what was not used for longest first

    def __len__(self) -> int:
        return len(self.held)

    def get(self, key: Key, now_ms: int) -> Item | None:
        item = self.held.get(key)
        if item is None:
            return None
        if expired(item, now_ms):
            self.remove(key, "expired")
            return None
        self.held.move_to_end(key)
        return item

    def peek(self, key: Key, now_ms: int) -> Item | None:
        item = self.held.get(key)
        return None if item is None or expired(item, now_ms) else item

    def put(self, key: Key, item: Item, now_ms: int) -> None:
        size = footprint(key, item)
        if self.budget_bytes is not None and size > self.budget_bytes:
            raise ItemTooLarge(f"{size} bytes are above the budget of {self.budget_bytes}")
        if key in self.held:
            self.bytes -= footprint(key, self.held[key])
        self.held[key] = item
        self.held.move_to_end(key)
        self.bytes += size
        self.tell(key, item, "put")
        if self.budget_bytes is None:
            return
        if self.bytes > self.budget_bytes:
            self.collect(now_ms)
        while self.bytes > self.budget_bytes:
            self.remove(next(iter(self.held)), "evicted")

    def remove(self, key: Key, why: str = "deleted") -> bool:
        item = self.held.pop(key, None)
        if item is None:
            return False
        self.bytes -= footprint(key, item)
        self.tell(key, None, why)
        return True

    def collect(self, now_ms: int) -> int:
        gone = [key for key, item in self.held.items() if expired(item, now_ms)]
        for key in gone:
            self.remove(key, "expired")
        return len(gone)

    def keys(self, now_ms: int) -> list[Key]:
        return [key for key, item in self.held.items() if not expired(item, now_ms)]
