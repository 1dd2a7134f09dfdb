"""Transfer: the ring changes and keys move, while clients go on reading and writing.

Source: the phases are those of a bootstrap in Cassandra, made strict; the way out when the one who drives
    them falls silent is Skeen's termination protocol (1981).
Invariant: at any moment a key has one set of replicas that accept operations on it, and who has come to
    hold a key holds all that its source had confirmed.
Deviation: Dynamo (section 4.8.1) lets gossip spread a membership change and mends later what went amiss.
    Before stage 7 there is neither gossip nor repair, so here a change needs every member's consent.

The ring has an epoch, and every request says by which epoch it was addressed. A change goes:

    prepare   every member consents, lowest name first, and holds no other change beside this one.
              From here on a *source* passes on each write of a moving key to the key's *heir*, and
              confirms the write only when the heir has it.
    give      the sources stream their copies of the moving keys. Copies and passed-on writes carry
              the source's count of writes: in whatever order they arrive, the highest count wins.
    freeze    all has arrived; the sources hold back operations on moving keys, for one round trip.
    install   the new ring is in force. Requests addressed by the old one are refused with the new
              (`RingMoved`), and their coordinators learn it that way, if in no other.

This file is a member's part; services/ring_change.py is the part of the one who drives. Until the first
install the change can be aborted, and the old ring never stopped working. If the driver falls silent,
the members settle the change between them: each promises to take no install from it any more, and if
nobody had taken one before, it is off. That needs all of them, since any may have been the one: while a
second member is silent beside the driver, the moving keys stay as they are, frozen if they were.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Generic, assert_never, cast

from kvlab.core.placement import Placement, heirs
from kvlab.core.ring import Ring
from kvlab.core.store import Store
from kvlab.env import Answer, Env
from kvlab.errors import Busy, OperationError, PeerRefused, PeerSilent, RingMoved
from kvlab.messages import (
    Abort,
    Aborted,
    C,
    ChangeId,
    Drop,
    Fetch,
    Fetched,
    FindHint,
    Forward,
    Freeze,
    Frozen,
    GetRing,
    Give,
    Giving,
    Install,
    Installed,
    Keep,
    KeepHint,
    Kept,
    Key,
    NodeId,
    Prepare,
    Prepared,
    Promise,
    R,
    Request,
    RingIs,
    RingSpec,
    StillDriving,
    Take,
    Took,
    TransferReply,
    TransferRequest,
)

CHUNK_KEYS = 200
CHUNK_BYTES = 256 * 1024
TRIES = 4
"""How often a step of a change is asked for before silence counts. Every step may be repeated."""


class Change:
    """A change that this node has consented to: what is to come, and how far it is."""

    def __init__(self, request: Prepare, n: int) -> None:
        self.id, self.ring, self.driver, self.dead = (
            request.change,
            request.ring,
            request.driver,
            request.dead,
        )
        self.placement = Placement(Ring(request.ring), n)
        self.count = 0  # of writes passed on, as a source
        self.under_way = 0  # of them, not yet with the heir
        self.copies: int | None = None  # streamed so far; None before that was asked for
        self.given = False  # all of them
        self.failed = ""  # why an heir does not hold what it should: then it must not become the owner
        self.promised = False  # to take no install from the driver
        self.taken: dict[Key, int] = {}  # as an heir: the highest count seen for each key


class Seats:
    """The replicas that one operation has to do with, and who sits in their places now.

    When the ring changes while it runs, heirs take the seats of their sources in all of its requests alike.
    Were each request to find the heir for itself, one by way of two rings and one at a leap, two of them
    might meet in one heir, and an operation count as done by a replica that never heard of it.
    """

    def __init__(self, key: Key, placement: Placement) -> None:
        self.key, self.placement = key, placement
        self.now = {replica: replica for replica in placement.replicas(key)}

    def follow(self, placement: Placement) -> None:
        """Let the heirs by this placement take their seats."""
        if placement is not self.placement:
            heir = dict(heirs(list(self.now.values()), placement.replicas(self.key)))
            self.now = {first: heir.get(now, now) for first, now in self.now.items()}
            self.placement = placement


class Transfer(Generic[C]):
    """The ring by which a node works, and its part in changing it."""

    def __init__(self, env: Env, store: Store[C], ring: RingSpec, n: int = 1) -> None:
        self.env, self.store, self.n = env, store, n
        self.placement = Placement(Ring(ring), n)
        self.change: Change | None = None
        self.driving: ChangeId | None = None  # the change that this node carries through
        self._settled = asyncio.Event()  # clear while operations are held back
        self._settled.set()

    @property
    def ring(self) -> RingSpec:
        return self.placement.ring.spec

    def replicas(self, key: Key) -> list[NodeId]:
        """The nodes that hold the key now, in preference order."""
        return self.placement.replicas(key)

    def learn(self, ring: RingSpec) -> None:
        """Work by this ring, if it is newer than ours."""
        if ring.epoch > self.ring.epoch:
            self._install(ring)

    # -- a coordinator's part: asking by a ring that may have changed ----------------------------

    async def ask_first(self, key: Key, addressed: Callable[[int], Request[R]]) -> R:
        """Ask the key's first replica. Raises what `Env.ask` does, but RingMoved."""
        seats = Seats(key, self.placement)
        return await self._ask(seats, next(iter(seats.now)), addressed)

    async def ask_one(
        self, key: Key, replica: NodeId, addressed: Callable[[int], Request[R]], timeout_ms: float
    ) -> R:
        """Ask this replica of the key, or its heir. Raises what `Env.ask` does, but RingMoved."""
        return await self._ask(Seats(key, self.placement), replica, addressed, timeout_ms)

    async def ask_in_turn(
        self, key: Key, addressed: Callable[[int], Request[R]]
    ) -> AsyncIterator[tuple[NodeId, Answer[R]]]:
        """Ask the key's replicas one after the other, nearest first, for as long as the caller goes on."""
        seats = Seats(key, self.placement)
        for replica in list(seats.now):
            answer: Answer[R]
            try:
                answer = await self._ask(seats, replica, addressed)
            except OperationError as error:
                answer = error
            yield replica, answer

    def ask_each(
        self, key: Key, addressed: Callable[[int], Request[R]], among: Sequence[NodeId] | None = None
    ) -> AsyncIterator[tuple[NodeId, Answer[R]]]:
        """Ask all the key's replicas at once; yields (replica, reply or error) as they come.

        With `among`, only these replicas are asked.
        """
        seats = Seats(key, self.placement)
        asked = list(seats.now) if among is None else among
        return self.env.each(asked, lambda replica: self._ask(seats, replica, addressed))

    def ask_to_keep(
        self, key: Key, copy: C, among: Sequence[NodeId] | None = None
    ) -> AsyncIterator[tuple[NodeId, Answer[Kept]]]:
        """Ask each of them to hold this copy, merged with its own."""
        return self.ask_each(key, lambda epoch: Keep(key, copy, epoch), among)

    def ask_for(
        self, key: Key, among: Sequence[NodeId] | None = None
    ) -> AsyncIterator[tuple[NodeId, Answer[Fetched[C]]]]:
        """Ask each of them for the copy that it holds."""

        def fetch(epoch: int) -> Fetch[C]:
            return Fetch(key, epoch)

        return self.ask_each(key, fetch, among)

    async def _ask(
        self,
        seats: Seats,
        replica: NodeId,
        addressed: Callable[[int], Request[R]],
        timeout_ms: float | None = None,
    ) -> R:
        """Ask who sits in the replica's place; `addressed` makes the request for a ring's epoch."""
        while True:
            seats.follow(self.placement)
            try:
                return await self.env.ask(seats.now[replica], addressed(self.ring.epoch), timeout_ms)
            except RingMoved as moved:
                self.learn(moved.ring)

    # -- a replica's part: which requests it lets in, and who must hear of them -------------------

    async def admit(
        self, sender: NodeId, request: Keep[C] | Fetch[C] | Drop | Forward | KeepHint[C] | FindHint[C]
    ) -> None:
        """Let a request in: raise RingMoved if it was addressed by an older ring than ours.

        Waits while the key is frozen; learns the newer ring if the sender has one.
        """
        while request.epoch != self.ring.epoch or not self._settled.is_set():
            if request.epoch < self.ring.epoch:
                raise RingMoved(self.ring)
            if request.epoch > self.ring.epoch:
                self.learn((await self.env.ask(sender, GetRing())).ring)
            elif self._my_heirs(request.key):
                await self._settled.wait()
            else:
                return

    async def pass_on(self, key: Key, copy: C | None) -> None:
        """After a change to the store and before confirming it: let the key's heirs have it too.

        If one does not take it, the write is confirmed all the same, and the change of the ring is off:
        by the old ring, which stays, this node's own copy is the one that counts.
        """
        change, mine = self.change, self._my_heirs(key)
        if change is None or change.failed or not mine:
            return  # of a change that is off, no further write needs to wait
        change.count += 1
        change.under_way += 1
        take = Take(change.id, ((key, copy, change.count),))
        try:
            for heir in mine:
                await self.env.ask(heir, take)
        except OperationError as error:
            change.failed = str(error)
        finally:
            change.under_way -= 1

    def _my_heirs(self, key: Key) -> list[NodeId]:
        if self.change is None:
            return []
        pairs = heirs(self.replicas(key), self.change.placement.replicas(key), self.change.dead)
        return [heir for source, heir in pairs if source == self.env.me]

    # -- a member's part in a change -------------------------------------------------------------

    async def on(self, sender: NodeId, request: TransferRequest) -> TransferReply:
        match request:
            case GetRing():
                return RingIs(self.ring)
            case Prepare():
                return await self.on_prepare(sender, request)
            case Give():
                return self.on_give(request)
            case Take():
                return self.on_take(request)
            case Freeze():
                return await self.on_freeze(request)
            case Install():
                return self.on_install(request)
            case Abort():
                return self.on_abort(request)
            case StillDriving():
                if self.driving != request.change:
                    raise Busy(f"{self.env.me} does not drive the change {request.change}")
                return Prepared()
            case Promise():
                if self.change is not None and self.change.id == request.change:
                    self.change.promised = True
                return RingIs(self.ring)
            case _:
                assert_never(request)

    async def on_prepare(self, sender: NodeId, request: Prepare) -> Prepared:
        if request.ring.epoch > self.ring.epoch + 1:  # we have missed an install
            self.learn((await self.env.ask(sender, GetRing())).ring)
        if self.change is not None and self.change.id == request.change:
            return Prepared()  # asked again
        if self.change is not None:
            raise Busy(f"{self.change.driver} is changing the ring; try again when that is over")
        if request.ring.epoch != self.ring.epoch + 1:
            raise RingMoved(self.ring)
        self.change = Change(request, self.n)
        self.env.ring_changed(request.ring, "prepared")
        if request.driver != self.env.me:
            self.env.later(self._guard(self.change))
        return Prepared()

    def on_give(self, request: Give) -> Giving:
        change = self._current(request.change)
        if change.copies is None:
            change.copies = 0
            self.env.later(self._stream(change))
        return Giving(change.copies, change.given)

    async def _stream(self, change: Change) -> None:
        """As a source: send every moving key's copy to its heirs, in chunks, each confirmed."""
        moving: dict[NodeId, list[Key]] = {}
        for key in reversed(self.store.keys(self.env.now_ms())):
            for heir in self._my_heirs(key):
                moving.setdefault(heir, []).append(key)
        try:
            for heir, keys in moving.items():
                while keys:
                    copies = self._chunk(change, keys)
                    await self.insist(heir, Take(change.id, copies))
                    change.copies = (change.copies or 0) + len(copies)
            change.given = True
        except OperationError as error:
            change.failed = str(error)

    def _chunk(self, change: Change, keys: list[Key]) -> tuple[tuple[Key, C, int], ...]:
        """The next copies to send, taken off the end of `keys`, where the coldest are: so the heir has them
        in the same order of use. What was deleted meanwhile has been passed on."""
        copies: list[tuple[Key, C, int]] = []
        size = 0
        while keys and len(copies) < CHUNK_KEYS and size < CHUNK_BYTES:
            key = keys.pop()
            copy = self.store.peek(key, self.env.now_ms())  # it is not used by being copied
            if copy is not None:
                copies.append((key, copy, change.count))
                size += len(key) + copy.size
        return tuple(copies)

    def on_take(self, request: Take) -> Took:
        change = self._current(request.change)
        for key, copy, count in request.copies:
            if count < change.taken.get(key, -1):
                continue  # the network brought an older write after a newer one
            change.taken[key] = count
            if copy is None:
                self.store.remove(key)
            else:
                self.store.put(key, cast(C, copy), self.env.now_ms())
        return Took()

    async def on_freeze(self, request: Freeze) -> Frozen:
        change = self._current(request.change)
        self._settled.clear()
        while change.under_way:  # writes let in before the frost, on their way to the heir
            await self.env.sleep(1)
        self._current(request.change)  # one of them may have failed, or the change ended meanwhile
        self.env.ring_changed(change.ring, "frozen")
        return Frozen()

    def on_install(self, request: Install) -> Installed:
        if self.ring == request.ring:
            return Installed()  # asked again
        if self.ring.epoch >= request.ring.epoch:
            raise RingMoved(self.ring)  # settled without its driver, and another change came after it
        if not request.settles and self._current(request.change).promised:
            raise Busy(f"the change {request.change} is being settled without its driver")
        self._install(request.ring)
        return Installed()

    def on_abort(self, request: Abort) -> Aborted:
        if self.change is not None and self.change.id == request.change:
            self.env.ring_changed(self.change.ring, "aborted")
            self._end_change()
        return Aborted()

    def _current(self, change: ChangeId) -> Change:
        """The change of this name. Raises Busy if it is not the one consented to, or cannot succeed."""
        if self.change is None or self.change.id != change:
            raise Busy(f"{self.env.me} knows of no change {change} of the ring (it was aborted)")
        if self.change.failed:
            raise Busy(f"a new owner did not take its keys: {self.change.failed}")
        return self.change

    def _install(self, ring: RingSpec) -> None:
        self.placement = Placement(Ring(ring), self.n)
        self._end_change()
        self.env.ring_changed(ring, "installed")

    def _end_change(self) -> None:
        """Installed or aborted."""
        self.change = None
        self.forget_foreign()
        self._settled.set()

    def forget_foreign(self) -> None:
        """Forget the copies that are not ours by the ring now in force."""
        for key in self.store.keys(self.env.now_ms()):
            if self.env.me not in self.replicas(key):
                self.store.remove(key, "moved")

    # -- when the driver falls silent ------------------------------------------------------------

    async def _guard(self, change: Change) -> None:
        """While the change is pending, ask now and then whether somebody still drives it."""
        silent = 0
        while self.change is change:
            await self.env.sleep(500)
            try:
                await self.env.ask(change.driver, StillDriving(change.id))
                silent = 0
            except PeerSilent:
                silent += 1
            except PeerRefused:
                silent = TRIES
            if silent >= TRIES and self.change is change:
                await self._settle(change)

    async def _settle(self, change: Change) -> None:
        """Decide without the driver; needs every other member, for any of them may have installed."""
        change.promised = True
        members = {member.node for member in (*self.ring.members, *change.ring.members)}
        others = sorted(members - {self.env.me, change.driver, *change.dead})
        try:
            rings = [(await self.insist(other, Promise(change.id))).ring for other in others]
            newest = max((self.ring, *rings), key=lambda ring: ring.epoch)
            for member in (*others, self.env.me):
                if newest.epoch >= change.ring.epoch:
                    await self.insist(member, Install(change.id, newest, settles=True))
                else:
                    await self.insist(member, Abort(change.id))
        except OperationError:
            return  # somebody did not answer; `_guard` comes back to it

    async def insist(self, peer: NodeId, request: Request[R]) -> R:
        """Ask until there is an answer; PeerSilent after TRIES time-outs. For what may be repeated."""
        for _ in range(TRIES - 1):
            try:
                return await self.env.ask(peer, request)
            except PeerSilent:
                continue
        return await self.env.ask(peer, request)
