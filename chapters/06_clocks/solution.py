"""The reference of chapter 6: a history is a set of dots, and everything else follows.

Ask of each function what it says about that set. `joined` is its union, `contains` is membership, and a merge
asks of each sibling whether the other side's set has its dot. The clock is there to keep the set small.
"""

from __future__ import annotations

from collections.abc import Iterable

from kvlab.core.clocks import Clock, Order
from kvlab.messages import NOTHING, Actor, Context, Dot, Sibling, Siblings

# -- the vector clock of the paper ---------------------------------------------------------------


def descends(a: Clock, b: Clock) -> bool:
    counts = dict(a)
    return all(counts.get(actor, 0) >= count for actor, count in b)


def order(a: Clock, b: Clock) -> Order:
    if descends(a, b):
        return Order.EQUAL if descends(b, a) else Order.AFTER
    return Order.BEFORE if descends(b, a) else Order.CONCURRENT


def merged_clocks(a: Clock, b: Clock) -> Clock:
    counts = dict(a)
    for actor, count in b:
        counts[actor] = max(count, counts.get(actor, 0))
    return tuple(sorted((actor, count) for actor, count in counts.items() if count > 0))


def incremented(clock: Clock, actor: Actor) -> Clock:
    counts = dict(clock)
    counts[actor] = counts.get(actor, 0) + 1
    return tuple(sorted(counts.items()))


# -- contexts: a clock, and dots beyond its gaps --------------------------------------------------


def contains(context: Context, dot: Dot) -> bool:
    return dot.count <= dict(context.clock).get(dot.actor, 0) or dot in context.dots


def compacted(clock: Clock, dots: Iterable[Dot]) -> Context:
    counts = dict(clock)
    loose = []
    for dot in sorted(set(dots)):
        count = counts.get(dot.actor, 0)
        if dot.count == count + 1:
            counts[dot.actor] = dot.count
        elif dot.count > count:
            loose.append(dot)
    return Context(tuple(sorted(counts.items())), tuple(loose))


def joined(a: Context, b: Context) -> Context:
    return compacted(merged_clocks(a.clock, b.clock), (*a.dots, *b.dots))


def with_dot(context: Context, dot: Dot) -> Context:
    return compacted(context.clock, (*context.dots, dot))


def next_dot(context: Context, actor: Actor) -> Dot:
    loose = [dot.count for dot in context.dots if dot.actor == actor]
    return Dot(actor, max(dict(context.clock).get(actor, 0), *loose, 0) + 1)


# -- reconcile: what two copies come to, and what a write makes of one ----------------------------


def merged(a: Siblings | None, b: Siblings | None) -> Siblings | None:
    if a is None or b is None:
        return a or b
    theirs = {sibling.dot: sibling for sibling in b.siblings}
    stay: list[Sibling] = []
    for sibling in a.siblings:
        other = theirs.pop(sibling.dot, None)
        if other is not None:
            stay.append(other if other.value is None else sibling)
        elif not contains(b.context, sibling.dot):
            stay.append(sibling)
    stay += [sibling for sibling in theirs.values() if not contains(a.context, sibling.dot)]
    return Siblings(joined(a.context, b.context), in_order(stay))


def in_order(siblings: Iterable[Sibling]) -> tuple[Sibling, ...]:
    return tuple(sorted(siblings, key=lambda sibling: sibling.dot))


def written(
    held: Siblings | None,
    context: Context,
    actor: Actor,
    value: bytes | None,
    stamp_ms: int,
    expires_ms: int | None = None,
) -> tuple[Siblings, Context]:
    held = held or Siblings(NOTHING, ())
    known = joined(held.context, context)
    dot = next_dot(known, actor)
    unseen = [sibling for sibling in held.siblings if not contains(context, sibling.dot)]
    mine = Sibling(dot, value, stamp_ms, expires_ms)
    return Siblings(with_dot(known, dot), in_order([*unseen, mine])), with_dot(context, dot)
