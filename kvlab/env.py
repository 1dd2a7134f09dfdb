"""Env: all that a node may know of the world it runs in.

A stage is written once, against this. Whether the peer asked is a process at the other end of a TCP
connection or an object in the same simulator, whether a second is a second or a number in a heap, a
stage cannot tell, and so the same unchanged stage runs in both worlds.

The rules for whoever writes against it:

1. Time, randomness and peers come from here and from nowhere else: `now_ms()`, `sleep()`, `random`.
   A `time.time()` in a stage would make the simulator's runs differ from each other.
2. A silent peer and a refusal are different. `PeerSilent`: perhaps it did what you asked.
   `PeerRefused`: it certainly did not.
3. What must not delay the client goes to `later()`; it is cancelled when the node dies.
4. Nothing may wait on anything but the Env's own awaitables and asyncio's futures, locks and queues.
   `asyncio.wait` and `as_completed` keep their tasks in sets, whose order differs from run to run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from random import Random
from typing import Protocol, TypeAlias

from kvlab.errors import OperationError
from kvlab.messages import Key, NodeId, R, Request, RingSpec

Answer: TypeAlias = R | OperationError
"""What came of asking one peer among several: its reply, or why there is none."""


class Env(Protocol):
    """Who am I, ask a peer, tell a peer, what time is it, wait, chance, and what happened."""

    @property
    def me(self) -> NodeId:
        """My name."""

    @property
    def random(self) -> Random:
        """My own seeded stream of chance."""

    def now_ms(self) -> int:
        """My wall clock, in milliseconds since 1970. It may be wrong: `skew` in a script makes it so."""

    async def sleep(self, ms: float) -> None:
        """Wait this long, by a clock that is never skewed."""

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

    def changed(self, key: Key, item: object | None, why: str) -> None:
        """The store's observer: this node now holds `item` under `key` (None: no longer holds the key).

        `why` is one word: put, deleted, expired, evicted, moved. Costs next to nothing unwatched.
        """

    def ring_changed(self, ring: RingSpec, phase: str) -> None:
        """Tell whoever is watching by which ring this node works, or in which phase a change is."""
