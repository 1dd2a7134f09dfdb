"""The reference of chapter 7: rows that go forward only, and a verdict that nobody passes alone.

The order of rows is one tuple, and `hear` asks it nothing else. All that is hard is in `judge`, which knows
nothing of networks; and all that waits is in `exchange`, which judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from kvlab.config import ClusterConfig
from kvlab.core.detectors import Belief, Detector
from kvlab.core.membership import Changes
from kvlab.course.given import Entry, GivenMembers, GivenMembership
from kvlab.env import Env
from kvlab.errors import OperationError
from kvlab.messages import Gossip, Gossiped, NodeId, Row
from kvlab.services.transfer import Transfer


def later(a: Row, b: Row) -> bool:
    return (a.generation, a.left, a.heartbeat) > (b.generation, b.left, b.heartbeat)


class AwakeClock:
    """The time for which its owner was awake, from a clock that runs on while it is not, and may be set."""

    def __init__(self, period_ms: float, now_ms: float) -> None:
        self.period_ms = period_ms
        self.last_ms = now_ms
        self.awake_ms = 0.0

    def read(self, now_ms: float) -> float:
        step_ms = now_ms - self.last_ms
        self.last_ms = now_ms
        self.awake_ms += step_ms if 0 <= step_ms <= 2 * self.period_ms else self.period_ms
        return self.awake_ms


class Membership(GivenMembership):
    """The heartbeat table of one life of one node."""

    def __init__(
        self,
        me: NodeId,
        generation: int,
        address: int,
        period_ms: float,
        detector: Callable[[float], Detector],
        now_ms: float,
    ) -> None:
        super().__init__(me, generation, address, detector)
        self.clock = AwakeClock(period_ms, now_ms)

    def table(self, now_ms: float) -> tuple[Row, ...]:
        now = self.clock.read(now_ms)
        mine = Row(self.me, self.generation, self.heartbeat, 0, (), self.departed, self.address)
        return (mine, *(self.row(entry, now) for entry in self.entries.values()))

    def row(self, entry: Entry, now: float) -> Row:
        age_ms = round(now - entry.detector.heard_ms)
        return msgspec.structs.replace(entry.row, age_ms=age_ms, accusers=tuple(sorted(entry.accusers)))

    def tick(self, now_ms: float) -> Changes:
        self.heartbeat += 1
        return self.judge(self.clock.read(now_ms))

    def merge(self, rows: Iterable[Row], now_ms: float) -> Changes:
        now = self.clock.read(now_ms)
        for row in rows:
            if row.node == self.me:
                self.hear_of_me(row)
            else:
                self.hear(row, now)
        return self.judge(now)

    def hear(self, row: Row, now: float) -> None:
        entry = self.entries.get(row.node)
        heard_ms = now - max(0, row.age_ms)
        if entry is None or row.generation > entry.row.generation:
            before = Belief.ALIVE if entry is None else entry.belief
            self.entries[row.node] = Entry(row, self.detector(heard_ms), before)
        elif later(row, entry.row):
            entry.row, entry.accusers, entry.convicted = row, set(row.accusers), False
            entry.detector.heard(max(heard_ms, entry.detector.heard_ms))
        elif (row.generation, row.heartbeat) == (entry.row.generation, entry.row.heartbeat):
            entry.accusers.update(row.accusers)

    def hear_of_me(self, row: Row) -> None:
        wrongly_left = row.left and not self.departed and row.generation == self.generation
        if row.generation > self.generation or wrongly_left:
            self.generation, self.heartbeat = row.generation + 1, 0
        elif row.generation == self.generation:
            self.heartbeat = max(self.heartbeat, row.heartbeat + (1 if row.accusers else 0))

    def judge(self, now: float) -> Changes:
        opinions = {
            node: Belief.LEFT if entry.row.left else entry.detector.opinion(now)
            for node, entry in self.entries.items()
        }
        living = {self.me, *(node for node, opinion in opinions.items() if opinion is Belief.ALIVE)}
        changes: Changes = []
        for node, entry in self.entries.items():
            belief = opinions[node]
            if belief in (Belief.SUSPECT, Belief.FAILED):
                entry.accusers.add(self.me)
                entry.convicted |= belief is Belief.FAILED and living <= entry.accusers
                belief = Belief.FAILED if entry.convicted else Belief.SUSPECT
            if belief is not entry.belief:
                entry.belief = belief
                changes.append((node, belief))
        return changes


class Members(GivenMembers):
    """The gossip of one node."""

    def __init__(self, env: Env, config: ClusterConfig, transfer: Transfer[Any]) -> None:
        super().__init__(env, config, transfer, Membership)

    async def round(self) -> None:
        self.tell(self.membership.tick(self.env.now_ms()))
        others = self.membership.others()
        for peer in self.env.random.sample(others, min(self.config.fanout, len(others))):
            self.env.later(self.exchange(peer))

    async def exchange(self, peer: NodeId) -> None:
        try:
            self.hear(await self.env.ask(peer, self.what_i_know()))
        except OperationError:
            return

    async def on(self, sender: NodeId, request: Gossip) -> Gossiped:
        self.hear(request)
        mine = self.what_i_know()
        return Gossiped(mine.ring, mine.rows)
