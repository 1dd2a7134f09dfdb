"""Anti-entropy: replicas compare trees, and each comes to hold what it should, whatever was lost on the way.

Source: DeCandia et al. 2007, section 4.7; a tree per range, its rebuilding now and then and the order of an
    exchange as Riak has them; tombstones reaped when all home replicas hold them, as Riak's reaper does.
Invariant: what an exchange brings is merged with what is held, never put in its place: a write that comes in
    between is not lost, and two exchanges that cross do no harm.
Invariant: a tombstone is removed only after every home replica has confirmed that it holds this one and
    nothing else, and has done so for `grace_ms`. A replica that is away confirms nothing, and hints do not
    live as long (core/hints.py): no older value is left that could come back, unless a message was under way
    for longer than is allowed for (UNDER_WAY_MS_MAX in check/claims.py). Nor does a tombstone that does hide
    what is written after it: under a key that was removed a new actor counts (services/actors.py).
Deviation: Dynamo and Riak keep a tree for each arc of the ring. Here a range is all the keys with one set of
    home replicas, on whatever arcs: they are compared with the same peers, and there are fewer trees.

Every `antientropy_ms` a node chooses by chance one living peer with which it shares ranges. Of each:

    GetHashes    the peer's hashes, from the root down to the leaf buckets that differ
    GetEntries   the keys and digests in those
    Swap         our copies of the keys that differ; the peer merges them with its own and sends back
                 whatever is still newer than ours, which we merge in turn

The two trees are not of one moment, for writes go on. A key may look different that only was on its way; its
copies then turn out to be equal, or one is mended a moment before the write itself arrives.

A range is named by the ring's epoch and its homes, and only trees of one ring are compared: by another, the
same name might mean other keys. While the ring changes there are no exchanges, so that nothing changes behind
the back of a transfer.

A tombstone is removed by its first home replica, in two steps. GetRipe asks the other homes whether they have
held this very tombstone for long enough; if all have, Reap tells them to remove it, and each does that still
holds it. If one does not hear that, an exchange brings the tombstone back from there: a tombstone too many,
for another `grace_ms`, and no harm. How long one has been held is counted in periods lived through, not by a
clock: a node that was stopped for an hour will first finish what it was about to send, an old value perhaps,
before that hour counts for anything.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from itertools import islice
from typing import TypeAlias, assert_never

from kvlab.config import ClusterConfig
from kvlab.core.clocks import merged
from kvlab.core.merkle import DIGEST_BYTES, Digest, MerkleTree, Walk, differing_keys, digest_of
from kvlab.core.placement import preference_list
from kvlab.core.store import Store
from kvlab.env import Env
from kvlab.errors import Busy, OperationError, RingMoved
from kvlab.messages import (
    AntiEntropyReply,
    AntiEntropyRequest,
    Entries,
    GetEntries,
    GetHashes,
    GetRipe,
    Hashes,
    Key,
    KeyRange,
    NodeId,
    Reap,
    Reaped,
    Ripe,
    Siblings,
    Swap,
    Swapped,
)
from kvlab.services.transfer import Transfer

CHUNK_KEYS = 200
CHUNK_BYTES = 256 * 1024
CHUNK_LEAVES = 256
"""So many keys, bytes of copies and leaf buckets at a time: other work goes on in between."""

SCAN_KEYS = 100
"""So many keys are hashed before others have a turn: a few milliseconds."""

Homes: TypeAlias = tuple[NodeId, ...]
"""The home replicas of a range, in order of their names."""


class AntiEntropy:
    """One node's trees, its exchanges, and its part in reaping. `alive` is what it believes of a peer.

    It follows every change of the store, and goes on in the background unless it is turned off.
    """

    def __init__(
        self,
        env: Env,
        config: ClusterConfig,
        store: Store[Siblings],
        transfer: Transfer[Siblings],
        alive: Callable[[NodeId], bool],
    ) -> None:
        self.env, self.config, self.store, self.transfer = env, config, store, transfer
        self.alive = alive
        self.trees: dict[Homes, MerkleTree] = {}
        self.ready = False  # the trees have all that the store holds
        self._epoch = -1  # of the ring that the trees follow
        self._awake_ms = 0  # lived through, in whole periods
        self._tombstones: dict[Key, tuple[Digest, int]] = {}  # and since when; the oldest first
        store.watch(self.changed)
        if config.antientropy:
            env.later(self.run())

    # -- the trees ---------------------------------------------------------------------------------

    def changed(self, key: Key, copy: Siblings | None, why: str = "") -> None:
        """The store holds this now: bring the key's tree up to date."""
        digest = None if copy is None else digest_of(copy)
        self._note_tombstone(key, digest if copy is not None and not copy.alive else None)
        tree = self._tree_of(key)
        if tree is not None:
            tree.update(key, digest)

    def _note_tombstone(self, key: Key, digest: Digest | None) -> None:
        known = self._tombstones.get(key)
        if known is not None and known[0] == digest:
            return
        self._tombstones.pop(key, None)  # so that a new one is the last
        if digest is not None:
            self._tombstones[key] = (digest, self._awake_ms)

    def homes(self, key: Key) -> Homes:
        """By which range the key belongs to."""
        return tuple(sorted(self.transfer.replicas(key)))

    def _tree_of(self, key: Key) -> MerkleTree | None:
        """The key's tree; None if it is not ours to hold."""
        self.follow()
        return self.trees.get(self.homes(key))

    def follow(self) -> None:
        """After a change of the ring: begin new trees, of the new ranges, and fill them bit by bit."""
        ring = self.transfer.placement.ring
        if ring.epoch == self._epoch:
            return
        slots = range(len(ring.tokens()))
        ranges = {tuple(sorted(preference_list(ring, slot, self.transfer.n))) for slot in slots}
        self._epoch, self.ready = ring.epoch, False
        self.trees = {homes: MerkleTree() for homes in sorted(ranges) if self.env.me in homes}
        self.env.later(self._fill(ring.epoch))

    async def _fill(self, epoch: int) -> None:
        """Enter all that the store holds. What changes meanwhile is entered by `changed`."""
        for i, key in enumerate(self.store.keys(self.env.now_ms())):
            if i % SCAN_KEYS == 0:
                await self.env.sleep(1)
            copy = self.store.peek(key, self.env.now_ms())
            if copy is not None:
                self.changed(key, copy)
        self.ready = self._epoch == epoch  # unless the ring has changed again

    async def rebuild(self) -> None:
        """Hash everything anew, and remove the copies that have rotted: an exchange will bring sound ones.

        A hash in a tree says what was once written. Where the store has something else now, nobody wrote it.
        """
        for homes, tree in list(self.trees.items()):
            scanned = 0
            for leaf in tree.leaves():
                if tree is not self.trees.get(homes):
                    return  # the ring has changed: new trees were begun, and nobody updates this one
                keys = [key for key, _ in tree.entries(leaf)]
                copies = [(key, self.store.peek(key, self.env.now_ms())) for key in keys]
                content = [(key, digest_of(copy)) for key, copy in copies if copy is not None]
                for key in tree.refill(leaf, content):
                    self.store.remove(key, "rotten")
                scanned += len(keys)
                if scanned >= SCAN_KEYS:
                    scanned = 0
                    await self.env.sleep(1)

    # -- in the background -------------------------------------------------------------------------

    async def run(self) -> None:
        """Every period: reap what is ripe, compare trees with one peer; now and then rebuild them."""
        rebuilt_ms = 0
        while True:
            await self.env.sleep(self.config.antientropy_ms)
            self._awake_ms += self.config.antientropy_ms
            self.follow()
            if not self.ready or self.transfer.change is not None:
                continue
            if self._awake_ms - rebuilt_ms >= self.config.rebuild_ms:
                rebuilt_ms = self._awake_ms
                await self.rebuild()
            await self._patiently(self.reap)
            await self._patiently(self.exchange_with_one)

    async def _patiently(self, work: Callable[[], Coroutine[object, object, None]]) -> None:
        """Do it; whoever is silent or busy is asked again another time."""
        try:
            await work()
        except RingMoved as moved:
            self.transfer.learn(moved.ring)
        except OperationError:
            pass

    async def exchange_with_one(self) -> None:
        """Exchange all ranges shared with one living peer, chosen by chance."""
        peers = sorted({peer for homes in self.trees for peer in homes} - {self.env.me})
        living = [peer for peer in peers if self.alive(peer)]
        if living:
            peer = self.env.random.choice(living)
            for homes in [homes for homes in self.trees if peer in homes]:
                await self.exchange(peer, KeyRange(self._epoch, homes))

    # -- an exchange, the side that asks -----------------------------------------------------------

    async def exchange(self, peer: NodeId, shared: KeyRange) -> None:
        """Find the keys of this range that the peer holds otherwise, and mend them on both sides.

        Raises what `Env.ask` does: RingMoved if the peer works by a newer ring, Busy by an older one.
        """
        walk, levels, size = Walk(self._tree(shared)), 0, 0
        while walk.asking:
            hashes = (await self.env.ask(peer, GetHashes(shared, walk.level, tuple(walk.asking)))).hashes
            levels += 1
            size += DIGEST_BYTES * len(hashes)
            walk.heard(hashes)
        differing: list[Key] = []
        leaves = iter(walk.leaves)
        while chunk := tuple(islice(leaves, CHUNK_LEAVES)):
            entries = (await self.env.ask(peer, GetEntries(shared, chunk))).entries
            size += sum(len(key) + DIGEST_BYTES for key, _ in entries)
            mine = [entry for leaf in chunk for entry in self._tree(shared).entries(leaf)]
            differing += differing_keys(mine, entries)
        self.env.exchanged(peer, levels, len(walk.leaves), len(differing), size, walk.differed)
        await self._swap(peer, shared, differing)

    async def _swap(self, peer: NodeId, shared: KeyRange, keys: Sequence[Key]) -> None:
        """Exchange the copies of these keys, as many at a time as both sides have room for."""
        while keys:
            swapped = await self.env.ask(peer, Swap(shared, self._copies(keys)))
            for key, copy in swapped.copies:
                self._absorb(shared, key, copy)
            for key in swapped.took:
                self.env.repaired(key, peer, "anti-entropy")
            keys = keys[swapped.done :]

    def _copies(self, keys: Sequence[Key]) -> tuple[tuple[Key, Siblings | None], ...]:
        """Our copies of the first of these keys, as far as there is room; at least one."""
        copies: list[tuple[Key, Siblings | None]] = []
        size = 0
        for key in keys[:CHUNK_KEYS]:
            copy = self.store.peek(key, self.env.now_ms())
            size += len(key) + (0 if copy is None else copy.size)
            if copies and size > CHUNK_BYTES:
                break
            copies.append((key, copy))
        return tuple(copies)

    def _absorb(self, shared: KeyRange, key: Key, copy: Siblings) -> bool:
        """Merge this copy into ours; True if that was news."""
        if shared.epoch != self._epoch or shared.homes != self.homes(key):
            return False  # the ring has changed since we asked for it
        mine = self.store.peek(key, self.env.now_ms())
        both = merged(mine, copy)
        if mine is not None and digest_of(both) == digest_of(mine):
            return False
        self.store.put(key, both, self.env.now_ms())
        return True

    # -- an exchange, the side that answers --------------------------------------------------------

    async def on(self, sender: NodeId, request: AntiEntropyRequest) -> AntiEntropyReply:
        tree = self._tree(request.range)
        match request:
            case GetHashes():
                return Hashes(tuple(tree.hash(request.level, bucket) for bucket in request.buckets))
            case GetEntries():
                return Entries(tuple(entry for leaf in request.leaves for entry in tree.entries(leaf)))
            case Swap():
                return self.on_swap(sender, request)
            case GetRipe():
                return Ripe(tuple(key for key, digest in request.tombstones if self._is_ripe(key, digest)))
            case Reap():
                return self.on_reap(request)
            case _:
                assert_never(request)

    def on_swap(self, sender: NodeId, request: Swap) -> Swapped:
        took: list[Key] = []
        newer: list[tuple[Key, Siblings]] = []
        done = size = 0
        for key, copy in request.copies:
            if size > CHUNK_BYTES:
                break
            done += 1
            if copy is not None and self._absorb(request.range, key, copy):
                took.append(key)
            mine = self.store.peek(key, self.env.now_ms())
            if mine is not None and (copy is None or digest_of(mine) != digest_of(copy)):
                newer.append((key, mine))
                size += len(key) + mine.size
                self.env.repaired(key, sender, "anti-entropy")
        return Swapped(done, tuple(took), tuple(newer))

    def _tree(self, shared: KeyRange) -> MerkleTree:
        """The tree of this range by the ring in force, if it is complete. Raises RingMoved or Busy."""
        self.follow()
        if shared.epoch < self._epoch:
            raise RingMoved(self.transfer.ring)
        tree = self.trees.get(shared.homes)
        if shared.epoch > self._epoch or tree is None:
            raise Busy(f"{self.env.me} has no such range: its ring is of epoch {self._epoch}")
        if self.transfer.change is not None:
            raise Busy(f"{self.env.me} compares no trees while the ring changes")
        if not self.ready:
            raise Busy(f"{self.env.me} is still building its trees")
        return tree

    # -- reaping tombstones ------------------------------------------------------------------------

    async def reap(self) -> None:
        """Remove the tombstones of which this node is the first home replica, and which all homes hold."""
        ripe: dict[Homes, list[tuple[Key, Digest]]] = {}
        for key, (digest, since_ms) in self._tombstones.items():
            if self._awake_ms - since_ms < self.config.grace_ms:
                break  # the rest are younger
            if self.transfer.replicas(key)[0] == self.env.me:
                ripe.setdefault(self.homes(key), []).append((key, digest))
        for homes, tombstones in ripe.items():
            if all(home == self.env.me or self.alive(home) for home in homes):
                await self._reap(KeyRange(self._epoch, homes), tombstones[:CHUNK_KEYS])

    async def _reap(self, shared: KeyRange, tombstones: list[tuple[Key, Digest]]) -> None:
        others = [home for home in shared.homes if home != self.env.me]
        question = GetRipe(shared, tuple(tombstones))
        async for _, answer in self.env.each(others, lambda home: self.env.ask(home, question)):
            if isinstance(answer, OperationError):
                return  # somebody may hold something older
            tombstones = [entry for entry in tombstones if entry[0] in answer.keys]
        if tombstones:
            order = Reap(shared, tuple(tombstones))
            self.on_reap(order)
            async for _, _ in self.env.each(others, lambda home: self.env.ask(home, order)):
                pass  # who did not hear it brings the tombstone back

    def _is_ripe(self, key: Key, digest: Digest) -> bool:
        """Do we hold this very tombstone, and have we for long enough?"""
        known = self._tombstones.get(key)
        return known is not None and known[0] == digest and self._awake_ms - known[1] >= self.config.grace_ms

    def on_reap(self, request: Reap) -> Reaped:
        for key, digest in request.tombstones:
            known = self._tombstones.get(key)
            if known is not None and known[0] == digest:  # and nothing newer since
                self.store.remove(key, "reaped")
        return Reaped()
