"""Chapter 6's experiment: how many siblings, and how large a context, by the number of writers.

So many writers write one key in turn, fifty times each. None of them reads: each brings back the context that
his own last write gave him. They are counted with dots, and with one clock for all siblings of the key, as in
the first versions of Riak; there a writer who has not seen everything can replace nothing. Then the same
writers read before they write.

Theory: who has seen his own writes alone replaces his own last one, and so there is one sibling for each
writer. With one clock nothing is ever replaced, except where one writer writes alone.

And the actors. Where a replica numbers the writes, a key has three of them, however many write. Where each
client does, a key has as many as there are clients; a store then cuts the context (Dynamo: at some ten). What
that costs is counted: a replica was away, and holds one of the last hundred values; it comes back, and so
may its value, which had been read and replaced.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kvlab.core.clocks import descends, joined, merged, pruned, written
from kvlab.course.measuring import Table
from kvlab.messages import NOTHING, Actor, Context, Siblings

WRITES = 50
"""Of each writer."""
PRUNE = 10
REPLICA = Actor("n1.0.1.1")
AWAY = 100
"""So many writes a replica can have missed."""


def with_dots(held: Siblings | None, context: Context, value: bytes) -> tuple[Siblings, Context]:
    return written(held, context, REPLICA, value, 0)


def with_one_clock(held: Siblings | None, context: Context, value: bytes) -> tuple[Siblings, Context]:
    """The writer is told the key's clock, and it says of every sibling that it was seen, or of none."""
    seen_all = held is None or descends(context.clock, held.context.clock)
    copy, mine = written(held, context if seen_all else NOTHING, REPLICA, value, 0)
    return copy, joined(context, mine)


def blind(write: Callable[..., tuple[Siblings, Context]], writers: int) -> tuple[int, int]:
    """Writers in turn, none of whom reads: how many siblings, and how many bytes of context one carries."""
    held, contexts = None, [NOTHING] * writers
    for i in range(WRITES):
        for writer in range(writers):
            held, contexts[writer] = write(held, contexts[writer], b"%d of %d" % (i, writer))
    assert held is not None
    return len(held.siblings), len(msgspec.msgpack.encode(contexts[0]))


def read_first(writers: int, limit: int | None, clients_count: bool) -> list[Siblings]:
    """The copy after each write, by writers in turn who read before they write."""
    held, copies = None, []
    for i in range(WRITES * writers):
        actor = Actor(f"client{i % writers}") if clients_count else REPLICA
        seen = NOTHING if held is None else held.context
        held, _ = written(held, seen, actor, b"%d" % i, 0)
        held = pruned(held, limit)
        copies.append(held)
    return copies


def come_back(copies: list[Siblings]) -> float:
    """The share of old copies whose value, replaced long ago, is a sibling of the newest one."""
    *old, newest = copies[-AWAY - 1 :]
    return sum(len(merged(newest, copy).siblings) > 1 for copy in old) / len(old)


def measure(quick: bool, tell: Callable[[str], None]) -> Table:
    rows = []
    for writers in (1, 2, 5, 10) if quick else (1, 2, 5, 10, 20, 50):
        tell(f"{writers} writers")
        dots, size = blind(with_dots, writers)
        naive, _ = blind(with_one_clock, writers)
        clients = read_first(writers, None, clients_count=True)
        cut = read_first(writers, PRUNE, clients_count=True)
        rows.append(
            (
                writers,
                naive,
                dots,
                writers,
                size,
                len(read_first(writers, None, clients_count=False)[-1].siblings),
                len(clients[-1].context.clock),
                round(come_back(cut), 2),
            )
        )
    return Table(
        title=f"One key, {WRITES} writes by each of so many writers, through one replica",
        columns=(
            "writers",
            "one clock",
            "dots",
            "theory",
            "bytes, a writer's context",
            "if they read first",
            "actors, if clients number",
            f"come back, cut at {PRUNE}",
        ),
        rows=tuple(rows),
        measured="dots",
        theory="theory",
        unit="siblings",
        said="Two writers, a hundred writes: two siblings with dots, and with one clock a hundred. What dots "
        "cost, the bytes say: who never reads carries a loose dot for each of his writes. Who reads first "
        "leaves one value. The last two columns are why replicas number writes, and not clients: a context "
        "that names each client has to be cut, and of an actor that was cut nobody knows what was replaced.",
    )
