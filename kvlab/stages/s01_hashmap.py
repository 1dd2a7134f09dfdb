"""Stage 1, hashmap: one server, one dict.

Adds    a store in memory; keys that expire; a byte budget, which evicts what was not used for longest.
Fixes   it is fast: no disk, no network between the question and the answer.
Broken  it dies with its data; one CPU takes every request; one RAM holds every value.
Source  the memcached of Fitzpatrick 2004; the first attempt that everybody makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Never

from kvlab.config import ClusterConfig
from kvlab.core.store import Store
from kvlab.env import Env
from kvlab.messages import Item, Key, NodeId, RingSpec


class HashmapNode:
    def __init__(self, env: Env, config: ClusterConfig, ring: RingSpec) -> None:
        self.env = env
        self.store: Store[Item] = Store(config.memory_bytes, env.changed)

    # -- coordinating ----------------------------------------------------------------------------

    async def put(self, key: Key, item: Item, w: int | None = None) -> None:
        """Write. Raises ItemTooLarge."""
        self.store.put(key, item, self.env.now_ms())

    async def get(self, key: Key, r: int | None = None) -> Item | None:
        """Read."""
        return self.store.get(key, self.env.now_ms())

    def get_all(self, keys: Sequence[Key]) -> Sequence[Item | None]:
        """Read many, as a pipeline of GETs asks for."""
        return self.store.get_all(keys, self.env.now_ms())

    def put_all(self, items: Sequence[tuple[Key, Item]]) -> None:
        """Write many, as a pipeline of SETs does."""
        self.store.put_all(items, self.env.now_ms())

    async def delete(self, key: Key, w: int | None = None) -> bool:
        """Delete; True if the key was there."""
        return self.store.get(key, self.env.now_ms()) is not None and self.store.remove(key)

    def replicas(self, key: Key) -> list[NodeId]:
        """The nodes that hold the key."""
        return [self.env.me]

    # -- answering peers: there are none ---------------------------------------------------------

    async def on(self, sender: NodeId, request: Never) -> Never:
        raise AssertionError(f"{sender} asked {request!r} of a node that has no peers")
