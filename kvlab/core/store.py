"""The store of one node: a hash table that forgets what expired and, under a budget, what is cold.

Source: the notes' "special server with a hashmap"; eviction as memcached does it, one LRU list.
Invariant: `bytes` is the sum of `footprint` over what is held, and never above the budget.
Invariant: an item is invisible from the millisecond of its expiry on, whether or not it was collected.
Deviation: Redis samples a few keys and evicts the coldest of those; here the order is exact, because an
    exact order is cheap in Python (a linked list inside OrderedDict) and a lesson should not be random.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import TypeAlias, cast

from kvlab.errors import ItemTooLarge
from kvlab.messages import Item, Key

OVERHEAD_BYTES = 64
"""What an entry is taken to cost beyond its key and value: pointers, headers, the LRU list."""

Observer: TypeAlias = Callable[[Key, Item | None, str], None]
"""Called after every change: key, what is held now, and why (put, deleted, expired, evicted, moved)."""


def footprint(key: Key, item: Item) -> int:
    """How many bytes of the budget an entry takes."""
    return OVERHEAD_BYTES + len(key) + len(item.value)


class Store:
    """Keys and items; the caller passes the time. Every operation is O(1), a collection O(log keys)."""

    def __init__(self, budget_bytes: int | None = None, observer: Observer | None = None) -> None:
        self.budget_bytes = budget_bytes
        self.bytes = 0
        self._observer = observer
        # Coldest first if there is a budget; without one nobody asks for the order of use.
        self._items: dict[Key, Item] = {} if budget_bytes is None else OrderedDict()
        self._expiries: list[tuple[int, Key]] = []  # a heap; entries may be out of date

    def __len__(self) -> int:
        """How many keys are held, the expired but not yet collected included."""
        return len(self._items)

    def get(self, key: Key, now_ms: int) -> Item | None:
        """The item under this key; None if there is none, or none any more."""
        item = self._items.get(key)
        if item is None:
            return None
        if item.expires_ms is not None and item.expires_ms <= now_ms:
            self.remove(key, "expired")
            return None
        if self.budget_bytes is not None:
            self._touch(key)
        return item

    def peek(self, key: Key, now_ms: int) -> Item | None:
        """As `get`, but leaving no trace: looking at an item is not using it."""
        item = self._items.get(key)
        return None if item is None or (item.expires_ms or now_ms + 1) <= now_ms else item

    def put(self, key: Key, item: Item, now_ms: int) -> None:
        """Hold this item under this key, evicting the coldest others if the budget asks for it.

        Raises ItemTooLarge, and changes nothing, if the item alone is above the budget.
        """
        items, budget_bytes = self._items, self.budget_bytes
        if budget_bytes is not None and footprint(key, item) > budget_bytes:
            raise ItemTooLarge(
                f"key and value take {footprint(key, item)} bytes and the node's memory is "
                f"{budget_bytes}: store a smaller value, or start the cluster with more --memory"
            )
        old = items.get(key)
        items[key] = item
        if old is None:
            self.bytes += footprint(key, item)
        else:
            self.bytes += len(item.value) - len(old.value)
        if item.expires_ms is not None:
            heappush(self._expiries, (item.expires_ms, key))
        if budget_bytes is not None:
            self._touch(key)
            self._make_room(budget_bytes, now_ms)
        if self._observer is not None:
            self._observer(key, item, "put")

    def remove(self, key: Key, why: str = "deleted") -> bool:
        """Forget the key; True if it was held."""
        item = self._items.pop(key, None)
        if item is None:
            return False
        self.bytes -= footprint(key, item)
        if self._observer is not None:
            self._observer(key, None, why)
        return True

    def collect(self, now_ms: int) -> int:
        """Forget what has expired; returns how many keys that were."""
        collected = 0
        while self._expiries and self._expiries[0][0] <= now_ms:
            _, key = heappop(self._expiries)
            item = self._items.get(key)  # it may have been overwritten since, with a later expiry or none
            if item is not None and item.expires_ms is not None and item.expires_ms <= now_ms:
                collected += self.remove(key, "expired")
        return collected

    def next_expiry(self) -> int | None:
        """When to collect next, in ms since 1970; None if nothing is going to expire."""
        return self._expiries[0][0] if self._expiries else None

    def keys(self, now_ms: int) -> list[Key]:
        """Every key that is alive now, coldest first if there is a budget, else oldest first."""
        self.collect(now_ms)
        return list(self._items)

    def items(self, now_ms: int) -> Iterator[tuple[Key, Item]]:
        """Every living (key, item). Whoever changes the store while iterating should copy the keys."""
        self.collect(now_ms)
        return iter(self._items.items())

    def clear(self) -> int:
        """Forget everything; returns how many keys that were."""
        keys = list(self._items)
        for key in keys:
            self.remove(key, "flushed")
        self._expiries.clear()
        return len(keys)

    def _touch(self, key: Key) -> None:
        cast(OrderedDict[Key, Item], self._items).move_to_end(key)

    def _make_room(self, budget_bytes: int, now_ms: int) -> None:
        if self.bytes > budget_bytes:
            self.collect(now_ms)  # what is dead goes before what is merely cold
        while self.bytes > budget_bytes:
            self.remove(next(iter(self._items)), "evicted")
