"""Failure detectors: what the silence of one node is taken for, by one listener alone.

Source: the fixed time-out is that of van Renesse, Minsky and Hayden 1998; phi accrual is Hayashibara et al.
    2004, with the exponential distribution that Cassandra puts in the place of their normal one.
Invariant: an opinion follows from when the node was heard, and from nothing else; hearing it again makes
    it alive again. Only silence makes it worse.
Deviation: Hayashibara's detector returns a number and leaves its meaning to each application. Ours has two
    marks on that scale, as the time-out has: from the first on a node is suspect, from the second on failed.

All times are the listener's own, in milliseconds; they need agree with nobody's.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from math import log
from typing import Protocol


class Belief(StrEnum):
    """What one node takes another for. `LEFT` is no failure: it was told so, and will not change its mind."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    FAILED = "failed"
    LEFT = "left"


class Detector(Protocol):
    """Listens for one node."""

    heard_ms: float
    """When the node was last heard."""

    def heard(self, at_ms: float) -> None:
        """A sign of life; `at_ms` is never before the last one."""

    def opinion(self, now_ms: float) -> Belief:
        """What the silence since then is taken for: ALIVE, SUSPECT or FAILED. O(1)."""


class TimeoutDetector:
    """Two fixed time-outs. Simple, and wrong on every network but the one they were chosen for."""

    def __init__(self, heard_ms: float, suspect_ms: float, fail_ms: float) -> None:
        self.heard_ms = heard_ms
        self.suspect_ms, self.fail_ms = suspect_ms, fail_ms

    def heard(self, at_ms: float) -> None:
        self.heard_ms = at_ms

    def opinion(self, now_ms: float) -> Belief:
        silent_ms = now_ms - self.heard_ms
        if silent_ms < self.suspect_ms:
            return Belief.ALIVE
        return Belief.SUSPECT if silent_ms < self.fail_ms else Belief.FAILED


PHI_SUSPECT = 4.0
PHI_FAILED = 8.0
"""Cassandra's default: a silence that a living node keeps once in 10^8 times."""

SAMPLES_MAX = 100
"""How many intervals are remembered; Cassandra keeps 1000, at one a second."""


class PhiDetector:
    """Phi accrual: how surprising this silence is, for a node that used to be heard so often.

    phi = -log10 P(a living node is silent for longer). If the intervals are exponentially distributed, that
    is silent / (mean * ln 10): at a phi of 1 one silence in ten is still that of a living node, at 2 one in
    a hundred. So it learns its network's pace: where heartbeats come half as often, it waits twice as long.
    """

    def __init__(self, heard_ms: float, period_ms: float) -> None:
        self.heard_ms = heard_ms
        self.period_ms = period_ms
        self._intervals: deque[float] = deque([2 * period_ms], maxlen=SAMPLES_MAX)  # before any is known
        self._sum = 2 * period_ms

    def heard(self, at_ms: float) -> None:
        if self.opinion(at_ms) is not Belief.FAILED:  # an outage is not an interval between heartbeats
            self._add(at_ms - self.heard_ms)
        self.heard_ms = at_ms

    def _add(self, interval_ms: float) -> None:
        if len(self._intervals) == SAMPLES_MAX:
            self._sum -= self._intervals[0]
        self._intervals.append(interval_ms)
        self._sum += interval_ms

    @property
    def mean_ms(self) -> float:
        """The mean interval; never under the sender's own period, however its heartbeats bunch up."""
        return max(self.period_ms, self._sum / len(self._intervals))

    def phi(self, now_ms: float) -> float:
        """How surprising the silence is by now: 0 at once, and more by 1 each 2.3 mean intervals."""
        return (now_ms - self.heard_ms) / (self.mean_ms * log(10))

    def opinion(self, now_ms: float) -> Belief:
        phi = self.phi(now_ms)
        if phi < PHI_SUSPECT:
            return Belief.ALIVE
        return Belief.SUSPECT if phi < PHI_FAILED else Belief.FAILED
