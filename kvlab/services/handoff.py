"""Handoff: who takes the place of a replica that is away, and how what was kept for it comes home.

Source: DeCandia et al. 2007, section 4.6 (sloppy quorum, hinted handoff). That a time-out is reason enough
    for a hint is Cassandra's idea, and its bounded rate as well.
Invariant: of one operation no node gets two copies: a stand-in is neither a home replica of the key nor the
    stand-in of another.
Invariant: a hint is deleted only after its owner has confirmed that it holds the copy. It may be brought
    twice, late or in any order: the owner merges it with what it has, as with any write.
Invariant: nothing is handed to a node that is not believed to be alive, but by one that is about to leave.
Deviation: Dynamo's coordinator sends to the first N healthy nodes and leaves it at that. Ours, when one of
    them turns out to be silent, turns to a stand-in at once: until gossip has spread the news, every write
    to a dead replica would have to do without it.

    KeepHint   to a stand-in: keep this for the owner
    FindHint   to a stand-in: what do you keep under this key, for whomever?
    HandBack   to the owner, a chunk at a time: here is what you have missed

All three say by which epoch of the ring they were addressed, as a Keep does, and are refused if the receiver
knows of a later one. A hint whose owner is no home replica any more, because the ring has changed, is given
to those that are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Generic, TypeAlias, TypeVar, assert_never, cast

import msgspec

from kvlab.config import ClusterConfig
from kvlab.core.hints import Hint, HintBox
from kvlab.env import Answer, Env
from kvlab.errors import Busy, HintsFull, OperationError, PeerSilent, RingMoved
from kvlab.messages import (
    C,
    Copy,
    Fetch,
    Fetched,
    FindHint,
    FoundHint,
    HandBack,
    HintReply,
    HintRequest,
    Keep,
    KeepHint,
    Kept,
    Key,
    NodeId,
    R,
    Reply,
    Request,
    TookBack,
)
from kvlab.services.transfer import Seats, Transfer

PERIOD_MS = 200
CHUNK_KEYS = 200
CHUNK_BYTES = 200 * 1024
"""To each owner one chunk a period: a node that comes back is not buried under what it has missed."""

S = TypeVar("S", bound=Reply)
"""What a stand-in answers, where a home replica answers an R."""

Alive: TypeAlias = Callable[[NodeId], bool]


class KeptHint(msgspec.Struct, frozen=True, array_like=True):
    """A hint on the disk of a durable node: when it expires by the clock of its world, which another world
    does not know, and by the wall's, which may be set. Whichever is first holds."""

    owner: NodeId
    key: Key
    copy: Copy
    expires_ms: int
    wall_expires_ms: int


class Places:
    """Where one operation goes: for each home replica a seat, and in each seat a node of its own."""

    def __init__(self, key: Key, transfer: Transfer[C], alive: Alive) -> None:
        self.key, self.alive = key, alive
        self.placement = transfer.placement
        self.seats = Seats(key, self.placement)
        self.nodes = dict(self.placement.stand_ins(key, self._healthy()))

    def _healthy(self) -> list[NodeId]:
        return [node for node in self.placement.ring.members if self.alive(node)]

    def turn(self, seat: NodeId) -> bool:
        """Let a stand-in sit here in place of the home replica; False if nobody is left to do it."""
        found = self.placement.stand_in(self.key, self._healthy(), self.nodes.values())
        self.nodes[seat] = found or self.nodes[seat]
        return found is not None

    def follow(self, transfer: Transfer[C]) -> None:
        """After a change of the ring: let heirs take the seats of their sources; a stand-in stays. Where the
        heir has a seat already, as a stand-in, another one takes this one."""
        homes = self.seats.now
        self.placement = transfer.placement
        self.seats.follow(self.placement)
        for seat, home in self.seats.now.items():
            if homes[seat] != home and self.nodes[seat] == homes[seat]:
                if home in self.nodes.values():
                    self.turn(seat)
                else:
                    self.nodes[seat] = home


