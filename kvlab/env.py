"""Env: all that a node may know of the world it runs in.

A stage is written once, against this. Whether the peer asked is a process at the other end of a TCP
connection or an object in the same simulator, whether a second is a second or a number in a heap, a
stage cannot tell, and so the same unchanged stage runs in both worlds.

The rules for whoever writes against it:

1. Time, randomness and peers come from here and from nowhere else: `now_ms()`, `at_ms()`, `sleep()`,
   `random`. A `time.time()` in a stage would make the simulator's runs differ from each other.
2. A silent peer and a refusal are different. `PeerSilent`: perhaps it did what you asked.
   `PeerRefused`: its `outcome` says whether it certainly did not, or had begun.
3. What must not delay the client goes to `later()`; when the node dies, it does not go on.
4. Nothing may wait on anything but the Env's own awaitables and asyncio's futures, locks and queues.
   `asyncio.wait` and `as_completed` keep their tasks in sets, whose order differs from run to run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from random import Random
from typing import Protocol, TypeAlias

from kvlab.errors import OperationError
from kvlab.messages import Copy, Key, NodeId, R, Request, RingSpec

Answer: TypeAlias = R | OperationError
"""What came of asking one peer among several: its reply, or why there is none."""


class Env(Protocol):
    """Who am I, ask a peer, tell a peer, what time is it, wait, chance, and what happened."""

    @property
    def me(self) -> NodeId:
        """My name."""

    @property
    def generation(self) -> int:
        """How often I have been started: a later life of mine has a higher one, on whatever disk."""

    @property
    def life(self) -> int:
        """The generation in which I last began with nothing; what I numbered before it, I have forgotten."""

    @property
    def address(self) -> int:
        """Where I listen for my peers, to be passed on to them: a port; 0 where a name is address enough."""

    @property
    def random(self) -> Random:
        """My own seeded stream of chance."""

    def now_ms(self) -> int:
        """My wall clock, in milliseconds since 1970. It may be wrong: `skew` in a script makes it so."""

    def at_ms(self) -> float:
        """Milliseconds since my world was started, on a clock that nobody sets, and that runs on while I am
        stopped. Lives of mine in one world share it; the next world begins at 0."""

    async def sleep(self, ms: float) -> None:
        """Wait this long, by a clock that is never skewed."""

    def reach(self, peer: NodeId, address: int) -> None:
        """From now on this peer is to be found there."""

    async def ask(self, peer: NodeId, request: Request[R], timeout_ms: float | None = None) -> R:
        """Send a request and wait for its reply. Raises PeerSilent after the time-out, or PeerRefused."""

    def each(
        self, peers: Sequence[NodeId], ask: Callable[[NodeId], Coroutine[object, object, R]]
    ) -> AsyncIterator[tuple[NodeId, Answer[R]]]:
        """Ask all these peers at once, each by `ask(peer)`; yields (peer, reply or error) as they come.

        All are asked before the first answer is waited for. Leaving the loop early cancels nothing: the
        others still receive what was sent to them, and still act on it.
        """

    def later(self, work: Coroutine[object, object, None]) -> None:
        """Do this in the background. What it raises is noted as an event, never lost."""

    # -- what outlives me --------------------------------------------------------------------------

    def keep(self, table: str, key: bytes, data: bytes | None) -> None:
        """On a durable node, on return this survives a kill (None: is forgotten); else nothing happens."""

    def kept(self, table: str) -> dict[bytes, bytes]:
        """What an earlier life of mine has kept in this table; nothing where nodes are not durable."""

    # -- telling what happens: all of these cost next to nothing unwatched -------------------------

    def changed(self, key: Key, copy: Copy | None, why: str) -> None:
        """The store's observer: this node now holds `copy` under `key` (None: no longer holds the key).

        `why` is one word: put, deleted, expired, evicted, moved, flushed, reaped, rotten. A durable
        node has kept it on return.
        """

    def ring_changed(self, ring: RingSpec, phase: str) -> None:
        """I work by this ring, or a change to it has reached this phase."""

    def locked(self, missing: Sequence[NodeId]) -> None:
        """I take no writes while these are missing; with none, I take them again (stage 2, CP)."""

    def overwritten(self, key: Key, copy: Copy, by: Copy) -> None:
        """`by` has replaced `copy`, a write that a client was told is done (stage 2, AP). Always told."""

    def repaired(self, key: Key, peer: NodeId, why: str) -> None:
        """I have brought the peer's copy up to date. `why`: read, anti-entropy."""

    def believes(self, peer: NodeId, belief: str) -> None:
        """I now take the peer to be this: alive, suspect, failed or left."""

    def hinted(self, owner: NodeId, key: Key, what: str, hints: int) -> None:
        """A hint for `owner` was kept, merged with an earlier one, delivered, expired, moved to another owner
        or refused; I hold so many in all now."""

    def exchanged(
        self, peer: NodeId, levels: int, buckets: int, keys: int, size: int, walk: Sequence[int] = ()
    ) -> None:
        """I have compared trees with the peer: how many levels deep, how many buckets and keys differed,
        and how many bytes of hashes that took. `walk`: how many buckets differed at each level."""
