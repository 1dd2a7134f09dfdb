"""Chapter 1: a store that forgets what has expired and, when it is full, what is cold.

Write the methods of `Store`. The reference takes about 50 lines. `kvlab check 1` says how far you are, and
`kvlab lab 1 --mine` runs a node with your store in it.

A store does not look at a clock: the caller passes the time, in milliseconds since 1970, so that a test
can let an hour pass at once. `Item(value, expires_ms)` is what is stored: `expires_ms` is None for one that
lives for ever, or the millisecond from which on it is gone.
"""

from __future__ import annotations

from kvlab.core.store import Observer
from kvlab.course.given import OVERHEAD_BYTES, GivenStore
from kvlab.errors import ItemTooLarge
from kvlab.messages import Item, Key


def footprint(key: Key, item: Item) -> int:
    """How many bytes of the budget an entry takes: its key, its value and OVERHEAD_BYTES."""
    raise NotImplementedError


class Store(GivenStore):
    """Keys and items, under a budget. get, put and remove are O(1), but for a collect that a put may need."""

    def __init__(self, budget_bytes: int | None = None, observer: Observer[Item] | None = None) -> None:
        """`budget_bytes`: how many bytes all entries may take together; None: no limit."""
        super().__init__(budget_bytes, observer)
        # You have, from GivenStore:
        #   self.budget_bytes
        #   self.bytes = 0               keep it equal to the footprints of all that is held
        #   self.tell(key, item, why)    call it after every change; `item` is what is held under the key now:
        #                                (key, item, "put"), (key, None, "deleted"), (key, None, "expired"),
        #                                (key, None, "evicted")
        raise NotImplementedError

    def __len__(self) -> int:
        """How many keys are held, those included that have expired and were not yet collected."""
        raise NotImplementedError

    def get(self, key: Key, now_ms: int) -> Item | None:
        """The item under this key; None if there is none, or none any more.

        To get an item is to use it. One that has expired is forgotten, and told as "expired".
        """
        raise NotImplementedError

    def peek(self, key: Key, now_ms: int) -> Item | None:
        """As get, but leaving no trace: looking at an item is not using it, and forgets nothing."""
        raise NotImplementedError

    def put(self, key: Key, item: Item, now_ms: int) -> None:
        """Hold this item under this key, in place of any other; to put an item is to use it.

        If all entries then take more than the budget, those that have expired go first; then the one that was
        not used for longest, and the next, until they fit. Tells of the put and of whatever has to go.

        Raises ItemTooLarge, and changes nothing, if this entry alone is above the budget.
        """
        raise NotImplementedError

    def remove(self, key: Key, why: str = "deleted") -> bool:
        """Forget the key, and tell `why`; True if it was held, whether it had expired or not."""
        raise NotImplementedError

    def collect(self, now_ms: int) -> int:
        """Forget whatever has expired; returns how many keys that were."""
        raise NotImplementedError

    def keys(self, now_ms: int) -> list[Key]:
        """Every key that has not expired, the one that was not used for longest first."""
        raise NotImplementedError
