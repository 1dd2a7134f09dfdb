"""Stage 3, ring: each key lives on the node whose token comes next on a circle.

Adds    consistent hashing, virtual nodes and weights; any node coordinates; nodes join and leave while
        clients go on.
Fixes   data and load may be larger than one machine, and a new node takes about 1/n of the keys.
Broken  each key has one copy: when its node is away, so is the key, and when the node dies, for ever.
Source  Karger et al. 1997; DeCandia et al. 2007, section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable

from kvlab.config import ClusterConfig
from kvlab.core.store import Store
from kvlab.env import Env
from kvlab.messages import (
    Drop,
    Dropped,
    Fetch,
    Fetched,
    Item,
    Keep,
    Kept,
    Key,
    NodeId,
    R,
    ReplicaRequest,
    Reply,
    Request,
    RingSpec,
    TransferRequest,
)
from kvlab.services.transfer import Transfer


class RingNode:
    def __init__(self, env: Env, config: ClusterConfig, ring: RingSpec) -> None:
        self.env = env
        self.store: Store[Item] = Store(config.memory_bytes, env.changed)
        self.transfer = Transfer(env, self.store, ring)

    # -- coordinating: any node may be asked, the key's owner acts -------------------------------

    async def put(self, key: Key, item: Item, w: int | None = None) -> None:
        """Coordinate a write. Raises PeerSilent (perhaps written) or PeerRefused (not written)."""
        await self.ask_owner(key, lambda epoch: Keep(key, item, epoch))

    async def get(self, key: Key, r: int | None = None) -> Item | None:
        """Coordinate a read. Raises PeerSilent or PeerRefused."""
        return (await self.ask_owner(key, lambda epoch: Fetch(key, epoch))).copy

    async def delete(self, key: Key, w: int | None = None) -> bool:
        """Coordinate a delete; True if the key was there. Raises PeerSilent or PeerRefused."""
        return (await self.ask_owner(key, lambda epoch: Drop(key, epoch))).existed

    async def ask_owner(self, key: Key, addressed: Callable[[int], Request[R]]) -> R:
        return await self.transfer.ask_first(key, addressed)

    def replicas(self, key: Key) -> list[NodeId]:
        """The node that holds the key: the owner of the next token clockwise."""
        return self.transfer.replicas(key)

    # -- answering peers: the owner's side -------------------------------------------------------

    async def on(self, sender: NodeId, request: ReplicaRequest[Item] | TransferRequest) -> Reply:
        match request:
            case Keep():
                return await self.on_keep(sender, request)
            case Fetch():
                return await self.on_fetch(sender, request)
            case Drop():
                return await self.on_drop(sender, request)
            case _:
                return await self.transfer.on(sender, request)

    async def on_keep(self, sender: NodeId, request: Keep[Item]) -> Kept:
        await self.transfer.admit(sender, request)
        self.store.put(request.key, request.copy, self.env.now_ms())
        await self.transfer.pass_on(request.key, request.copy)
        return Kept()

    async def on_fetch(self, sender: NodeId, request: Fetch[Item]) -> Fetched[Item]:
        await self.transfer.admit(sender, request)
        return Fetched(self.store.get(request.key, self.env.now_ms()))

    async def on_drop(self, sender: NodeId, request: Drop) -> Dropped:
        await self.transfer.admit(sender, request)
        existed = self.store.get(request.key, self.env.now_ms()) is not None
        self.store.remove(request.key)
        await self.transfer.pass_on(request.key, None)
        return Dropped(existed)
