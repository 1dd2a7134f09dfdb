"""Stage 9, merkle: replicas compare trees of hashes, and find what differs without anybody reading it.

Adds    a tree for each range of keys, kept up to date with every write; each period two replicas compare
        roots and walk down to the buckets that differ, and merge the copies in them; tombstones are reaped
        when all home replicas hold them.
Fixes   every replica comes to hold what it should, whatever was lost on the way: a hint that died with its
        keeper, a disk, a repair that nobody's read would ever have caused.
Broken  until it has happened, it has not: a node that came back empty answers reads meanwhile, and two of
        those outvote the one who knows. A value that rots is spread by a read before a rebuild finds it.
        And no two keys are ever changed together. The rest is the reader's turn.
Source  DeCandia et al. 2007, section 4.7; Merkle 1988.
"""

from __future__ import annotations

from kvlab.config import ClusterConfig
from kvlab.core import resolution
from kvlab.core.clocks import Agreement, values_seen, written
from kvlab.core.quorum import Answers, Tally
from kvlab.core.store import Store
from kvlab.env import Env
from kvlab.errors import QuorumNotReached
from kvlab.messages import (
    NOTHING,
    AboutHints,
    AboutTrees,
    AntiEntropyRequest,
    Context,
    ContextRequest,
    Fetch,
    Fetched,
    Forward,
    Gossip,
    HintRequest,
    Item,
    Keep,
    Kept,
    Key,
    NodeId,
    Reply,
    RingSpec,
    Siblings,
    TransferRequest,
)
from kvlab.services.actors import Actors
from kvlab.services.anti_entropy import AntiEntropy
from kvlab.services.forwarding import Forwarding
from kvlab.services.handoff import Handoff
from kvlab.services.members import Members
from kvlab.services.read_repair import ReadRepair
from kvlab.services.transfer import Transfer


class MerkleNode:
    def __init__(self, env: Env, config: ClusterConfig, ring: RingSpec) -> None:
        self.env, self.config = env, config
        self.actors = Actors(env)
        self.store: Store[Siblings] = Store(observer=self.actors.changed)
        self.transfer = Transfer(env, self.store, ring, config.n)
        self.forwarding = Forwarding(env, config, self.transfer, self.number)
        self.repair = ReadRepair[Siblings](env, self.transfer)
        self.members = Members(env, config, self.transfer)
        self.agree = Agreement(config.prune)
        self.handoff = Handoff(env, config, self.transfer, self.agree, self.on_keep, self.members.alive)
        self.anti_entropy = AntiEntropy(env, config, self.store, self.transfer, self.members.alive)
        self.resolve = resolution.load(config.resolve)
        self.r = config.r or config.n // 2 + 1
        self.w = config.w or config.n // 2 + 1

    # -- coordinating: any node may be asked, the key's replicas act -----------------------------

    async def put(self, key: Key, item: Item, w: int | None = None, context: Context = NOTHING) -> Context:
        """Have a write coordinated by one of the key's replicas; done when w of them have it.

        It replaces what `context` has seen. Returns that and the new write: what to write with next.
        Raises QuorumNotReached: with outcome unknown if any replica has it, or may have it.
        """
        return await self.forward(key, item, w or self.w, context)

    async def get(self, key: Key, r: int | None = None) -> Siblings | None:
        """Coordinate a read: what r replicas hold between them, resolved. Raises QuorumNotReached.

        Where only tombstones are left their context is needed, to write with; None is for a key unheard of.
        """
        found = await self.read(key, r or self.r)
        return None if found is None else self.resolve(found)

    async def delete(
        self, key: Key, w: int | None = None, context: Context | None = None
    ) -> tuple[bytes, ...]:
        """Have a tombstone written over what the context has seen, or over what a read finds without one;
        returns the values that were among it."""
        found = await self.read(key, self.r) or Siblings(NOTHING, ())
        context = found.context if context is None else context
        if context != NOTHING:
            await self.forward(key, None, w or self.w, context)
        return values_seen(found, context)

    async def forward(self, key: Key, item: Item | None, w: int, context: Context) -> Context:
        """By this node if it is a replica of the key, else by one that is and lives; with none left, by this
        node all the same, under a name of its own for each write (services/actors.py)."""
        return await self.forwarding.write(
            key, item, w, context, self.members.living(self.replicas(key)), myself=self.config.hints
        )

    async def write(self, key: Key, copy: Siblings, w: int) -> None:
        acks = Tally(w, self.replicas(key))
        async for replica, answer in self.handoff.ask_to_keep(key, copy):
            if acks.add(replica, answer):
                return
        raise acks.missing("the write", QuorumNotReached)

    async def read(self, key: Key, r: int) -> Siblings | None:
        answers = Answers(r, self.replicas(key), self.agree)
        asked = self.handoff.ask_for(key)
        async for replica, answer in asked:
            if answers.add(replica, answer):
                break
        else:
            if not answers.none_better():
                raise answers.tally.missing("the read", QuorumNotReached)
        found = answers.agreed()
        if self.config.read_write_back and found is not None and answers.agreeing() < self.w:
            await self.write(key, found, self.w)
        if self.config.read_repair:
            self.env.later(self.repair.after(key, answers, asked))
        return found

    def replicas(self, key: Key) -> list[NodeId]:
        """The nodes that hold the key: the next N distinct ones clockwise, in distinct zones first."""
        return self.transfer.replicas(key)

    def belief(self, peer: NodeId) -> str:
        return self.members.belief(peer)

    def hints(self) -> dict[NodeId, int]:
        """How many hints this node keeps, by owner."""
        return self.handoff.box.counts()

    # -- answering peers: the replica's side -----------------------------------------------------

    async def on(
        self,
        sender: NodeId,
        request: ContextRequest | HintRequest[Siblings] | AntiEntropyRequest | Gossip | TransferRequest,
    ) -> Reply:
        match request:
            case Keep():
                return await self.on_keep(sender, request)
            case Fetch():
                return await self.on_fetch(sender, request)
            case Forward():
                return await self.forwarding.on(sender, request)
            case AboutHints():
                return await self.handoff.on(sender, request)
            case AboutTrees():
                return await self.anti_entropy.on(sender, request)
            case Gossip():
                return await self.members.on(sender, request)
            case _:
                return await self.transfer.on(sender, request)

    async def on_keep(self, sender: NodeId, request: Keep[Siblings]) -> Kept:
        await self.transfer.admit(sender, request)
        mine = self.store.get(request.key, self.env.now_ms())
        copy = self.agree(mine, request.copy)
        if copy != mine:
            self.store.put(request.key, copy, self.env.now_ms())
        await self.transfer.pass_on(request.key, copy)
        return Kept()

    async def on_fetch(self, sender: NodeId, request: Fetch[Siblings]) -> Fetched[Siblings]:
        await self.transfer.admit(sender, request)
        return Fetched(self.store.get(request.key, self.env.now_ms()))

    async def number(self, request: Forward) -> Context:
        """Number the write, keep it here first of all, so that its dot is never given to another, and then
        let all replicas have it. Who is no home replica keeps nothing, and begins under a new name."""
        key, item, now_ms = request.key, request.item, self.env.now_ms()
        mine = self.store.get(key, now_ms)
        actor = self.actors.next(key, mine)
        value, expires_ms = (None, None) if item is None else (item.value, item.expires_ms)
        copy, context = written(mine, request.context, actor, value, now_ms, expires_ms)
        if self.env.me in self.replicas(key):
            self.store.put(key, copy, now_ms)
        else:
            self.actors.forget(key)
        await self.write(key, copy, request.w)
        return context
