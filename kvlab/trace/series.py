"""Series: how many operations ended, how, and after how long, a quarter of a second at a time.

What the load tab plots. A fold, like the model it is part of: no clock, and bounded, however many
operations end. A quarter of a second that is over is an immutable `Quarter`; the one that is not yet over
counts in bins, eight to a doubling, so that a percentile is right to within 5 %.
"""

from __future__ import annotations

import math
from collections import deque

import msgspec

QUARTER_MS = 250
QUARTERS_MAX = 240
"""A minute."""
BINS_A_DOUBLING = 8
SHORTEST_MS = 0.01
"""What took less is counted as this."""


class Quarter(msgspec.Struct, frozen=True):
    """What ended in a quarter of a second. Percentiles of what was answered, however; in ms, 0 if nothing."""

    number: int
    """It begins `number` times 250 ms after the world did."""
    ok: int = 0
    failed: int = 0
    unknown: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0

    @property
    def ended(self) -> int:
        return self.ok + self.failed + self.unknown


class Series:
    """The last minute. Quarters in which nothing ended are not kept."""

    def __init__(self) -> None:
        self._over: deque[Quarter] = deque(maxlen=QUARTERS_MAX)
        self._number = -1
        self._outcomes = {"ok": 0, "failed": 0, "unknown": 0}
        self._bins: dict[int, int] = {}

    def copy(self) -> Series:
        """Another, to go on by itself."""
        again = Series()
        again._over, again._number = self._over.copy(), self._number
        again._outcomes, again._bins = self._outcomes.copy(), self._bins.copy()
        return again

    def add(self, at_ms: float, outcome: str, took_ms: float) -> None:
        """Count one. What is told late, after its quarter was over, counts in the one that is not."""
        number = int(at_ms // QUARTER_MS)
        if number > self._number:
            self._end()
            self._number = number
        self._outcomes[outcome] += 1
        place = int(BINS_A_DOUBLING * math.log2(max(took_ms, SHORTEST_MS) / SHORTEST_MS))
        self._bins[place] = self._bins.get(place, 0) + 1

    def quarters(self) -> tuple[Quarter, ...]:
        """Those in which something ended, the oldest first; the last of them may not be over yet."""
        return (*self._over, self._open()) if self._bins else ()

    def _end(self) -> None:
        if self._bins:
            self._over.append(self._open())
        self._outcomes = dict.fromkeys(self._outcomes, 0)
        self._bins = {}

    def _open(self) -> Quarter:
        p50_ms, p99_ms = self._percentile(0.5), self._percentile(0.99)
        return Quarter(self._number, p50_ms=p50_ms, p99_ms=p99_ms, **self._outcomes)

    def _percentile(self, share: float) -> float:
        """The middle of the bin in which the nearest-rank percentile is."""
        rank = math.ceil(share * sum(self._bins.values()))
        for place in sorted(self._bins):
            rank -= self._bins[place]
            if rank <= 0:
                return float(SHORTEST_MS * 2 ** ((place + 0.5) / BINS_A_DOUBLING))
        return 0.0
