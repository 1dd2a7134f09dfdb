"""What a starter is given: the rest of a component, of which the reader writes the idea.

A piece stands in a real node, which asks more of it than the lesson is about. These classes answer the rest
with what the reader's own methods offer.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Generic, NoReturn, Protocol

import msgspec

from kvlab.config import ClusterConfig
from kvlab.core import versions
from kvlab.core.detectors import Belief, Detector
from kvlab.core.hints import Hint
from kvlab.core.membership import UNHEARD, Changes, Membership
from kvlab.core.merkle import Digest, MerkleTree
from kvlab.core.placement import Placement
from kvlab.core.ring import Ring
from kvlab.core.store import OVERHEAD_BYTES, Observer
from kvlab.env import Answer, Env
from kvlab.errors import Busy, InDoubt, OperationError, PeerSilent, QuorumNotReached, WritesLocked
from kvlab.messages import (
    C,
    Fetched,
    Gossip,
    Gossiped,
    Item,
    Kept,
    Key,
    NodeId,
    RingSpec,
    Row,
    Version,
)
from kvlab.services.handoff import CHUNK_BYTES, CHUNK_KEYS
from kvlab.services.members import Members
from kvlab.services.transfer import Transfer
from kvlab.stages.s02_cap import CapNode
from kvlab.stages.s05_quorum import QuorumNode

__all__ = [
    "CHUNK_BYTES",
    "CHUNK_KEYS",
    "OVERHEAD_BYTES",
    "Entry",
    "GivenCapNode",
    "GivenHintBox",
    "GivenMembers",
    "GivenMembership",
    "GivenMerkleTree",
    "GivenPlacement",
    "GivenQuorumNode",
    "GivenStore",
    "GivenWalk",
    "too_few",
]


def _nobody(key: Key, item: Item | None, why: str) -> None:
    """Tell nobody."""


def _leave_to_the_reader(given: type[object], *methods: str) -> None:
    """Where what is given builds on a whole node, `super().put` would be the answer itself."""

    def yours(self: object, *args: object) -> NoReturn:
        raise NotImplementedError

    for method in methods:
        setattr(given, method, yours)


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


class GivenCapNode(CapNode):
    """The rest of chapter 2's node: heartbeats, messages, the exchange of copies, and deletes."""

    reconcile = staticmethod(versions.reconcile)

    def __init__(self, env: Env, config: ClusterConfig, ring: RingSpec) -> None:
        super().__init__(env, config, ring)
        self.mirror.reconcile = self.reconcile

    def missing(self) -> list[NodeId]:
        """The other nodes that are silent, or were and have not exchanged copies with this one since."""
        return self.mirror.missing()

    async def has_begun(self) -> bool:
        """Wait until this node knows what it missed before it was started, for one time-out at the most.

        False: it has not heard from everybody yet, and some write may have passed it by.
        """
        return await self.mirror.begin()

    def held(self, key: Key) -> Version | None:
        """The copy that this node holds; a tombstone for what was deleted or has expired."""
        return self.store.get(key, self.env.now_ms())

    def stamp(self, key: Key) -> int:
        """The stamp_ms of a write that is made now: later than that of the copy held here."""
        return self.mirror.stamp(key)

    def hold(self, key: Key, version: Version) -> None:
        """Hold this write here. From now on it is in doubt: nobody else is known to have it."""
        self.mirror.hold(key, version)

    async def confirm(self, key: Key, version: Version) -> None:
        """Have all nodes hold this; then it is in doubt no more. Raises ReplicasMissing if one is silent."""
        await self.mirror.confirm(key, version)

    async def spread(self, key: Key, version: Version) -> None:
        """The same without an error: who is silent now is told later. For the background."""
        await self.mirror.spread(key, version)

    def in_doubt(self, key: Key) -> Version | None:
        """The write of this key of which this node does not know that all nodes hold it; None if none is."""
        return self.mirror.open.get(key)

    def locked(self) -> WritesLocked:
        """The error for a write that is refused. Nothing may have been done."""
        return WritesLocked(
            f"{self.env.me} takes no writes: {self._names()} cannot be told. Nothing was written"
        )

    def doubtful(self) -> InDoubt:
        """The error for a read of what is in doubt and cannot be settled now."""
        return InDoubt(self.env.me, self.missing())

    def busy(self) -> Busy:
        """The error for a read at a node that does not know yet what it missed."""
        return Busy(f"{self.env.me} has just been started, and has not heard yet from {self._names()}")

    def _names(self) -> str:
        return " and ".join(self.missing())


_leave_to_the_reader(GivenCapNode, "put", "get", "unlocked", "write", "beyond_doubt")


def too_few(doing: str, votes: Votes) -> QuorumNotReached:
    """The error to raise when no more answers will come and there were too few.

    What a client may assume of it is what the votes say: `perhaps_done`.
    """
    got = [replica for replica in votes.of if replica in votes.heard]
    silent = [replica for replica, error in votes.errors.items() if isinstance(error, PeerSilent)]
    refusals = [str(error) for error in votes.errors.values() if not isinstance(error, PeerSilent)]
    return QuorumNotReached(doing, votes.need, len(votes.of), got, silent, refusals, votes.perhaps_done())


