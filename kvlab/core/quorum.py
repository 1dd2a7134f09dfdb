"""Counting votes: how many replicas an operation has to hear from, and whom it has heard.

Source: Gifford 1979, weighted voting; DeCandia et al. 2007, section 4.5.
Invariant: a replica counts once, however often it answers.
Invariant: a copy that came too late to count is not lost: it still says who is behind.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import reduce
from typing import Generic

from kvlab.env import Answer
from kvlab.errors import OperationError, Outcome, PeerSilent, ReplicasMissing
from kvlab.messages import C, Fetched, FoundHint, NodeId, Reply


class Tally:
    """The confirmations of one operation: `need` of the replicas in `of`.

    Only those in `among` are asked, where that is given: the others are believed failed.
    """

    def __init__(self, need: int, of: Iterable[NodeId], among: Collection[NodeId] | None = None) -> None:
        self.need = need
        self.of = list(of)
        self.failed = [] if among is None else [replica for replica in self.of if replica not in among]
        self.heard: dict[NodeId, Reply] = {}
        self.perhaps = False  # one of the others may have acted all the same
        self.refused: dict[NodeId, str] = {}  # why

    def add(self, replica: NodeId, answer: Answer[Reply]) -> bool:
        """Count one answer or its absence; True once enough replicas have confirmed."""
        if not isinstance(answer, OperationError):
            self.heard[replica] = answer
        else:
            self.perhaps |= answer.outcome is Outcome.UNKNOWN
            if not isinstance(answer, PeerSilent):
                self.refused[replica] = str(answer)
        return len(self.heard) >= self.need

    def missing(self, doing: str, error: type[ReplicasMissing] = ReplicasMissing) -> ReplicasMissing:
        """The error to raise when there are no more answers to come, and there were too few."""
        got = [replica for replica in self.of if replica in self.heard]
        told = (*self.heard, *self.refused, *self.failed)
        asked = len(self.of) - len(self.failed) >= self.need  # else nobody was
        silent = [replica for replica in self.of if replica not in told] if asked else []
        refusals = list(self.refused.values())
        perhaps = self.perhaps or bool(self.heard)
        return error(doing, self.need, len(self.of), got, silent, refusals, perhaps, self.failed)


class Answers(Generic[C]):
    """The copies that one read has heard of. `agree` makes of two copies what both replicas should hold.

    A stand-in's hint counts as its owner's answer. That it has none says nothing of what the owner holds, so
    `none_better` has to be asked whether to count it.
    """

    def __init__(
        self,
        need: int,
        of: Iterable[NodeId],
        agree: Callable[[C | None, C | None], C | None],
        among: Collection[NodeId] | None = None,
    ) -> None:
        self.tally = Tally(need, of, among)
        self.copies: dict[NodeId, C | None] = {}
        self.hints: dict[NodeId, C | None] = {}  # by owner
        self._agree = agree

    def add(self, replica: NodeId, answer: Answer[Fetched[C] | FoundHint[C]]) -> bool:
        """Count one answer or its absence; True once enough replicas have answered."""
        if isinstance(answer, FoundHint):
            self.hints[replica] = answer.copy
            if answer.copy is None:
                return False
        elif isinstance(answer, Fetched):
            self.copies[replica] = answer.copy
        return self.tally.add(replica, answer)

    def none_better(self) -> bool:
        """No more answers will come: count the stand-ins that have no hint as well; True if that is enough.

        If nobody has answered but they, it is not: to answer "missing" for a key whose replicas are all away
        would be to make it up.
        """
        if self.tally.heard:
            for owner, copy in self.hints.items():
                self.tally.add(owner, FoundHint(copy))
        return len(self.tally.heard) >= self.tally.need

    def agreed(self) -> C | None:
        """What the replicas heard so far should all hold; None if none of them knows the key."""
        return reduce(self._agree, (*self.copies.values(), *self.hints.values()), None)

    def agreeing(self) -> int:
        """How many replicas hold that already."""
        return len(self.copies) - len(self.behind())

    def behind(self) -> list[NodeId]:
        """The replicas that hold something else, or nothing."""
        agreed = self.agreed()
        return [replica for replica, copy in self.copies.items() if copy != agreed]
