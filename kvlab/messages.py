"""Every message that one node sends another: one typed union, one place.

A message is a frozen struct, sent as a msgpack array whose first element is its name:
`Keep(b"k", Item(b"v"), epoch=3)` travels as `["Keep", b"k", ["Item", b"v", null], 3]`. A `Request[R]` is
answered by an `R`, so the type checker knows what `await env.ask(peer, Fetch(...))` brings back. Every
request can also be answered by `Refused` or `StaleRing`, which `ask` raises as `PeerRefused` and `RingMoved`.

All that crosses the network is checked on arrival against these types: a field of the wrong type never
reaches a stage. None of them can be part of a cycle, so the garbage collector need not look at those of which
there are many (`gc=False`): with a million items in a store, that is felt. `Frame` is the envelope that ties
an answer to its question, and both to the client operation for whose sake they were sent.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any, ClassVar, Generic, NewType, TypeAlias, TypeVar

import msgspec

from kvlab.errors import Outcome

NodeId = NewType("NodeId", str)
"""The name of a node (a process): n1, n2, ..."""

Key: TypeAlias = bytes
"""A key, as the client sent it: any bytes."""

OpId = NewType("OpId", str)
"""A client operation, such as `n1.3.17`: node, generation, count. Empty for background work."""


ChangeId = NewType("ChangeId", str)
"""One attempt to change the ring: its driver's name and a number drawn by chance."""

Actor = NewType("Actor", str)
"""Who numbers writes: a node in one of its lives (core/clocks.py)."""


# -- what a replica holds under a key: a copy ----------------------------------------------------
#
# Three kinds, one a data model. `values` are those that a client may see; `alive` says whether there are
# any; `expired(now_ms)` is what is left of it at that time, None for nothing at all.


class Item(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Stages 1, 3 and 4, and what a client writes in any: a value and when it stops being one. The expiry is
    absolute, so that no copy outlives another."""

    value: bytes
    expires_ms: int | None = None  # wall clock, milliseconds since 1970

    alive: ClassVar[bool] = True

    @property
    def values(self) -> tuple[bytes, ...]:
        return (self.value,)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.value)

    def expired(self, now_ms: int) -> Item | None:
        return None if self.expires_ms is not None and self.expires_ms <= now_ms else self


class Version(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Stages 2 and 5: a value with the time it was written at, or a tombstone (None), which says that the key
    was deleted then. What expires leaves a tombstone: an older value must not come back in its place."""

    value: bytes | None
    stamp_ms: int
    expires_ms: int | None = None

    @property
    def alive(self) -> bool:
        return self.value is not None

    @property
    def values(self) -> tuple[bytes, ...]:
        return () if self.value is None else (self.value,)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.value or b"")

    def expired(self, now_ms: int) -> Version:
        late = self.expires_ms is not None and self.expires_ms <= now_ms
        return Version(None, self.stamp_ms) if late else self


