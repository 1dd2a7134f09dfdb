"""Chapter 8: who stands in for whom, what is kept for those who are away, and how it comes home.

First the two methods of `Placement`, then the box of hints, last `hand_back`, the one function that waits for
another node. The reference takes about 60 lines. `kvlab check 8` says how far you are, and `kvlab lab 8
--mine` runs five nodes with your code in each.

A copy is what a replica holds under a key; all that you need of one is `copy.size`, its bytes, and that
`merge(a, b)` makes of two copies the one that has both. `Hint(copy, expires_ms)` is a copy that its owner has
missed, and the millisecond from which on it is too late to bring it. Times are milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Generic

from kvlab.core.hints import Hint
from kvlab.course.given import CHUNK_BYTES, CHUNK_KEYS, GivenHintBox, GivenPlacement
from kvlab.errors import HintsFull
from kvlab.messages import C, Key, NodeId


class Placement(GivenPlacement):
    """Where the copies of a key go.

    You have, from GivenPlacement:
      self.replicas(key)      its home replicas, in order of preference
      self.clockwise(key)     every node of the ring once, in the order in which they come from the key
      self.zone(node)         the zone (data centre) that a node is in
    """

    def stand_ins(self, key: Key, healthy: Collection[NodeId]) -> list[tuple[NodeId, NodeId]]:
        """(home replica, where its copy goes) for each home replica, in order of preference.

        A copy goes to the home itself if that is healthy; else to its stand-in, which no other home of this
        key has; and where nobody is left to stand in, to the home after all: it may yet hear of it.
        """
        raise NotImplementedError

    def stand_in(self, key: Key, healthy: Collection[NodeId], taken: Collection[NodeId]) -> NodeId | None:
        """The first healthy node clockwise that is no home replica of the key and not in `taken`; None if
        there is no such node.

        `taken` are the nodes that get a copy already. If some of the candidates are in zones where none of
        those is, it is the first of these.
        """
        raise NotImplementedError


class HintBox(GivenHintBox[C], Generic[C]):
    """The hints of one node, at most `hints_max` of them.

    You have, from GivenHintBox:
      self.hints                       {owner: {key: Hint}}; of one owner, in the order in which the keys came
      self.find(owner, key)            the hint there, or None
      self.restore(owner, key, hint)   keep this hint, merged (by your `merged`) with the one that is
                                       there; returns what is kept now
      self.remove(owner, key)          forget the hint there
      len(self)                        how many there are
      self.merge(a, b)                 one copy of two
      self.hints_max, self.ttl_ms      how many may be kept, and for how long
    """

    def merged(self, old: Hint[C], new: Hint[C]) -> Hint[C]:
        """One hint of two: their copies merged, and when that expires.

        If what comes of it is the copy of `new`, nothing old is left in it, and it is `new`. Else, if it is
        the copy of `old`, it is `old`. Else it has something of both, and expires when the first of them
        does: nothing is in a hint for longer than `ttl_ms`, however often the key is written.
        """
        raise NotImplementedError

    def add(self, owner: NodeId, key: Key, copy: C, now_ms: int) -> Hint[C]:
        """Keep this copy for the owner for `ttl_ms` from now on, merged with what is kept there already. What
        has expired there, and is not yet forgotten, is not merged: this copy takes its place.

        Returns the hint as it is now. Raises HintsFull (with a sentence for a person), and changes nothing,
        if that would be one hint too many.
        """
        raise NotImplementedError

    def get(self, key: Key, now_ms: int) -> C | None:
        """All that is kept under this key, for whichever owners, merged; None if nothing is.

        What has expired does not count, from the millisecond `expires_ms` on.
        """
        raise NotImplementedError

    def due(self, owner: NodeId, now_ms: int, keys_max: int, bytes_max: int) -> list[tuple[Key, C]]:
        """What to bring the owner next: (key, copy), those first that came first, without what has expired.

        At most `keys_max` of them, and no more than `bytes_max` bytes of keys and copies together; but one at
        least, if there is any. Changes nothing: what is due stays due until it is delivered.
        """
        raise NotImplementedError

    def delivered(self, owner: NodeId, key: Key, copy: C) -> bool:
        """The owner has confirmed this copy: forget the hint, if that is what is in it; True if it is gone.

        If another copy is in it by now, or there is none, nothing changes.
        """
        raise NotImplementedError

    def expire(self, now_ms: int) -> list[tuple[NodeId, Key]]:
        """Forget all that has expired; returns (owner, key) of each."""
        raise NotImplementedError


async def hand_back(
    box: HintBox[C], owner: NodeId, send: Callable[[Sequence[tuple[Key, C]]], Awaitable[object]], now_ms: int
) -> list[Key]:
    """Bring the owner what is due next, and forget what it has taken.

    That is CHUNK_KEYS keys and CHUNK_BYTES bytes at most, in one call of
    `send`. `await send(copies)` returns when the owner has confirmed that it holds all of these. It raises an
    OperationError if the owner is silent or refuses; then every hint stays, and the error goes to the caller.

    Returns the keys whose hints are gone. While `send` waits, other work goes on in this node, and may add to
    the box.
    """
    raise NotImplementedError