class Votes(Protocol):
    """What `too_few` asks of a Tally."""

    need: int
    of: list[NodeId]
    heard: dict[NodeId, Any]
    errors: dict[NodeId, OperationError]

    def perhaps_done(self) -> bool: ...


class GivenQuorumNode(QuorumNode):
    """The rest of chapter 5's node: its replica's side, the ring, stamps, deletes, and how all are asked."""

    def ask_to_keep(self, key: Key, version: Version) -> AsyncIterator[tuple[NodeId, Answer[Kept]]]:
        """Ask all the key's replicas at once to keep this; yields (replica, Kept or error) as they come.

        To leave the loop early cancels nothing: the others still get it, and still keep it.
        """
        if not isinstance(version, Version):  # a replica would find out, and could not say whose line it was
            raise TypeError(f"ask_to_keep takes a key and a Version, and was given {version!r}")
        return self.transfer.ask_to_keep(key, version)

    def ask_for(self, key: Key) -> AsyncIterator[tuple[NodeId, Answer[Fetched[Version]]]]:
        """Ask all the key's replicas at once what they hold; yields (replica, Fetched or error)."""
        return self.transfer.ask_for(key)


_leave_to_the_reader(GivenQuorumNode, "put", "get", "write", "read")


# -- chapter 7 -----------------------------------------------------------------------------------


class Entry:
    """What a node knows of one other, in chapter 7. Plain data: what to do with it is the reader's."""

    def __init__(self, row: Row, detector: Detector, belief: Belief = Belief.ALIVE) -> None:
        self.row = row  # the latest that was heard
        self.accusers = set(row.accusers)  # of that heartbeat
        self.convicted = False  # of that heartbeat
        self.detector = detector
        self.belief = belief  # as last told


class GivenMembership:
    """The rest of chapter 7's table: whom to expect, who has left, and what one asks it."""

    clock: Any

    def __init__(
        self, me: NodeId, generation: int, address: int, detector: Callable[[float], Detector]
    ) -> None:
        self.me, self.generation, self.address = me, generation, address
        self.heartbeat = 0
        self.departed = False
        self.detector = detector
        self.entries: dict[NodeId, Entry] = {}

    @abstractmethod
    def judge(self, now: float) -> Changes: ...

    def others(self) -> list[NodeId]:
        """Every other node that has not left, in the order of the table; also those that have failed."""
        return [node for node, entry in self.entries.items() if not entry.row.left]

    def belief(self, node: NodeId) -> Belief:
        """What this node takes that one for; one it has never heard of is as good as failed."""
        if node == self.me:
            return Belief.LEFT if self.departed else Belief.ALIVE
        entry = self.entries.get(node)
        return Belief.FAILED if entry is None else entry.belief

    def address_of(self, node: NodeId) -> int:
        """Where the node listens, as it said itself; 0 if it has not been heard."""
        entry = self.entries.get(node)
        return 0 if entry is None else entry.row.address

    def expect(self, nodes: Iterable[NodeId], now_ms: float) -> Changes:
        """Know these by name: alive until they have been silent for too long. Of one that left, a later life
        is expected."""
        now = self.clock.read(now_ms)
        for node in nodes:
            entry = self.entries.get(node)
            if node != self.me and (entry is None or entry.row.left):
                unheard = Row(node, UNHEARD if entry is None else entry.row.generation + 1, 0, 0)
                before = Belief.ALIVE if entry is None else entry.belief
                self.entries[node] = Entry(unheard, self.detector(now), before)
        return self.judge(now)

    def leave(self, node: NodeId, now_ms: float) -> Changes:
        """The node is no member any more; in this life it will not be again."""
        if node == self.me:
            self.departed = True
        elif node in self.entries:
            entry = self.entries[node]
            entry.row = msgspec.structs.replace(entry.row, left=True)
        return self.judge(self.clock.read(now_ms))


class GivenMembers(Members):
    """The rest of chapter 7's gossip: a round each period, the ring that is told along, and newcomers."""

    def __init__(
        self, env: Env, config: ClusterConfig, transfer: Transfer[Any], kind: Callable[..., Any]
    ) -> None:
        """`kind`: of the table to keep."""
        self._kind = kind
        super().__init__(env, config, transfer)
        self.membership: Any = self._membership

    def _new_table(self, kind: Callable[..., Membership] = Membership) -> Membership:
        return super()._new_table(self._kind)

    def what_i_know(self) -> Gossip:
        """To be sent to somebody: this node's table, and its ring."""
        return Gossip(self.transfer.ring, tuple(self.table()))

    def hear(self, said: Gossip | Gossiped) -> None:
        """Take what is new in what somebody has said: his ring, and his table, by your `merge`."""
        self._hear(said)

    def tell(self, changes: Changes) -> None:
        """Note of whom something else is believed now; every list that the table returns goes here."""
        self._tell(changes)


