"""Membership: the heartbeat table of one node, and what it believes of the others.

    node  generation  heartbeat  heard    accused by   belief
    n2             0        118    0.2 s               alive
    n3             0         97    4.6 s  n1 n2 n4     failed
    n4             1         12    0.4 s               alive

Each node's heart beats once a period, in its own row. Nodes send each other their tables, and of two rows
for one node the later one stands: that of the higher generation (it counts the node's lives), then that of
the higher heartbeat. So a sign of life heard by anybody comes to everybody, in some log n rounds.

Who hears nothing new of a node for long enough suspects it, and says so: it puts its name into the row,
among those who accuse. A node has failed when it is accused by all who are alive: when nobody hears it any
more, and not when one does not. An accusation is of one heartbeat, and the next heartbeat wipes it out,
which is all that the accused has to do about it.

Source: van Renesse, Minsky and Hayden 1998, for the table; the generations are Cassandra's; accusations that
    must be shared, and that the accused refutes, are in the spirit of SWIM (Das, Gupta and Motivala 2002).
Invariant: a row goes forward only, in (generation, left, heartbeat). So no third party's old table brings
    back a node that failed or left: only the node itself can, with a heartbeat or a life that is new.
Invariant: whom this node takes for failed has been accused, at the last heartbeat known, by every node that
    it took for alive.
Deviation: van Renesse forgets a failed node after a while. Here failed is not left: the node stays a member,
    its data stay where they are, until somebody removes it. One that left is remembered, so as to stay left.

Tables carry no times of day, since clocks disagree, but ages: so long ago somebody heard this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from kvlab.core.detectors import Belief, Detector
from kvlab.messages import NodeId, Row

Changes: TypeAlias = list[tuple[NodeId, Belief]]
"""Of whom something else is believed now than before, in the order of the table."""

UNHEARD = -1
"""The generation of a node that is known by name alone."""


class AwakeClock:
    """Counts the time for which its owner has been awake, from a clock that runs on while it is not.

    A process that was stopped for ten seconds finds that it has heard nobody for ten seconds, and would take
    everybody for dead. But it reads this clock more than once a period. A longer step than that is its own
    pause, or its clock was set: it counts as one period, forward or backward as it may have been.
    """

    def __init__(self, period_ms: float, now_ms: float) -> None:
        self.period_ms = period_ms
        self._last_ms = now_ms
        self._awake_ms = 0.0

    def read(self, now_ms: float) -> float:
        """Milliseconds awake since the start."""
        step_ms = now_ms - self._last_ms
        self._awake_ms += step_ms if 0 <= step_ms <= 2 * self.period_ms else self.period_ms
        self._last_ms = now_ms
        return self._awake_ms


class Entry:
    """What this node knows of one other."""

    def __init__(self, row: Row, detector: Detector, belief: Belief) -> None:
        self.generation, self.heartbeat, self.left = row.generation, row.heartbeat, row.left
        self.address = row.address
        self.detector = detector
        self.belief = belief  # as last told
        self.convicted = False  # of this heartbeat
        self.accusers: set[NodeId] = set()  # of this heartbeat

    def beat(self, row: Row, heard_ms: float) -> None:
        """It has been heard: whatever it was accused of is refuted."""
        self.heartbeat, self.address = row.heartbeat, row.address
        self.convicted = False
        self.accusers.clear()
        self.detector.heard(max(heard_ms, self.detector.heard_ms))  # paused relays understate ages


class Membership:
    """The table of one life of one node. `detector` makes one for a node last heard at a given time.

    Every method takes the node's wall clock, in milliseconds. Cost: O(rows) each, and of a conviction
    O(rows) for each accused.
    """

    def __init__(
        self,
        me: NodeId,
        generation: int,
        address: int,
        *,
        period_ms: float,
        detector: Callable[[float], Detector],
        now_ms: float,
    ) -> None:
        self.me, self.generation, self.address = me, generation, address
        self.heartbeat = 0
        self.departed = False  # this node has left, and knows it
        self._entries: dict[NodeId, Entry] = {}
        self._detector = detector
        self._clock = AwakeClock(period_ms, now_ms)

    # -- what is known ---------------------------------------------------------------------------

    def others(self) -> list[NodeId]:
        """Every other node that has not left, in the order of the table."""
        return [node for node, entry in self._entries.items() if not entry.left]

    def belief(self, node: NodeId) -> Belief:
        """What this node takes that one for; one it has never heard of is as good as failed."""
        if node == self.me:
            return Belief.LEFT if self.departed else Belief.ALIVE
        entry = self._entries.get(node)
        return Belief.FAILED if entry is None else entry.belief

    def address_of(self, node: NodeId) -> int:
        """Where the node listens, as it said itself; 0 if it has not been heard."""
        entry = self._entries.get(node)
        return 0 if entry is None else entry.address

    def table(self, now_ms: float) -> tuple[Row, ...]:
        """The rows to send to somebody, this node's own first."""
        now = self._clock.read(now_ms)
        mine = Row(self.me, self.generation, self.heartbeat, 0, (), self.departed, self.address)
        return (mine, *(_row(node, entry, now) for node, entry in self._entries.items()))

    # -- what happens ----------------------------------------------------------------------------

    def expect(self, nodes: Iterable[NodeId], now_ms: float) -> Changes:
        """Know these by name: alive until they have been silent for too long.

        Of one that left, a later life is expected: nobody's row of the earlier one stands against it.
        """
        now = self._clock.read(now_ms)
        for node in nodes:
            entry = self._entries.get(node)
            if node != self.me and (entry is None or entry.left):
                unheard = Row(node, UNHEARD if entry is None else entry.generation + 1, 0, 0)
                before = Belief.ALIVE if entry is None else entry.belief
                self._entries[node] = Entry(unheard, self._detector(now), before)
        return self._judge(now)

    def tick(self, now_ms: float) -> Changes:
        """A period has passed: let the heart beat, and judge the others."""
        self.heartbeat += 1
        return self._judge(self._clock.read(now_ms))

    def merge(self, rows: Iterable[Row], now_ms: float) -> Changes:
        """Somebody's table has come: take what is later than what we know."""
        now = self._clock.read(now_ms)
        for row in rows:
            if row.node == self.me:
                self._hear_of_me(row)
            else:
                self._hear(row, now)
        return self._judge(now)

    def leave(self, node: NodeId, now_ms: float) -> Changes:
        """The node is no member any more; in this life it will not be again."""
        if node == self.me:
            self.departed = True
        elif node in self._entries:
            self._entries[node].left = True
        return self._judge(self._clock.read(now_ms))

    # -- how -------------------------------------------------------------------------------------

    def _hear(self, row: Row, now: float) -> None:
        """Take a row about somebody else."""
        entry = self._entries.get(row.node)
        heard_ms = now - max(0, row.age_ms)
        if entry is None or row.generation > entry.generation:
            before = Belief.ALIVE if entry is None else entry.belief
            entry = self._entries[row.node] = Entry(row, self._detector(heard_ms), before)
        elif row.generation < entry.generation:
            return
        elif row.left:
            entry.left = True
        elif row.heartbeat > entry.heartbeat:
            entry.beat(row, heard_ms)
        if row.heartbeat == entry.heartbeat:
            entry.accusers.update(row.accusers)

    def _hear_of_me(self, row: Row) -> None:
        """Go above what others say of this node, if it is later than the truth, or an accusation.

        Later than the truth: of a life that this one knows nothing of, since its generation was lost with
        its disk; or that it left, which was another life of its name if it has not.
        """
        wrongly_left = row.left and not self.departed and row.generation == self.generation
        if row.generation > self.generation or wrongly_left:
            self.generation, self.heartbeat = row.generation + 1, 0
        elif row.generation == self.generation:
            news = row.heartbeat + (1 if row.accusers else 0)
            self.heartbeat = max(self.heartbeat, news)

    def _judge(self, now: float) -> Changes:
        """Accuse who is silent, convict whom all the living accuse; tells what is new."""
        opinions = {
            node: Belief.LEFT if entry.left else entry.detector.opinion(now)
            for node, entry in self._entries.items()
        }
        living = {node for node, opinion in opinions.items() if opinion is Belief.ALIVE} | {self.me}
        changes: Changes = []
        for node, entry in self._entries.items():
            belief = opinions[node]
            if belief in (Belief.SUSPECT, Belief.FAILED):
                entry.accusers.add(self.me)
                entry.convicted |= belief is Belief.FAILED and living <= entry.accusers
                belief = Belief.FAILED if entry.convicted else Belief.SUSPECT
            if belief is not entry.belief:
                entry.belief = belief
                changes.append((node, belief))
        return changes


def _row(node: NodeId, entry: Entry, now: float) -> Row:
    age_ms = round(now - entry.detector.heard_ms)
    accusers = tuple(sorted(entry.accusers))
    return Row(node, entry.generation, entry.heartbeat, age_ms, accusers, entry.left, entry.address)