class Dot(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """The name of one write: the actor's `count`-th on this key."""

    actor: Actor
    count: int


class Context(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A causal history: which writes somebody has seen. Canonical: both parts sorted, nothing twice.

    `clock` is a version vector: of each actor, all writes up to that count. `dots` are the writes beyond
    it, with a gap before them.
    """

    clock: tuple[tuple[Actor, int], ...] = ()
    dots: tuple[Dot, ...] = ()


NOTHING = Context()
"""The history of somebody who has seen nothing."""


class Sibling(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One write that nothing seen so far replaces: a value or a tombstone (None). `stamp_ms` is its
    coordinator's clock, for those who resolve by it."""

    dot: Dot
    value: bytes | None
    stamp_ms: int
    expires_ms: int | None = None


class Siblings(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Stages 6 to 9: the concurrent writes of a key, in order of their dots, and the history behind them."""

    context: Context
    siblings: tuple[Sibling, ...]

    @property
    def alive(self) -> bool:
        return any(sibling.value is not None for sibling in self.siblings)

    @property
    def values(self) -> tuple[bytes, ...]:
        """Each value once: two writes of one value are no conflict to a client."""
        return tuple(dict.fromkeys(sibling.value for sibling in self.siblings if sibling.value is not None))

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(len(sibling.value or b"") for sibling in self.siblings)

    @property
    def expires_ms(self) -> int | None:
        """When the first of them expires."""
        return min((s.expires_ms for s in self.siblings if s.expires_ms is not None), default=None)

    def expired(self, now_ms: int) -> Siblings:
        """As with a Version, what expires leaves a tombstone, the same one on every replica."""
        return Siblings(
            self.context,
            tuple(
                Sibling(s.dot, None, s.stamp_ms) if s.expires_ms is not None and s.expires_ms <= now_ms else s
                for s in self.siblings
            ),
        )


Copy: TypeAlias = Item | Version | Siblings
C = TypeVar("C", bound=Item | Version | Siblings)


class Member(msgspec.Struct, frozen=True, array_like=True):
    """One node's place in the cluster: the zone it stands in, and how much it carries."""

    node: NodeId
    zone: str = "z1"
    weight: int = 1


class RingSpec(msgspec.Struct, frozen=True, array_like=True):
    """All that is needed to compute a ring: the tokens follow from the names (core/ring.py).

    `epoch` counts the changes: of two rings, the one with the higher epoch is the later.
    """

    epoch: int
    members: tuple[Member, ...]
    vnodes: int


UNKNOWN_EPOCH = -1
"""The epoch of what a newcomer has in place of a ring: one member, its seed, that knows more."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """What the sender of a heartbeat table knows of one node (core/membership.py).

    `generation` counts the node's lives, `heartbeat` the periods of this one; `age_ms` ago somebody heard
    that from the node itself. `accusers` have heard nothing later for too long. `left`: it is a member no
    more. `address` is where it listens for its peers: a port on loopback, 0 where names are addresses.
    """

    node: NodeId
    generation: int
    heartbeat: int
    age_ms: int
    accusers: tuple[NodeId, ...] = ()
    left: bool = False
    address: int = 0


class Reply(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """An answer."""


R = TypeVar("R", bound=Reply)


class Request(msgspec.Struct, Generic[R], frozen=True, array_like=True, tag=True, gc=False):
    """A question that is answered by an `R`."""


# -- answers that any request may get -----------------------------------------------------------


class Refused(Reply, frozen=True):
    """The peer will not do it: `error` is the name of a type in errors.py, and `outcome` its claim:
    failed (it has done nothing) or unknown (it has begun)."""

    error: str
    text: str
    outcome: Outcome = Outcome.FAILED


class StaleRing(Reply, frozen=True):
    """The question was addressed by an older ring than mine, and I have done nothing; here is mine."""

    ring: RingSpec


# -- a replica's part in reading and writing (stages 3 and up) ----------------------------------


class Kept(Reply, frozen=True):
    """The item is stored here."""


class Fetched(Reply, Generic[C], frozen=True):
    """What this node holds for the key: None if nothing."""

    copy: C | None


class Dropped(Reply, frozen=True):
    """The key is gone from here; `existed` says whether it was here before."""

    existed: bool


class Forwarded(Reply, frozen=True):
    """The write is done; its writer has now seen this."""

    context: Context


class Keep(Request[Kept], Generic[C], frozen=True):
    """Store this under this key. `epoch`: by which ring you were chosen to do so."""

    key: Key
    copy: C
    epoch: int = 0


class Fetch(Request[Fetched[C]], Generic[C], frozen=True):
    """Tell me what you hold for this key."""

    key: Key
    epoch: int = 0


class Drop(Request[Dropped], frozen=True):
    """Forget this key."""

    key: Key
    epoch: int = 0


# -- standing in for a replica that is away (services/handoff.py) -------------------------------


class FoundHint(Reply, Generic[C], frozen=True):
    """What this node keeps for others: None if nothing, which says nothing of what they themselves hold."""

    copy: C | None


class TookBack(Reply, frozen=True):
    """All of the copies are stored here, each merged with what was."""


class AboutHints(Request[R], Generic[R], frozen=True):
    """What standing in for a replica takes: one of `HintRequest`."""


class KeepHint(AboutHints[Kept], Generic[C], frozen=True):
    """Keep this for `owner`, apart from what is yours, until you can hand it back."""

    owner: NodeId
    key: Key
    copy: C
    epoch: int = 0


class FindHint(AboutHints[FoundHint[C]], Generic[C], frozen=True):
    """Tell me what you keep for others under this key."""

    key: Key
    epoch: int = 0


class HandBack(AboutHints[TookBack], Generic[C], frozen=True):
    """I have kept these (key, copy) for you while you were away."""

    copies: tuple[tuple[Key, C], ...]
    epoch: int = 0


class Forward(Request[Forwarded], frozen=True):
    """You are a replica of this key and I am not: coordinate this write (None: of a tombstone) to all of
    them, until w have it. It replaces what `context` has seen. `write` is the name of this one write."""

    write: str
    key: Key
    item: Item | None
    w: int
    context: Context
    epoch: int = 0


# -- changing the ring (services/transfer.py) ---------------------------------------------------


class RingIs(Reply, frozen=True):
    """The ring by which I work now."""

    ring: RingSpec


class Prepared(Reply, frozen=True):
    """I hold no other change, and will keep the new owners up to date from now on."""


class Giving(Reply, frozen=True):
    """So many copies have arrived at their new owners; `done`: that was all of them."""

    copies: int
    done: bool


class Took(Reply, frozen=True):
    """The copies are here."""


class Frozen(Reply, frozen=True):
    """I hold back operations on the moving keys until the new ring comes."""


class Installed(Reply, frozen=True):
    """I work by the new ring now."""


class Aborted(Reply, frozen=True):
    """The change is forgotten."""


class GetRing(Request[RingIs], frozen=True):
    """By which ring do you work?"""


class Prepare(Request[Prepared], frozen=True):
    """`ring` shall follow yours: from now on, pass on writes on moving keys to their new owners.

    `change` names this attempt; `driver` carries it through; the nodes in `dead` have no part in it.
    """

    change: ChangeId
    ring: RingSpec
    driver: NodeId
    dead: tuple[NodeId, ...] = ()


class Give(Request[Giving], frozen=True):
    """Send the moving keys you are the source of to their new owners; asked again, say how far you are."""

    change: ChangeId


class Take(Request[Took], frozen=True):
    """(key, copy, count): copies for their new owner. A copy of None says that the key was deleted.

    `count` is the source's count of writes: whatever order the network makes of these, the highest wins.
    """

    change: ChangeId
    copies: tuple[tuple[Key, Copy | None, int], ...]


class Freeze(Request[Frozen], frozen=True):
    """Everything has arrived: hold back operations on moving keys."""

    change: ChangeId


class Install(Request[Installed], frozen=True):
    """The new ring is in force. `settles`: said not by the driver but by a member in its stead."""

    change: ChangeId
    ring: RingSpec
    settles: bool = False


class Abort(Request[Aborted], frozen=True):
    """Forget the change: the old ring stays."""

    change: ChangeId


class StillDriving(Request[Prepared], frozen=True):
    """Are you still carrying through this change? Refused if not."""

    change: ChangeId


class Promise(Request[RingIs], frozen=True):
    """The driver of this change is silent: take no Install from it any more.

    The answer tells whether one had come before.
    """

    change: ChangeId


# -- mirroring (stage 2, services/mirror.py) ------------------------------------------------------


class Heard(Reply, frozen=True):
    """I am alive, and we hear each other."""


class Settled(Reply, frozen=True):
    """I know that the write is everywhere."""


class Pulled(Reply, frozen=True):
    """(key, copy, everywhere): the next of my copies; none when there are no more. `everywhere`: I know that
    all nodes hold this one, or a newer one."""

    copies: tuple[tuple[Key, Version, bool], ...]


class Pushed(Reply, frozen=True):
    """The copies are here."""


class Beat(Request[Heard], frozen=True):
    """Are you alive?"""


class Settle(Request[Settled], frozen=True):
    """All nodes hold this copy. The copy and not only its stamp: of two writes in one millisecond only the
    values differ."""

    key: Key
    copy: Version


class Pull(Request[Pulled], frozen=True):
    """Which copies do you hold, from this place on? It counts from 0, in the order in which the keys came."""

    start: int


class Push(Request[Pushed], frozen=True):
    """(key, copy, everywhere): copies that you do not hold, or hold older ones of."""

    copies: tuple[tuple[Key, Version, bool], ...]


# -- who is alive (services/members.py) -----------------------------------------------------------


class Gossiped(Reply, frozen=True):
    """The same of me: by which ring I work, and my heartbeat table."""

    ring: RingSpec
    rows: tuple[Row, ...]


class Gossip(Request[Gossiped], frozen=True):
    """By which ring I work, and my heartbeat table; now yours."""

    ring: RingSpec
    rows: tuple[Row, ...]


# -- anti-entropy (stage 9, services/anti_entropy.py) -------------------------------------------


class KeyRange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All the keys with these home replicas (in order of their names), by the ring of this epoch.

    By another ring the same homes have other keys: only ranges of one epoch are compared.
    """

    epoch: int
    homes: tuple[NodeId, ...]


class Hashes(Reply, frozen=True):
    """The hashes of the buckets asked for, in the same order."""

    hashes: tuple[bytes, ...]


class Entries(Reply, frozen=True):
    """The keys in the leaf buckets asked for, and the digest of what I hold under each."""

    entries: tuple[tuple[Key, bytes], ...]


class Swapped(Reply, frozen=True):
    """Of the copies sent, the first `done` are merged with mine; `took` lists those that were news to me,
    and `copies` has what I hold where that is newer than what was sent."""

    done: int
    took: tuple[Key, ...]
    copies: tuple[tuple[Key, Siblings], ...]


class Ripe(Reply, frozen=True):
    """Of the tombstones asked for, those that I hold too, and have held for long enough."""

    keys: tuple[Key, ...]


class Reaped(Reply, frozen=True):
    """I hold those tombstones no more."""


class AboutTrees(Request[R], Generic[R], frozen=True):
    """What comparing trees takes: one of `AntiEntropyRequest`."""


class GetHashes(AboutTrees[Hashes], frozen=True):
    """The hashes of these buckets of your tree of this range. Level 0 is the root."""

    range: KeyRange
    level: int
    buckets: tuple[int, ...]


class GetEntries(AboutTrees[Entries], frozen=True):
    """The keys and digests in these leaf buckets."""

    range: KeyRange
    leaves: tuple[int, ...]


class Swap(AboutTrees[Swapped], frozen=True):
    """Merge these copies of mine with yours, and send me what is newer. None: I hold nothing under it."""

    range: KeyRange
    copies: tuple[tuple[Key, Siblings | None], ...]


class GetRipe(AboutTrees[Ripe], frozen=True):
    """(key, digest): which of these tombstones could you do without?"""

    range: KeyRange
    tombstones: tuple[tuple[Key, bytes], ...]


class Reap(AboutTrees[Reaped], frozen=True):
    """All homes hold these tombstones: remove them, unless you hold something newer by now."""

    range: KeyRange
    tombstones: tuple[tuple[Key, bytes], ...]


ReplicaRequest: TypeAlias = Keep[C] | Fetch[C] | Drop
TransferRequest: TypeAlias = (
    GetRing | Prepare | Give | Take | Freeze | Install | Abort | StillDriving | Promise
)
HintRequest: TypeAlias = KeepHint[C] | FindHint[C] | HandBack[C]
ContextRequest: TypeAlias = Keep[Siblings] | Fetch[Siblings] | Forward
ReplicaReply: TypeAlias = Kept | Fetched[C] | Dropped
HintReply: TypeAlias = Kept | FoundHint[C] | TookBack
MirrorRequest: TypeAlias = Beat | Settle | Pull | Push
MirrorReply: TypeAlias = Heard | Settled | Pulled | Pushed
AntiEntropyRequest: TypeAlias = GetHashes | GetEntries | Swap | GetRipe | Reap
TransferReply: TypeAlias = RingIs | Prepared | Giving | Took | Frozen | Installed | Aborted
AntiEntropyReply: TypeAlias = Hashes | Entries | Swapped | Ripe | Reaped

AnyRequest: TypeAlias = (
    ReplicaRequest[Copy]
    | Forward
    | HintRequest[Copy]
    | MirrorRequest
    | TransferRequest
    | Gossip
    | AntiEntropyRequest
)
AnyReply: TypeAlias = (
    ReplicaReply[Copy]
    | Forwarded
    | HintReply[Copy]
    | MirrorReply
    | TransferReply
    | Gossiped
    | AntiEntropyReply
    | Refused
    | StaleRing
)
Message: TypeAlias = AnyRequest | AnyReply


FRAME_BYTES_MAX = 65 * 1024 * 1024
"""No message is longer. The largest request of a Redis client fits, and a chunk of other keys beside it."""


class Frame(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The envelope. `id` counts the sender's frames; `answers` is the id it replies to, 0 for a request."""

    id: int
    answers: int
    op: OpId
    body: Message


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Frame)


encode: Callable[[Frame], bytes] = _encoder.encode
"""The bytes of a frame, without the length that a stream puts before them."""

decode: Callable[[bytes | memoryview], Frame] = _decoder.decode
"""The frame in these bytes. Raises msgspec.DecodeError, whose text says what was expected where, or
UnicodeDecodeError for a string that is not in UTF-8."""


def kinds() -> list[str]:
    """The names of all types of messages."""
    return [t.__name__ for union in (AnyRequest, AnyReply) for t in typing.get_args(union)]


def kind(message: Any) -> str:
    """The name of a message's type: Keep, Kept, ..."""
    return type(message).__name__
