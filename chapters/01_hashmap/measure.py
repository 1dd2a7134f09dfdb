"""Chapter 1's experiment: how often does a cache have what it is asked for, by its size?

10,000 requests for 1,000 keys, whose popularity falls as Zipf's law has it: the k-th most popular key is
asked for 1/k times as often as the first. A miss is fetched and put. The store is given room for a hundredth
of the keys, for a fiftieth, and so on.

Theory: where requests do not depend on those before, nothing does better in the long run than to hold just
the keys that are asked for most. The hit rate of that is their share of all requests: H(m) / H(n), with H the
harmonic numbers. LRU knows nothing of popularity; it learns it from what was used last, and pays for what it
forgets too soon.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from random import Random

from kvlab.core.store import Store, footprint
from kvlab.course.measuring import Table
from kvlab.messages import Item

KEYS = 1000
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
VALUE = bytes(100)


def hit_rate(room: int, requests: int, seed: int) -> float:
    """Of LRU with room for so many entries, after as many requests to warm up."""
    random = Random(seed)
    names = [b"k%03d" % i for i in range(KEYS)]
    weights = list(accumulate(1 / rank for rank in range(1, KEYS + 1)))
    store: Store[Item] = Store(room * footprint(names[0], Item(VALUE)))
    hits = 0
    for now_ms in range(2 * requests):
        (key,) = random.choices(names, cum_weights=weights)
        if store.get(key, now_ms) is not None:
            hits += now_ms >= requests
        else:
            store.put(key, Item(VALUE), now_ms)
    return hits / requests


def best(room: int) -> float:
    """Of a cache that holds the most popular keys, and knows them."""
    harmonic = list(accumulate(1 / rank for rank in range(1, KEYS + 1)))
    return harmonic[room - 1] / harmonic[-1]


def measure(quick: bool, tell: Callable[[str], None]) -> Table:
    requests = 1000 if quick else 10_000
    rows = []
    for share in SHARES:
        room = max(1, round(KEYS * share))
        tell(f"room for {room} of {KEYS} keys")
        rows.append((room, round(hit_rate(room, requests, seed=1), 3), round(best(room), 3)))
    return Table(
        title=f"The hit rate of an LRU cache: {KEYS} keys, Zipf, {requests} requests",
        columns=("room for", "LRU", "the best possible"),
        rows=tuple(rows),
        measured="LRU",
        theory="the best possible",
        said="A tenth of the room has far more than a tenth of the hits: so caches are worth having. "
        "What LRU lacks of the best possible is the price of finding out by itself what is popular.",
    )
