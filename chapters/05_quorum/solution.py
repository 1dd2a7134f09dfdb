"""The reference of chapter 5: two classes that count, and a coordinator that asks.

Nothing in `Tally` and `Answers` waits, and nothing in the node counts. That is why one can be tested with
five lines and the other read from top to bottom.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

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
        self.heard: dict[NodeId, Kept | Fetched[Version]] = {}
        self.errors: dict[NodeId, OperationError] = {}

    def add(self, replica: NodeId, answer: Answer[Kept | Fetched[Version]]) -> bool:
        if isinstance(answer, OperationError):
            self.errors[replica] = answer
        else:
            self.heard[replica] = answer  # under its name: a retry is not a second vote
        return len(self.heard) >= self.need

    def perhaps_done(self) -> bool:
        return bool(self.heard) or any(error.outcome is Outcome.UNKNOWN for error in self.errors.values())


class Answers:
    """What one read has heard: the copies, and the votes that they are."""

    def __init__(self, need: int, of: Iterable[NodeId]) -> None:
        self.tally = Tally(need, of)
        self.copies: dict[NodeId, Version | None] = {}

    def add(self, replica: NodeId, answer: Answer[Fetched[Version]]) -> bool:
        if isinstance(answer, Fetched):
            self.copies[replica] = answer.copy
        return self.tally.add(replica, answer)

    def agreed(self) -> Version | None:
        return reduce(newest, self.copies.values(), None)

    def behind(self) -> list[NodeId]:
        agreed = self.agreed()
        return [replica for replica, copy in self.copies.items() if copy != agreed]


class QuorumNode(GivenQuorumNode):
    """The coordinator: any node, for any key."""

    async def put(self, key: Key, item: Item, w: int | None = None) -> None:
        version = Version(item.value, await self.stamp(key), item.expires_ms)
        await self.write(key, version, w or self.w)

    async def get(self, key: Key, r: int | None = None) -> Version | None:
        found = await self.read(key, r or self.r)
        return found if found is not None and found.alive else None

    async def write(self, key: Key, version: Version, w: int) -> None:
        tally = Tally(w, self.replicas(key))
        async for replica, answer in self.ask_to_keep(key, version):
            if tally.add(replica, answer):
                return
        raise too_few("the write", tally)

    async def read(self, key: Key, r: int) -> Version | None:
        answers = Answers(r, self.replicas(key))
        asked = self.ask_for(key)
        async for replica, answer in asked:
            if answers.add(replica, answer):
                break
        else:
            raise too_few("the read", answers.tally)
        found = answers.agreed()
        agreeing = len(answers.copies) - len(answers.behind())
        if self.config.read_write_back and found is not None and agreeing < self.w:
            await self.write(key, found, self.w)
        if self.config.read_repair:
            self.env.later(self.repair.after(key, answers, asked))
        return found
