"""What a starter is given: the rest of a component, of which the reader writes the idea.

A piece stands in a real node, which asks more of it than the lesson is about. These classes answer the rest
with what the reader's own methods offer.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from kvlab.core.store import OVERHEAD_BYTES, Observer
from kvlab.messages import Item, Key

__all__ = ["OVERHEAD_BYTES", "GivenStore"]


def _nobody(key: Key, item: Item | None, why: str) -> None:
    """Tell nobody."""


class GivenStore:
    """The rest of chapter 1's store: what a node asks of it beside what the lesson is about."""

    tombstones = 0

    def __init__(self, budget_bytes: int | None = None, observer: Observer[Item] | None = None) -> None:
        self.budget_bytes = budget_bytes
        self.bytes = 0
        self.tell: Observer[Item] = observer or _nobody

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def peek(self, key: Key, now_ms: int) -> Item | None: ...

    @abstractmethod
    def put(self, key: Key, item: Item, now_ms: int) -> None: ...

    @abstractmethod
    def remove(self, key: Key, why: str = "deleted") -> bool: ...

    @abstractmethod
    def collect(self, now_ms: int) -> int: ...

    @abstractmethod
    def keys(self, now_ms: int) -> list[Key]: ...

    def restore(self, key: Key, item: Item) -> None:
        """Hold what was held before a restart: nobody is told of it."""
        tell, self.tell = self.tell, _nobody
        try:
            self.put(key, item, 0)
        finally:
            self.tell = tell

    def next_expiry(self) -> int | None:
        """When to collect next, in ms since 1970; None if nothing is going to expire. O(n)."""
        return min(
            (item.expires_ms for _, item in self.items(0) if item.expires_ms is not None), default=None
        )

    def living(self, now_ms: int) -> list[Key]:
        """Every key under which there is a value now."""
        return self.keys(now_ms)

    def items(self, now_ms: int) -> Iterator[tuple[Key, Item]]:
        """Every (key, item)."""
        for key in self.keys(now_ms):
            item = self.peek(key, now_ms)
            if item is not None:
                yield key, item

    def clear(self) -> int:
        """Forget everything; returns how many keys that were."""
        keys = self.keys(0)
        for key in keys:
            self.remove(key, "flushed")
        return len(keys)
