"""Stage 4, replication: the next N distinct nodes clockwise each hold a copy.

Adds    N copies of every key, on distinct nodes, in distinct zones as far as there are enough.
Fixes   a node may die, then a whole zone, and every key is still there to be read.
Broken  a write waits for all N, so that one slow or dead replica stops it, or trusts one, so that an
        acknowledged write may be on the very node that dies next. And nothing orders two writes: each
        replica keeps the one that reached it last, which need not be the same one.
Source  DeCandia et al. 2007, section 4.3.
"""

from __future__ import annotations

from kvlab.config import ClusterConfig
from kvlab.core.quorum import Tally
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
    ReplicaRequest,
    Reply,
    RingSpec,
    TransferRequest,
)
from kvlab.services.transfer import Transfer


class ReplicationNode:
    def __init__(self, env: Env, config: ClusterConfig, ring: RingSpec) -> None:
        self.env = env
        self.store: Store[Item] = Store(config.memory_bytes, env.changed)
        self.transfer = Transfer(env, self.store, ring, config.n)
        self.w = config.w or config.n

    # -- coordinating: any node may be asked, the key's replicas act -----------------------------

    async def put(self, key: Key, item: Item, w: int | None = None) -> None:
        """Coordinate a write to all N replicas; done when w of them have it (all, or one).

        Raises ReplicasMissing: with outcome unknown if any replica has it, or may have it.
        """
        acks = Tally(w or self.w, self.replicas(key))
        async for replica, answer in self.transfer.ask_to_keep(key, item):
            if acks.add(replica, answer):
                return
        raise acks.missing("the write")

    async def get(self, key: Key, r: int | None = None) -> Item | None:
        """Coordinate a read: of the first replica that answers, nearest first.

        Raises ReplicasMissing when none does.
        """

        def fetch(epoch: int) -> Fetch[Item]:
            return Fetch(key, epoch)

        answers = Tally(1, self.replicas(key))
        async for replica, answer in self.transfer.ask_in_turn(key, fetch):
            if isinstance(answer, Fetched):
                return answer.copy
            answers.add(replica, answer)
        raise answers.missing("the read")

    async def delete(self, key: Key, w: int | None = None) -> bool:
        """Coordinate a delete like a write; True if any replica that answered had the key."""
        existed = False
        acks = Tally(w or self.w, self.replicas(key))
        async for replica, answer in self.transfer.ask_each(key, lambda epoch: Drop(key, epoch)):
            existed |= isinstance(answer, Dropped) and answer.existed
            if acks.add(replica, answer):
                return existed
        raise acks.missing("the delete")

    def replicas(self, key: Key) -> list[NodeId]:
        """The nodes that hold the key: the next N distinct ones clockwise, in distinct zones first."""
        return self.transfer.replicas(key)

    # -- answering peers: the replica's side -----------------------------------------------------

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
