"""Stage 5, quorum: W replicas confirm a write, R answer a read.

Adds    N, R and W, for the cluster and for each request; versions, of which the last one written wins; the
        replicas that a read finds behind are repaired, those that answer too late to count as well.
Fixes   one slow or dead replica no longer holds up a write; and if R + W > N, a read meets the last write.
Broken  clocks choose which of two writes survives: a coordinator whose clock is slow is told "done", and its
        write is lost. With fewer than W replicas up, writes stop. And R + W > N is not yet a register: of
        two reads during a write, the later may return the older value, unless what a read returns is
        written back first (`read_write_back`).
Source  DeCandia et al. 2007, section 4.5; R + W > N from Gifford 1979; the write-back, and the read before a
        write, from Attiya, Bar-Noy and Dolev 1995 and Lynch and Shvartsman 1997.
"""

from __future__ import annotations

from kvlab.config import ClusterConfig
from kvlab.core.quorum import Answers, Tally
from kvlab.core.store import Store
from kvlab.core.versions import newest
from kvlab.env import Env
from kvlab.errors import QuorumNotReached
from kvlab.messages import (
    Fetch,
    Fetched,
    Item,
    Keep,
    Kept,
    Key,
    NodeId,
    Reply,
    RingSpec,
    TransferRequest,
    Version,
)
from kvlab.services.read_repair import ReadRepair
from kvlab.services.transfer import Transfer


class QuorumNode:
    def __init__(self, env: Env, config: ClusterConfig, ring: RingSpec) -> None:
        self.env, self.config = env, config
        self.store: Store[Version] = Store(observer=env.changed)
        self.transfer = Transfer(env, self.store, ring, config.n)
        self.repair = ReadRepair[Version](env, self.transfer)
        self.r = config.r or config.n // 2 + 1
        self.w = config.w or config.n // 2 + 1
        self.stamped_ms = 0  # the last stamp given here: no two writes of one coordinator tie

    # -- coordinating: any node may be asked, the key's replicas act -----------------------------

    async def put(self, key: Key, item: Item, w: int | None = None) -> None:
        """Coordinate a write to all N replicas; done when w of them have it.

        Raises QuorumNotReached: with outcome unknown if any replica has it, or may have it.
        """
        await self.write(key, Version(item.value, await self.stamp(key), item.expires_ms), w or self.w)

    async def get(self, key: Key, r: int | None = None) -> Version | None:
        """Coordinate a read: the newest of what r replicas hold. Raises QuorumNotReached."""
        newest_one = await self.read(key, r or self.r)
        return newest_one if newest_one is not None and newest_one.alive else None

    async def delete(self, key: Key, w: int | None = None) -> bool:
        """Coordinate the write of a tombstone; True if the read before it found a value."""
        found = await self.read(key, self.r)
        await self.write(key, Version(None, await self.stamp(key)), w or self.w)
        return found is not None and found.alive

    async def write(self, key: Key, version: Version, w: int) -> None:
        acks = Tally(w, self.replicas(key))
        async for replica, answer in self.transfer.ask_to_keep(key, version):
            if acks.add(replica, answer):
                return
        raise acks.missing("the write", QuorumNotReached)

    async def read(self, key: Key, r: int) -> Version | None:
        answers = Answers(r, self.replicas(key), newest)
        asked = self.transfer.ask_for(key)
        async for replica, answer in asked:
            if answers.add(replica, answer):
                break
        else:
            raise answers.tally.missing("the read", QuorumNotReached)
        found = answers.agreed()
        if self.config.read_write_back and found is not None and answers.agreeing() < self.w:
            await self.write(key, found, self.w)
        if self.config.read_repair:
            self.env.later(self.repair.after(key, answers, asked))
        return found

    async def stamp(self, key: Key) -> int:
        """When a write now is said to be made: by my clock, and after my last one.

        To write registers it has to be later than whatever a read quorum knows of, whatever the clocks say.
        """
        known = await self.read(key, self.r) if self.config.read_write_back else None
        after_ms = max(self.stamped_ms, known.stamp_ms if known is not None else 0)
        self.stamped_ms = max(self.env.now_ms(), after_ms + 1)
        return self.stamped_ms

    def replicas(self, key: Key) -> list[NodeId]:
        """The nodes that hold the key: the next N distinct ones clockwise, in distinct zones first."""
        return self.transfer.replicas(key)

    # -- answering peers: the replica's side -----------------------------------------------------

    async def on(self, sender: NodeId, request: Keep[Version] | Fetch[Version] | TransferRequest) -> Reply:
        match request:
            case Keep():
                return await self.on_keep(sender, request)
            case Fetch():
                return await self.on_fetch(sender, request)
            case _:
                return await self.transfer.on(sender, request)

    async def on_keep(self, sender: NodeId, request: Keep[Version]) -> Kept:
        await self.transfer.admit(sender, request)
        mine = self.store.get(request.key, self.env.now_ms())
        version = newest(mine, request.copy)
        if version != mine:
            self.store.put(request.key, version, self.env.now_ms())
        await self.transfer.pass_on(request.key, version)
        return Kept()

    async def on_fetch(self, sender: NodeId, request: Fetch[Version]) -> Fetched[Version]:
        await self.transfer.admit(sender, request)
        return Fetched(self.store.get(request.key, self.env.now_ms()))