class Handoff(Generic[C]):
    """One node's hints, and its part in a sloppy quorum.

    `merge` makes one copy of two; `keep` is how the stage takes a Keep from a peer; `alive` is what this node
    believes of another now.
    """

    def __init__(
        self,
        env: Env,
        config: ClusterConfig,
        transfer: Transfer[C],
        merge: Callable[[C, C], C],
        keep: Callable[[NodeId, Keep[C]], Awaitable[Kept]],
        alive: Alive,
    ) -> None:
        self.env, self.transfer, self.keep, self.alive = env, transfer, keep, alive
        self.sloppy = config.hints
        self.retiring = False  # this node is about to leave, and keeps nothing new
        self.box = HintBox(merge, config.hints_max, config.hint_ttl_ms)
        self._epoch = transfer.ring.epoch  # of the ring by which the hints are addressed
        for data in env.kept("hints").values():
            hint = _decoder.decode(data)
            left_ms = min(
                config.hint_ttl_ms, hint.expires_ms - self._now_ms(), hint.wall_expires_ms - env.now_ms()
            )
            self.box.restore(hint.owner, hint.key, Hint(cast(C, hint.copy), self._now_ms() + left_ms))
            env.hinted(hint.owner, hint.key, "kept", len(self.box))
        env.later(self._run())

    def _now_ms(self) -> int:
        """By a clock that nobody sets: were it set back, a hint would be kept for longer than tombstones."""
        return int(self.env.at_ms())

    # -- a coordinator's part: the first N healthy nodes -----------------------------------------

    def ask_each(
        self,
        key: Key,
        at_home: Callable[[int], Request[R]],
        stood_in: Callable[[NodeId, int], Request[S]],
    ) -> AsyncIterator[tuple[NodeId, Answer[R | S]]]:
        """Ask all the key's replicas at once, or those who stand in for them; yields (home replica, reply or
        error) as they come.

        `at_home` makes the request for a ring's epoch; `stood_in` that to a stand-in, from the owner and
        the epoch. Without hints only home replicas are asked: the quorum is strict.
        """
        if not self.sloppy:
            return cast("AsyncIterator[tuple[NodeId, Answer[R | S]]]", self.transfer.ask_each(key, at_home))
        places = Places(key, self.transfer, self.alive)

        async def ask(seat: NodeId) -> R | S:
            silent: PeerSilent | None = None  # the home replica, which may have acted all the same
            while True:
                places.follow(self.transfer)
                home, node, epoch = places.seats.now[seat], places.nodes[seat], self.transfer.ring.epoch
                try:
                    if node == home:
                        return await self.env.ask(node, at_home(epoch))
                    return await self.env.ask(node, stood_in(home, epoch))
                except RingMoved as moved:
                    self.transfer.learn(moved.ring)
                except OperationError as error:
                    if silent is not None:
                        raise silent from error
                    if node != home or not isinstance(error, PeerSilent) or not places.turn(seat):
                        raise
                    silent = error

        return self.env.each(list(places.nodes), ask)

    def ask_to_keep(self, key: Key, copy: C) -> AsyncIterator[tuple[NodeId, Answer[Kept]]]:
        """Ask each to hold this copy, merged with its own, or to keep it for the replica that is away."""
        return self.ask_each(
            key,
            lambda epoch: Keep(key, copy, epoch),
            lambda owner, epoch: KeepHint(owner, key, copy, epoch),
        )

    def ask_for(self, key: Key) -> AsyncIterator[tuple[NodeId, Answer[Fetched[C] | FoundHint[C]]]]:
        """Ask each of them for the copy that it holds, or keeps for others."""

        def fetch(epoch: int) -> Fetch[C]:
            return Fetch(key, epoch)

        def find(owner: NodeId, epoch: int) -> FindHint[C]:
            return FindHint(key, epoch)

        return self.ask_each(key, fetch, find)

    # -- a stand-in's part -----------------------------------------------------------------------

    async def on(self, sender: NodeId, request: HintRequest[C]) -> HintReply[C]:
        match request:
            case KeepHint():
                return await self.on_keep_hint(sender, request)
            case FindHint():
                return await self.on_find_hint(sender, request)
            case HandBack():
                return await self.on_hand_back(sender, request)
            case _:
                assert_never(request)

    async def on_keep_hint(self, sender: NodeId, request: KeepHint[C]) -> Kept:
        await self.transfer.admit(sender, request)
        if self.retiring:
            raise Busy(f"{self.env.me} is about to leave, and keeps no more hints")
        owner, key, before = request.owner, request.key, len(self.box)
        try:
            self.box.add(owner, key, request.copy, self._now_ms())
        except HintsFull:
            self.env.hinted(owner, key, "refused", before)
            raise
        self._save(owner, key)
        self.env.hinted(owner, key, "kept" if len(self.box) > before else "merged", len(self.box))
        return Kept()

    async def on_find_hint(self, sender: NodeId, request: FindHint[C]) -> FoundHint[C]:
        await self.transfer.admit(sender, request)
        return FoundHint(self.box.get(request.key, self._now_ms()))

    # -- bringing it home ------------------------------------------------------------------------

    async def on_hand_back(self, sender: NodeId, request: HandBack[C]) -> TookBack:
        """As the owner: each is a write that comes late, no more."""
        for key, copy in request.copies:
            await self.keep(sender, Keep(key, copy, request.epoch))
        return TookBack()

    async def _run(self) -> None:
        while True:
            await self.env.sleep(PERIOD_MS)
            self._follow()
            owners = [owner for owner in self.box.counts() if self.alive(owner)]
            async for _, answer in self.env.each(owners, self._hand_back):
                if isinstance(answer, RingMoved):
                    self.transfer.learn(answer.ring)  # any other owner is offered it again next time

    async def _hand_back(self, owner: NodeId) -> TookBack:
        async def send(copies: Sequence[tuple[Key, C]]) -> TookBack:
            return await self.env.ask(owner, HandBack(tuple(copies), self.transfer.ring.epoch))

        for key in await hand_back(self.box, owner, send, self._now_ms()):
            self._gone(owner, key, "delivered")
        return TookBack()

    async def retire(self) -> None:
        """Before this node leaves for good: hand back all that is left, and take no more.

        The change of the ring asks every member for its consent, so the owners are there. Raises
        OperationError if one does not take its hints all the same; call `stay` then.
        """
        self.retiring = True
        while True:
            self._follow()  # somebody may join meanwhile
            due = [owner for owner in self.box.counts() if self.box.due(owner, self._now_ms(), 1, 0)]
            if not due:
                return
            await self._hand_back(due[0])

    def stay(self) -> None:
        """This node does not leave after all."""
        self.retiring = False

    def _follow(self) -> None:
        """Forget what has expired; and after a change of the ring, readdress what is for nodes that no longer
        hold the key. In this order: merged with what has expired, a hint would be too late at once."""
        for owner, key in self.box.expire(self._now_ms()):
            self._gone(owner, key, "expired")
        if self._epoch == self.transfer.ring.epoch:
            return
        self._epoch = self.transfer.ring.epoch
        gone, new = self.box.readdress(self.transfer.replicas)
        for owner, key in new:
            self.env.hinted(owner, key, "kept", len(self.box))
        for owner, key in gone:
            for home in self.transfer.replicas(key):
                self._save(home, key)
            self._gone(owner, key, "moved")

    def _save(self, owner: NodeId, key: Key) -> None:
        """Before it is confirmed: a durable node still has the hint after a kill."""
        hint = self.box.find(owner, key)
        if hint is not None:
            wall_ms = hint.expires_ms - self._now_ms() + self.env.now_ms()
            data = msgspec.msgpack.encode(KeptHint(owner, key, hint.copy, hint.expires_ms, wall_ms))
            self.env.keep("hints", _row(owner, key), data)

    def _gone(self, owner: NodeId, key: Key, why: str) -> None:
        self.env.keep("hints", _row(owner, key), None)
        self.env.hinted(owner, key, why, len(self.box))


async def hand_back(
    box: HintBox[C],
    owner: NodeId,
    send: Callable[[Sequence[tuple[Key, C]]], Awaitable[TookBack]],
    now_ms: int,
) -> list[Key]:
    """Offer the owner the next chunk, and forget what it has taken; returns the keys of which that is true.

    `send` returns when the owner has confirmed that it holds all of these. What it raises is raised, and then
    every hint stays.
    """
    chunk = box.due(owner, now_ms, CHUNK_KEYS, CHUNK_BYTES)
    await send(chunk)
    return [key for key, copy in chunk if box.delivered(owner, key, copy)]


def _row(owner: NodeId, key: Key) -> bytes:
    """The name of a hint on disk."""
    return msgspec.msgpack.encode((owner, key))


_decoder = msgspec.msgpack.Decoder(KeptHint)
