"""The store of one node: a hash table that forgets what expired and, under a budget, what is cold.

What it holds under a key is a copy (messages.py): an Item, or in stage 2 and from stage 5 on something with
versions, of which nothing may be left but a tombstone. Tombstones are held, but not counted, and no client
sees them.

Source: the notes' "special server with a hashmap"; eviction as memcached does it, one LRU list.
Invariant: `bytes` is the sum of `footprint` over what is held, and after a `put` never above the budget.
Invariant: an item is invisible from the millisecond of its expiry on, whether or not it was collected.
Deviation: Redis samples a few keys and evicts the coldest of those; here the order is exact, because an
    exact order is cheap in Python (a linked list inside OrderedDict) and a lesson should not be random.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Any, Generic, TypeAlias, cast

from kvlab.errors import ItemTooLarge
from kvlab.messages import C, Copy, Item, Key

OVERHEAD_BYTES = 64
"""What an entry is taken to cost beyond its key and value: pointers, headers, the LRU list."""

STALE_MAX = 20
"""So many expiries that hold no longer are borne with, and one for each key: then all are noted anew."""

Observer: TypeAlias = Callable[[Key, C | None, str], None]
"""Called after every change: key, what is held now, and why (`Env.changed` has the words)."""


def footprint(key: Key, copy: Copy) -> int:
    """How many bytes of the budget an entry takes."""
    return OVERHEAD_BYTES + len(key) + copy.size


class Store(Generic[C]):
    """Keys and copies; the caller passes the time. Every operation is O(1); to note an expiry, or
    to collect one, is O(log keys)."""

    def __init__(self, budget_bytes: int | None = None, observer: Observer[C] | None = None) -> None:
        self.budget_bytes = budget_bytes
        self.bytes = 0
        self.tombstones = 0
        self._observer = observer
        # Coldest first if there is a budget; without one nobody asks for the order of use.
        self._copies: dict[Key, C] = {} if budget_bytes is None else OrderedDict()
        self._expiries: list[tuple[int, Key]] = []  # a heap; entries may be out of date

    def watch(self, observer: Observer[C]) -> None:
        """Tell this one of every change, after those who are told already."""
        before = self._observer

        def both(key: Key, copy: C | None, why: str) -> None:
            if before is not None:
                before(key, copy, why)
            observer(key, copy, why)

        self._observer = both

    def __len__(self) -> int:
        """How many keys there are, tombstones left out, the expired but not yet collected included."""
        return len(self._copies) - self.tombstones

    def get(self, key: Key, now_ms: int) -> C | None:
        """The copy under this key; None if there is none, or none any more."""
        copy = self._copies.get(key)
        if copy is None:
            return None
        if copy.expires_ms is not None and copy.expires_ms <= now_ms:
            return self._expire(key, copy, now_ms)
        if self.budget_bytes is not None:
            self._touch(key)
        return copy

    def peek(self, key: Key, now_ms: int) -> C | None:
        """As `get`, but leaving no trace: looking at a copy is not using it."""
        copy = self._copies.get(key)
        return None if copy is None else cast("C | None", copy.expired(now_ms))

    def put(self, key: Key, copy: C, now_ms: int) -> None:
        """Hold this under this key, evicting the coldest others if the budget asks for it.

        Raises ItemTooLarge, and changes nothing, if the copy alone is above the budget.
        """
        budget_bytes = self.budget_bytes
        if budget_bytes is not None and footprint(key, copy) > budget_bytes:
            raise ItemTooLarge(
                f"key and value take {footprint(key, copy)} bytes and the node's memory is "
                f"{budget_bytes}: store a smaller value, or start the cluster with more --memory"
            )
        old: Copy | None = self._copies.get(key)
        new: Copy = copy
        if type(old) is Item and type(new) is Item and new.expires_ms is None:
            self._copies[key] = copy  # nearly every write of an Item: it needs no more calls than this
            self.bytes += len(new.value) - len(old.value)
        else:
            self.restore(key, copy)
        if budget_bytes is not None:
            self._touch(key)
            self._make_room(budget_bytes, now_ms)
        if self._observer is not None:
            self._observer(key, copy, "put")

    def get_all(self, keys: Sequence[Key], now_ms: int) -> Sequence[C | None]:
        """As `get` for each of these keys, in a fifth of the time where nothing expires."""
        if self._expiries or self.budget_bytes is not None:
            return [self.get(key, now_ms) for key in keys]
        return list(map(self._copies.get, keys))

    def put_all(self, items: Sequence[tuple[Key, C]], now_ms: int) -> None:
        """As `put` for each of these, in the order given; nobody is told of items that replace items."""
        if self.budget_bytes is not None:
            for key, copy in items:
                self.put(key, copy, now_ms)
            return
        copies: dict[Key, Any] = self._copies
        plain, find, grown_bytes = Item, copies.get, 0
        for key, copy in cast("Sequence[tuple[Key, Any]]", items):
            old = find(key)
            if type(old) is plain and type(copy) is plain and copy.expires_ms is None:
                copies[key] = copy
                grown_bytes += len(copy.value) - len(old.value)
            else:
                self.put(key, copy, now_ms)
        self.bytes += grown_bytes

    def restore(self, key: Key, copy: C) -> None:
        """Hold what was held before a restart: nobody is told, and nothing makes room for it."""
        old = self._copies.get(key)
        self._copies[key] = copy
        if old is None:
            self.bytes += footprint(key, copy)
            self.tombstones += not copy.alive
        else:
            self.bytes += copy.size - old.size
            self.tombstones += old.alive - copy.alive
        if copy.expires_ms is not None:
            heappush(self._expiries, (copy.expires_ms, key))
            if len(self._expiries) > 2 * len(self._copies) + STALE_MAX:
                held = self._copies.items()
                self._expiries = [(copy.expires_ms, key) for key, copy in held if copy.expires_ms is not None]
                heapify(self._expiries)

    def remove(self, key: Key, why: str = "deleted") -> bool:
        """Forget the key; True if it was held."""
        copy = self._copies.pop(key, None)
        if copy is None:
            return False
        self.bytes -= footprint(key, copy)
        self.tombstones -= not copy.alive
        if self._observer is not None:
            self._observer(key, None, why)
        return True

    def collect(self, now_ms: int) -> int:
        """Forget what has expired; returns how many keys that were."""
        collected = 0
        while self._expiries and self._expiries[0][0] <= now_ms:
            _, key = heappop(self._expiries)
            copy = self._copies.get(key)  # it may have been overwritten since, with a later expiry or none
            if copy is not None and copy.expires_ms is not None and copy.expires_ms <= now_ms:
                self._expire(key, copy, now_ms)
                collected += 1
        return collected

    def next_expiry(self) -> int | None:
        """When to collect next, in ms since 1970; None if nothing is going to expire."""
        return self._expiries[0][0] if self._expiries else None

    def keys(self, now_ms: int) -> list[Key]:
        """Every key held now, those of tombstones too; coldest first if there is a budget, else oldest."""
        self.collect(now_ms)
        return list(self._copies)

    def living(self, now_ms: int) -> list[Key]:
        """Every key under which there is a value now, in the same order."""
        self.collect(now_ms)
        return [key for key, copy in self._copies.items() if copy.alive]

    def items(self, now_ms: int) -> Iterator[tuple[Key, C]]:
        """Every (key, copy), tombstones too. Whoever changes the store meanwhile should copy the keys."""
        self.collect(now_ms)
        return iter(self._copies.items())

    def clear(self) -> int:
        """Forget everything; returns how many keys that were."""
        keys = list(self._copies)
        for key in keys:
            self.remove(key, "flushed")
        self._expiries.clear()
        return len(keys)

    def _expire(self, key: Key, copy: C, now_ms: int) -> C | None:
        """Something of this copy has expired: hold what is left of it, if anything is."""
        rest = cast("C | None", copy.expired(now_ms))
        if rest is None:
            self.remove(key, "expired")
            return None
        self.restore(key, rest)
        if self._observer is not None:
            self._observer(key, rest, "expired")
        return rest

    def _touch(self, key: Key) -> None:
        cast("OrderedDict[Key, C]", self._copies).move_to_end(key)

    def _make_room(self, budget_bytes: int, now_ms: int) -> None:
        if self.bytes > budget_bytes:
            self.collect(now_ms)  # what is dead goes before what is merely cold
        while self.bytes > budget_bytes:
            self.remove(next(iter(self._copies)), "evicted")
