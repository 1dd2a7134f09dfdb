"""Load: many operations a second, started on time whether or not those before have been answered.

An open loop, as real clients are: a store that slows down does not slow down those who ask it, and the
latency that a closed loop would hide is seen. The number under way is bounded all the same; an operation that
finds no room is not started, and is counted as held back.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import accumulate
from random import Random

import msgspec

from kvlab.errors import Outcome
from kvlab.messages import Key
from kvlab.script.commands import Load
from kvlab.world.control import Result
from kvlab.world.world import World

UNDER_WAY_MAX = 512
READS_PERCENT = 50.0
KEYS = 100

Perform = Callable[[str, Key, bytes, str | None], Awaitable[Result]]
"""Do one operation: kind (get or put), key, value (of a put), the node that coordinates."""


class LoadSummary(msgspec.Struct, frozen=True):
    """What became of a load. Percentiles of all that were answered, in ms; 0 if none was."""

    started: int
    ok: int
    failed: int
    unknown: int
    held_back: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    def __str__(self) -> str:
        held_back = f", {self.held_back} held back" if self.held_back else ""
        return (
            f"{self.started} operations: {self.ok} ok, {self.failed} failed, {self.unknown} unknown"
            f"{held_back}; p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms, max {self.max_ms:.1f} ms"
        )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of values in ascending order; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Tally:
    """What became of so many operations, and how often one took so long, to a tenth of a ms: a load that goes
    on for hours takes no more memory than one of a minute."""

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.tenths: Counter[int] = Counter()
        self.max_ms = 0.0

    def add(self, result: Result) -> None:
        self.outcomes[result.outcome] += 1
        self.tenths[round(result.took_ms * 10)] += 1
        self.max_ms = max(self.max_ms, result.took_ms)

    def percentile(self, share: float) -> float:
        """The nearest-rank percentile of the times, in ms; 0 of none."""
        rank = max(1, math.ceil(share * self.tenths.total()))
        for tenths in sorted(self.tenths):
            rank -= self.tenths[tenths]
            if rank <= 0:
                return tenths / 10
        return 0.0


async def run_load(
    load: Load,
    world: World,
    perform: Perform,
    random: Random,
    name: str,
    going: Callable[[], bool] = lambda: True,
) -> LoadSummary:
    """Run it to its end, or until it is no longer `going`, and wait for the last answer.

    Values are `name.1`, `name.2`, ...: all different.
    """
    keys = [b"key:%d" % (i + 1) for i in range(load.keys or KEYS)]
    weights = list(accumulate(1 / rank if load.zipf else 1.0 for rank in range(1, len(keys) + 1)))
    reads = (READS_PERCENT if load.reads is None else load.reads) / 100
    tally = Tally()
    held_back = 0
    under_way: set[asyncio.Task[None]] = set()
    failures: list[BaseException] = []

    async def one(kind: str, key: Key, value: bytes, via: str | None) -> None:
        tally.add(await perform(kind, key, value, via))

    def ended(task: asyncio.Task[None]) -> None:
        under_way.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            failures.append(failure)

    begun = world.at_ms()
    count = load.rate * load.ms // 1000
    for i in range(count):
        behind_ms = begun + i * 1000 / load.rate - world.at_ms()
        if behind_ms > 0:
            await world.sleep(behind_ms / 1000)
        if not going():
            break
        kind = "get" if random.random() < reads else "put"
        (key,) = random.choices(keys, cum_weights=weights)
        up = world.up()
        via = random.choice(up) if up else None
        if len(under_way) >= UNDER_WAY_MAX:
            held_back += 1
            continue
        task = asyncio.create_task(one(kind, key, f"{name}.{i + 1}".encode(), via))
        under_way.add(task)
        task.add_done_callback(ended)
    await asyncio.gather(*under_way, return_exceptions=True)
    if failures:
        raise failures[0]  # after all have ended: none is left behind
    return LoadSummary(
        started=sum(tally.outcomes.values()),
        ok=tally.outcomes[Outcome.OK],
        failed=tally.outcomes[Outcome.FAILED],
        unknown=tally.outcomes[Outcome.UNKNOWN],
        held_back=held_back,
        p50_ms=tally.percentile(0.5),
        p99_ms=tally.percentile(0.99),
        max_ms=tally.max_ms,
    )
