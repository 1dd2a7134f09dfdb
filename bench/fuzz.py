"""How fast seeds are judged, registers checked and a failure made small. Times are of one core."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from random import Random

from bench.figure import Figure
from kvlab.check.history import Operation
from kvlab.check.linear import by_search
from kvlab.check.zones import by_zones
from kvlab.config import ClusterConfig
from kvlab.errors import Outcome
from kvlab.fuzz.judge import judge_seed
from kvlab.fuzz.plan import SETTLE_MS, SPAN_MS
from kvlab.fuzz.shrink import shrink
from tests.fuzz.planted import Hasty, with_node

FOUR = ClusterConfig(stage=4, timeout_ms=200)


def measure() -> Iterator[Figure]:
    virtual_s = (SPAN_MS + SETTLE_MS) / 1000
    runs = [_seconds(partial(_judge, first)) for first in (1, 101, 201)]
    scaled = [seconds * 20 / virtual_s for seconds in runs]
    yield Figure("100 seeds of 20 virtual s, stage 4, checked", scaled, "s", 15, at_most=True)
    made = with_node(Hasty)
    failing = [judged for seed in range(1, 60) if (judged := judge_seed(FOUR, seed, make_world=made)).failed]
    runs = [_seconds(partial(shrink, judged, made)) for judged in failing[:10]]
    yield Figure("a planted bug, made small", runs, "s", 2, at_most=True)
    unique, repeating = _history(10_000, unique=True), _history(1000, unique=False)
    runs = [1000 * _seconds(lambda: by_zones(unique)) for _ in range(5)]
    yield Figure("zones, 10,000 operations", runs, "ms", 20, at_most=True)
    runs = [1000 * _seconds(lambda: by_search(repeating)) for _ in range(5)]
    yield Figure("search for an order, 1,000 operations, 10 clients", runs, "ms", 200, at_most=True)


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _judge(first: int) -> None:
    for seed in range(first, first + 100):
        judge_seed(FOUR, seed)


def _history(count: int, *, unique: bool) -> list[Operation]:
    """A register under ten clients, each of whose operations takes up to ten times the gap between two."""
    random = Random(1)
    operations = []
    value: tuple[bytes, ...] = ()
    free = [0.0] * 10
    for number in range(count):
        client = number % 10
        start, end = max(free[client], number - random.uniform(0, 9)), number + random.uniform(0.1, 0.9)
        free[client] = end + 0.01
        if random.random() < 0.5:
            value = (b"%d" % (number if unique else number % 7),)
            operations.append(Operation("put", b"k", "n1", start, end, Outcome.OK, value[0]))
        else:
            operations.append(Operation("get", b"k", "n1", start, end, Outcome.OK, found=value))
    return operations
