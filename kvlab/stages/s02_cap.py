"""Stage 2, cap: three nodes that mirror each other, and the choice that a cut cable forces on them.

Adds    copies of everything on three nodes, any of which coordinates; heartbeats, by which each finds out
        who can no longer be told of a write; and the choice of what to do then.
          cp  refuse writes (WritesLocked) while anybody is missing; reads go on
          ap  take writes on every side of the cut, and at heal keep the newest of each key
Fixes   a machine may die, and be replaced by an empty one: the others have everything.
Broken  every node holds all data and takes all writes: three machines are no larger than one. With cp, one
        dead node stops every write. With ap, of two writes to a key on two sides of a cut one is lost,
        though both were acknowledged: the one with the lower stamp, so that a clock which is fast wins
        over a write that was later. What was overwritten is reported, unless its node died first. Stage 6
        keeps both. A tombstone is never forgotten; stage 9 reaps them.
Source  Brewer 2000; Gilbert and Lynch 2002, whose theorem 1 is why there is no third choice.

What cp may claim: each key is linearizable, as long as no two nodes lose their memory at a time. A write is
ok when all nodes have confirmed it. Until a node knows that of a write, the write is in doubt there, and a
read that meets it first has all nodes hold it (as readers do in Attiya, Bar-Noy and Dolev 1995). Therefore:

  - Until the cut is found out, a write waits for the missing node in vain. It is unknown: some hold it. From
    then on it is refused at once, and certainly not written.
  - On the side that holds such a write, reads of that one key are refused (InDoubt) until the cut heals: to
    answer with the new value or with the old one could each be contradicted by the other side, where reads
    go on and return the old one. Agreement by majority mends that (consensus, which is not in this course);
    stage 5 comes near to it.
  - When the cut heals, the write goes to all, and counts as done.
"""

from __future__ import annotations

from kvlab.config import ClusterConfig
from kvlab.core.store import Store
from kvlab.env import Env
from kvlab.errors import Busy, InDoubt, ReplicasMissing, WritesLocked
from kvlab.messages import (
    Item,
    Keep,
    Kept,
    Key,
    MirrorReply,
    MirrorRequest,
    NodeId,
    RingSpec,
    Version,
)
from kvlab.services.mirror import Mirror


class CapNode:
    def __init__(self, env: Env, config: ClusterConfig, ring: RingSpec) -> None:
        self.env = env
        self.store: Store[Version] = Store(observer=env.changed)
        self.mirror = Mirror(env, self.store, config)
        self.consistent = config.choice == "cp"

    # -- coordinating: any node may be asked, and holds the key itself ---------------------------

    async def put(self, key: Key, item: Item, w: int | None = None) -> None:
        """Coordinate a write. With cp, done when all nodes hold it: raises WritesLocked (not written) or
        ReplicasMissing (perhaps written). With ap, done when this node holds it."""
        await self.unlocked()
        await self.write(key, Version(item.value, self.mirror.stamp(key), item.expires_ms))

    async def get(self, key: Key, r: int | None = None) -> Version | None:
        """Read what this node holds. With cp, raises InDoubt if nobody may be told of it."""
        if not await self.mirror.begin() and self.consistent:
            raise Busy(
                f"{self.env.me} has just been started, and has not heard yet from "
                f"{', '.join(self.mirror.missing())} what it may have missed; ask another node, or wait"
            )
        copy = self.store.get(key, self.env.now_ms())
        if self.consistent:
            await self.beyond_doubt(key)
        return copy if copy is not None and copy.alive else None

    async def delete(self, key: Key, w: int | None = None) -> bool:
        """Coordinate the write of a tombstone; True if there was a value. Raises what put and get do."""
        await self.unlocked()
        existed = await self.get(key) is not None
        await self.write(key, Version(None, self.mirror.stamp(key)))
        return existed

    async def write(self, key: Key, version: Version) -> None:
        self.mirror.hold(key, version)
        if self.consistent:
            await self.mirror.confirm(key, version)
        else:
            self.env.later(self.mirror.spread(key, version))

    async def unlocked(self) -> None:
        """With cp, raise WritesLocked while anybody is missing."""
        await self.mirror.begin()
        if self.consistent and (missing := self.mirror.missing()):
            names = " and ".join(missing)
            raise WritesLocked(
                f"{self.env.me} takes no writes: {names} cannot be told of them, and would go on answering "
                f"with the old value. Nothing was written. It will be possible again when {names} can be "
                "reached and all copies agree; reads go on"
            )

    async def beyond_doubt(self, key: Key) -> None:
        """Return when the copy held here is known to be everywhere. Raises InDoubt."""
        version = self.mirror.open.get(key)
        if version is None:
            return
        if not self.mirror.missing():
            try:
                return await self.mirror.confirm(key, version)
            except ReplicasMissing:
                pass  # they are missing now
        raise InDoubt(self.env.me, self.mirror.missing())

    def replicas(self, key: Key) -> list[NodeId]:
        """The nodes that hold the key: all."""
        return self.mirror.everyone

    def belief(self, peer: NodeId) -> str:
        """alive or suspect: what this node has found out by itself."""
        return "suspect" if peer in self.mirror.missing() else "alive"

    # -- answering peers -------------------------------------------------------------------------

    async def on(self, sender: NodeId, request: Keep[Version] | MirrorRequest) -> Kept | MirrorReply:
        return self.mirror.on(sender, request)
