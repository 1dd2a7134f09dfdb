"""Mirror: every node holds every key, and notices when another can no longer be told of a write.

Each period a node asks the others for a sign of life. One that has been silent for too long, or did not
confirm a write, is *missing*. It is so until it answers again and all copies have been exchanged with it:

    pull    the peer's copies come over in chunks, and of each two copies the newest is kept
    push    what is newer here, or unknown there, goes back in chunks

Both sides may do this at once, and again after it broke off: to merge a copy twice changes nothing.

A node that has just been started, perhaps without its memory, takes no part in operations until it has
exchanged copies with *all* others. One would not be enough: a write may have been confirmed by the life
before, and have reached nobody yet but its coordinator.

A write stays *open* at a node until that node knows it to be everywhere. For the two choices that means:

    cp    open is what is in doubt: nobody may be told of it before all nodes hold it
    ap    open is what this node has told a client is done, and others may not have heard of

Now and then, when nobody is missing, what is open is sent to all once more; so a lost message delays, and
no more. In ap, a reconciliation that replaces what is open has overwritten an acknowledged write, and says
so. It may cry wolf: a write that has seen the other one (it came by a third node) replaces it rightly, and
stamps cannot tell. Version vectors can (stage 6).

Source: anti-entropy between sites, in its simplest form: Demers et al. 1987, section 1.3; the open writes of
    cp are the invalidations of Hermes (Katsarakis et al. 2020), by which reads stay local.
Invariant: copies only go forward, in the order of core/versions.py.
Invariant: what is not open at any node that holds it is held by all, or something newer is (cp).
Deviation: all copies travel at an exchange, not their digests. Stage 9 finds the few that differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TypeAlias, assert_never

from kvlab.config import ClusterConfig
from kvlab.core.heartbeats import Heartbeats
from kvlab.core.quorum import Tally
from kvlab.core.store import Store
from kvlab.core.versions import reconcile
from kvlab.env import Env
from kvlab.errors import OperationError
from kvlab.messages import (
    Beat,
    Heard,
    Keep,
    Kept,
    Key,
    MirrorReply,
    MirrorRequest,
    NodeId,
    Pull,
    Pulled,
    Push,
    Pushed,
    Settle,
    Settled,
    Version,
)
from kvlab.services.transfer import CHUNK_BYTES, CHUNK_KEYS

POLL_MS = 10.0

Told: TypeAlias = tuple[Key, Version, bool]
"""A copy as it travels in an exchange; True: its sender knows it to be everywhere."""


class Mirror:
    """One node's part in keeping all nodes alike. It begins to beat when it is made."""

    def __init__(self, env: Env, store: Store[Version], config: ClusterConfig) -> None:
        self.env, self.store, self.config = env, store, config
        self.acknowledges_early = config.choice == "ap"
        self.everyone = [member.node for member in config.members()]
        self.peers = [node for node in self.everyone if node != env.me]
        self.heartbeats = Heartbeats(self.peers, config.suspect_ms // config.gossip_ms)
        self.open: dict[Key, Version] = {}
        self.reconcile = reconcile  # of two copies; chapter 2 puts the reader's here
        self.begun = False  # this life has what the others had when it started
        self._told_missing: list[NodeId] = []
        self._alike: set[NodeId] = set()  # copies have been exchanged since they were last missing
        self._exchanging: set[NodeId] = set()
        self._meetings = dict.fromkeys(self.peers, 0)  # how often copies have been exchanged with each
        env.later(self._beat())
        env.later(self._tidy())

    def missing(self) -> list[NodeId]:
        """The peers that perhaps lack a write, or have one that this node lacks."""
        return [peer for peer in self.peers if peer not in self._alike]

    async def begin(self) -> bool:
        """Wait until this life has begun, for one time-out at the most; whether it has."""
        waited_ms = 0.0
        while not self.begun and waited_ms < self.config.timeout_ms:
            await self.env.sleep(POLL_MS)
            waited_ms += POLL_MS
        return self.begun

    # -- a write ---------------------------------------------------------------------------------

    def stamp(self, key: Key) -> int:
        """When a write now is said to be made: by my clock, and after the copy that I hold.

        So a slow clock cannot undo what it follows, where all nodes hold what is done (cp).
        """
        held = self.store.get(key, self.env.now_ms())
        return max(self.env.now_ms(), 0 if held is None else held.stamp_ms + 1)

    def hold(self, key: Key, version: Version) -> None:
        """Begin a write here: it is open, for nobody else has it."""
        self.store.put(key, version, self.env.now_ms())
        self.open[key] = version

    async def confirm(self, key: Key, version: Version) -> None:
        """Have all nodes hold this, or something newer. Raises ReplicasMissing.

        Who does not confirm is missing, unless copies were exchanged with it since it was asked.
        """
        acks = Tally(len(self.everyone), self.everyone)
        keep, meetings = Keep(key, version), dict(self._meetings)
        async for node, answer in self.env.each(self.everyone, lambda node: self.env.ask(node, keep)):
            if isinstance(answer, OperationError) and self._meetings[node] == meetings[node]:
                self._part(node)
            if acks.add(node, answer):
                self._confirmed(key, version)
                return
        raise acks.missing("the write")

    async def spread(self, key: Key, version: Version) -> None:
        """The same, and if it cannot be now, it stays open."""
        try:
            await self.confirm(key, version)
        except OperationError:
            return

    def _confirmed(self, key: Key, version: Version) -> None:
        """All nodes hold this or something newer. In ap, if somebody is missing still, the newer one may be
        of those that overwrite it, and is yet to come here: then it stays open."""
        if not self.acknowledges_early:
            self._settled(key, version)
            self.env.later(self._tell_settled(key, version))
        elif not self.missing():
            self._settled(key, version)

    async def _tell_settled(self, key: Key, version: Version) -> None:
        settle = Settle(key, version)
        async for _ in self.env.each(self.peers, lambda peer: self.env.ask(peer, settle)):
            pass  # who does not hear it keeps the write open, and tidies up later

    def _settled(self, key: Key, version: Version) -> None:
        if self.open.get(key) == version:
            del self.open[key]

    def merge(self, key: Key, copy: Version, *, everywhere: bool, reconciling: bool) -> None:
        """Hold the newest of this copy and ours, and say so if that overwrites a write we acknowledged."""
        now_ms = self.env.now_ms()
        mine = self.store.get(key, now_ms)
        told = self.acknowledges_early and reconciling and key in self.open
        stays, lost = self.reconcile(mine, copy, told)
        if stays == mine:
            if everywhere:
                self._settled(key, copy)
            return
        self.store.put(key, stays, now_ms)
        replaced = self.open.pop(key, None)
        if not self.acknowledges_early and not everywhere:
            self.open[key] = stays
        if lost and replaced is not None:
            self.env.overwritten(key, replaced, stays)

    # -- who is missing --------------------------------------------------------------------------

    async def _beat(self) -> None:
        await self.env.sleep(0)  # the node is still being made
        while True:
            self.heartbeats.beat()
            for peer in self.heartbeats.silent():
                self._part(peer)
            self._perhaps_begin()
            for peer in self.peers:
                self.env.later(self._ask_for_life(peer))
            await self.env.sleep(self.config.gossip_ms)

    async def _ask_for_life(self, peer: NodeId) -> None:
        try:
            # On a slow network answers come late, but they come: that is no silence.
            await self.env.ask(peer, Beat(), 4 * self.config.suspect_ms)
            self.heartbeats.answered(peer)
            if peer not in self._alike and peer not in self._exchanging:
                await self._reconcile(peer)
        except OperationError:
            return  # the next beat will show

    async def _tidy(self) -> None:
        """Every period: if nobody is missing, see to it that what is open comes to all."""
        while True:
            await self.env.sleep(self.config.gossip_ms)
            for key, version in list(self.open.items()):
                if self.missing():
                    break
                await self.spread(key, version)

    def _part(self, peer: NodeId) -> None:
        if peer in self._alike:
            self._alike.discard(peer)
            self.env.believes(peer, "suspect")
            self._tell_locked()

    async def _reconcile(self, peer: NodeId) -> None:
        """Exchange all copies with a peer that is back. Raises PeerSilent when it is gone again."""
        self._exchanging.add(peer)
        try:
            await self._exchange(peer)
        finally:
            self._exchanging.discard(peer)
        self._alike.add(peer)
        self._meetings[peer] += 1
        self.env.believes(peer, "alive")
        self._perhaps_begin()
        self._tell_locked()

    def _perhaps_begin(self) -> None:
        """Who would rather be available than right does not wait for the silent."""
        waits_for = self.missing()
        if self.acknowledges_early:
            silent = self.heartbeats.silent()
            waits_for = [peer for peer in waits_for if peer not in silent]
        self.begun |= not waits_for

    def _tell_locked(self) -> None:
        if self.begun and not self.acknowledges_early and self._told_missing != self.missing():
            self._told_missing = self.missing()
            self.env.locked(self._told_missing)

    # -- the exchange ----------------------------------------------------------------------------

    async def _exchange(self, peer: NodeId) -> None:
        theirs: dict[Key, Version] = {}
        while pulled := (await self.env.ask(peer, Pull(len(theirs)))).copies:
            for key, copy, everywhere in pulled:
                theirs[key] = copy
                self.merge(key, copy, everywhere=everywhere, reconciling=True)
        held = list(self.store.items(self.env.now_ms()))
        to_push = [(key, copy) for key, copy in held if theirs.get(key) != copy]
        while to_push:
            chunk = self._chunk(to_push)
            del to_push[: len(chunk)]
            await self.env.ask(peer, Push(chunk))

    def _chunk(self, copies: Iterable[tuple[Key, Version]]) -> tuple[Told, ...]:
        """As many as go into one message; at least one, if there is one."""
        chunk: list[Told] = []
        size = 0
        for key, copy in copies:
            chunk.append((key, copy, not self.acknowledges_early and key not in self.open))
            size += len(key) + copy.size
            if len(chunk) >= CHUNK_KEYS or size >= CHUNK_BYTES:
                break
        return tuple(chunk)

    # -- answering peers -------------------------------------------------------------------------

    def on(self, sender: NodeId, request: Keep[Version] | MirrorRequest) -> Kept | MirrorReply:
        match request:
            case Keep():
                # What comes from one with whom nothing was exchanged yet has not seen our open writes.
                apart = sender in self.missing()
                self.merge(request.key, request.copy, everywhere=False, reconciling=apart)
                return Kept()
            case Settle():
                self._settled(request.key, request.copy)
                return Settled()
            case Beat():
                return Heard()
            case Pull():
                # No key is ever forgotten here (a delete leaves a tombstone): a place stays what it was.
                return Pulled(self._chunk(islice(self.store.items(self.env.now_ms()), request.start, None)))
            case Push():
                for key, copy, everywhere in request.copies:
                    self.merge(key, copy, everywhere=everywhere, reconciling=True)
                return Pushed()
            case _:
                assert_never(request)
