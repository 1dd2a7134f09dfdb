"""Chapter 5: count votes, and coordinate a write and a read with them.

First `Tally` and `Answers`, which only count; then the four methods of the node that ask, wait and decide.
The reference takes about 60 lines. `kvlab check 5` says how far you are, and `kvlab lab 5 --mine` runs five
nodes with your code in each.

An answer is a reply (`Kept()`, `Fetched(copy)`) or an OperationError, which says why there is none. Its
`outcome` says what may be assumed of the replica: Outcome.FAILED, it has certainly done nothing (it refused);
Outcome.UNKNOWN, it has perhaps done it (it was silent, and nobody knows what became of it).

A `Version(value, stamp_ms, expires_ms)` is what a replica holds; value None is a tombstone: the key was
deleted then, and the version's `alive` is False. An `Item(value, expires_ms)` is what a client writes, which
has no stamp yet. `newest(a, b)` is the later of two versions, and either may be None.
"""

from __future__ import annotations

from collections.abc import Iterable

from kvlab.core.versions import newest
from kvlab.course.given import GivenQuorumNode, too_few
from kvlab.env import Answer
from kvlab.errors import OperationError, Outcome
from kvlab.messages import Fetched, Item, Kept, Key, NodeId, Version


class Tally:
    """The votes of one operation: `need` of the replicas in `of` have to confirm it."""

    def __init__(self, need: int, of: Iterable[NodeId]) -> None:
        self.need = need
        self.of = list(of)
        self.heard: dict[NodeId, Kept | Fetched[Version]] = {}  # who has confirmed
        self.errors: dict[NodeId, OperationError] = {}  # who has not, and why

    def add(self, replica: NodeId, answer: Answer[Kept | Fetched[Version]]) -> bool:
        """Count one answer; True once `need` distinct replicas have confirmed."""
        raise NotImplementedError

    def perhaps_done(self) -> bool:
        """Whether any replica has done what was asked, or may have."""
        raise NotImplementedError


class Answers:
    """What one read has heard: the copies, and the votes that they are."""

    def __init__(self, need: int, of: Iterable[NodeId]) -> None:
        self.tally = Tally(need, of)
        self.copies: dict[NodeId, Version | None] = {}  # what each replica that answered holds

    def add(self, replica: NodeId, answer: Answer[Fetched[Version]]) -> bool:
        """Count one answer; True once enough replicas have answered. "I have nothing" is an answer."""
        raise NotImplementedError

    def agreed(self) -> Version | None:
        """The newest of the copies; None if nobody who answered has any."""
        raise NotImplementedError

    def behind(self) -> list[NodeId]:
        """The replicas that have answered and hold something older than that, or nothing."""
        raise NotImplementedError


class QuorumNode(GivenQuorumNode):
    """The coordinator: any node, for any key.

    You have, from GivenQuorumNode:
      self.r, self.w                       how many have to answer where a request does not say
      self.replicas(key)                   the n nodes that hold the key
      self.ask_to_keep(key, version)       ask them all at once: `async for replica, answer in ...`
      self.ask_for(key)                    the same, for what they hold
      await self.stamp(key)                the stamp_ms of a write that is made now
      self.env.later(work)                 do this in the background
      self.repair.after(key, answers, asked)   work: send the newest to who is behind, also to those who
                                           answer later; `asked` is what ask_for has returned
      self.config.read_repair              whether to do that
      self.config.read_write_back          whether a read returns only what self.w replicas hold
    """

    async def put(self, key: Key, item: Item, w: int | None = None) -> None:
        """Write `item` with the stamp of now; done when w replicas have it."""
        raise NotImplementedError

    async def get(self, key: Key, r: int | None = None) -> Version | None:
        """The newest of what r replicas hold; None for nothing, and for a tombstone."""
        raise NotImplementedError

    async def write(self, key: Key, version: Version, w: int) -> None:
        """Have all replicas keep this version; return when w of them have confirmed.

        Raises too_few("the write", tally) when no more answers will come and there were fewer.
        """
        raise NotImplementedError

    async def read(self, key: Key, r: int) -> Version | None:
        """What the first r answers come to, tombstones included. Raises too_few("the read", answers.tally).

        With read_write_back: if fewer than self.w of those who answered hold what is returned, it is written
        to self.w replicas before the read returns; where nobody has anything there is nothing to write. With
        read_repair: who is behind is repaired, in the background.
        """
        raise NotImplementedError