_leave_to_the_reader(GivenMembers, "round", "exchange", "on")


# -- chapter 8 -----------------------------------------------------------------------------------


class GivenPlacement:
    """The rest of chapter 8's placement: the ring, and who is at home."""

    def __init__(self, ring: Ring, n: int) -> None:
        self.ring, self.n = ring, n
        self._homes = Placement(ring, n)

    def replicas(self, key: Key) -> list[NodeId]:
        """The home replicas of the key, in order of preference."""
        return self._homes.replicas(key)

    def clockwise(self, key: Key) -> list[NodeId]:
        """Every node of the ring once, in the order in which they come clockwise from the key."""
        return list(dict.fromkeys(self.ring.clockwise(self.ring.slot(key))))

    def zone(self, node: NodeId) -> str:
        """The zone that a node is in; "" for one that has left the ring."""
        member = self.ring.members.get(node)
        return "" if member is None else member.zone


class GivenHintBox(Generic[C]):
    """The rest of chapter 8's hint box: where the hints lie."""

    def __init__(self, merge: Callable[[C, C], C], hints_max: int, ttl_ms: int) -> None:
        self.merge, self.hints_max, self.ttl_ms = merge, hints_max, ttl_ms
        self.hints: dict[NodeId, dict[Key, Hint[C]]] = {}

    def __len__(self) -> int:
        """How many hints there are, for all owners."""
        return sum(map(len, self.hints.values()))

    def counts(self) -> dict[NodeId, int]:
        """How many hints there are for each owner; only of owners that there are any for."""
        return {owner: len(hints) for owner, hints in sorted(self.hints.items())}

    def find(self, owner: NodeId, key: Key) -> Hint[C] | None:
        """The hint for this owner and key; None if there is none."""
        return self.hints.get(owner, {}).get(key)

    def remove(self, owner: NodeId, key: Key) -> None:
        """Forget a hint that there is."""
        del self.hints[owner][key]
        if not self.hints[owner]:
            del self.hints[owner]

    @abstractmethod
    def merged(self, old: Hint[C], new: Hint[C]) -> Hint[C]: ...

    def restore(self, owner: NodeId, key: Key, hint: Hint[C]) -> Hint[C]:
        """Keep this hint, merged with the one that there is, in its place; returns what is kept now."""
        old = self.find(owner, key)
        kept = hint if old is None else self.merged(old, hint)
        self.hints.setdefault(owner, {})[key] = kept
        return kept

    def readdress(
        self, homes: Callable[[Key], list[NodeId]]
    ) -> tuple[list[tuple[NodeId, Key]], list[tuple[NodeId, Key]]]:
        """After a change of the ring: what is for a node that is no home of the key any more is for all that
        are. Returns those that are gone, and those that are new."""
        gone = [
            (owner, key) for owner, hints in self.hints.items() for key in hints if owner not in homes(key)
        ]
        new: list[tuple[NodeId, Key]] = []
        for owner, key in gone:
            hint = self.hints[owner][key]
            self.remove(owner, key)
            new += [(home, key) for home in homes(key) if self.find(home, key) is None]
            for home in homes(key):
                self.restore(home, key, hint)
        return gone, new


# -- chapter 9 -----------------------------------------------------------------------------------


class GivenMerkleTree:
    """The rest of chapter 9's tree: its shape, and what a rebuild asks of it."""

    def __init__(self, fanout: int = 16, levels: int = 3) -> None:
        self.fanout, self.levels = fanout, levels
        self._shape = MerkleTree(fanout, levels)

    @property
    def root(self) -> Digest:
        """What stands for all that the tree holds."""
        return self.hash(0, 0)

    def bucket(self, key: Key) -> int:
        """The leaf bucket of a key: 0 to fanout ** levels - 1."""
        return self._shape.bucket(key)

    def children(self, bucket: int) -> range:
        """The buckets of the next level that make up this one."""
        return self._shape.children(bucket)

    @abstractmethod
    def update(self, key: Key, digest: Digest | None) -> None: ...

    @abstractmethod
    def hash(self, level: int, bucket: int) -> Digest: ...

    @abstractmethod
    def entries(self, leaf: int) -> list[tuple[Key, Digest]]: ...

    def refill(self, leaf: int, content: Iterable[tuple[Key, Digest]]) -> list[Key]:
        """Fill a leaf bucket anew from what is really held; returns the keys whose digests were others."""
        before, now = dict(self.entries(leaf)), dict(content)
        changed = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
        for key in changed:
            self.update(key, now.get(key))
        return changed


class GivenWalk:
    """The rest of chapter 9's walk: where it begins."""

    def __init__(self, tree: GivenMerkleTree) -> None:
        self.tree = tree
        self.level = 0
        self.asking: list[int] = [0]
        self.leaves: list[int] = []
        self.differed: list[int] = []
