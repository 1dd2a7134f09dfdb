"""Clocks: which of two writes knew of the other, if either did, and so which may replace which.

Source: DeCandia et al. 2007, section 4.4, for vector clocks; Preguica et al. 2010 and Almeida et al. 2014 for
    dots and version vector sets; actor epochs after Riak's answer to its lost writes (kv679).
Invariant: `merged` is commutative, associative and idempotent, and its result has one form: replicas that
    have met the same writes, in whatever order and however often, hold the same bytes.
Invariant: of two writes, the one replaces the other only if its writer had seen the other.
Invariant: no dot is given out twice (`next_dot`, and services/actors.py for those that a node has forgotten).
Deviation: Dynamo drops the oldest of ten pairs, by a time stamp in each. `pruned` drops those of the actors
    that have written least, which every replica does alike; and it is off unless asked for.

A *clock* says of each actor how many of its writes somebody has seen: {n1: 3, n2: 1}. That orders two
histories, but it cannot say "n1's third write and not its second", which is just what a writer knows who has
seen neither n1's second write nor been told of it. If he were taken to know it, his next write would replace
what he has never seen; if a server gave him no number of his own at all, each of his writes would be
a sibling of his last: two writers in turn, 99 siblings. So a write is named by its *dot*, (n1, 3), and a
history is a *context*: a clock, and beyond it the loose dots that stand behind a gap.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from enum import Enum
from typing import TypeAlias, overload

from kvlab.messages import NOTHING, Actor, Context, Dot, NodeId, Sibling, Siblings

Clock: TypeAlias = tuple[tuple[Actor, int], ...]
"""A vector clock: how many writes of each actor have been seen. Sorted by actor, no actor twice, no zeros."""

COUNT_LIMIT = 2**53
"""No actor writes a key so often."""

# -- the vector clock of the paper ---------------------------------------------------------------


class Order(Enum):
    """How one history stands to another. Clocks have no `<`: `sorted` would hide the fourth answer."""

    BEFORE = "before"
    AFTER = "after"
    EQUAL = "equal"
    CONCURRENT = "concurrent"


def order(a: Clock, b: Clock) -> Order:
    """How a stands to b: BEFORE if b has seen all that a has, and more. O(actors)."""
    match descends(a, b), descends(b, a):
        case True, True:
            return Order.EQUAL
        case True, False:
            return Order.AFTER
        case False, True:
            return Order.BEFORE
        case _:
            return Order.CONCURRENT


def descends(a: Clock, b: Clock) -> bool:
    """Whether a has seen all that b has."""
    counts = dict(a)
    return all(counts.get(actor, 0) >= count for actor, count in b)


def merged_clocks(a: Clock, b: Clock) -> Clock:
    """What the two have seen between them."""
    counts = dict(a)
    for actor, count in b:
        counts[actor] = max(count, counts.get(actor, 0))
    return tuple(sorted((actor, count) for actor, count in counts.items() if count > 0))


def incremented(clock: Clock, actor: Actor) -> Clock:
    """The clock of this actor's next write, by somebody who has seen what `clock` has."""
    return merged_clocks(clock, ((actor, dict(clock).get(actor, 0) + 1),))


# -- contexts: a clock, and dots beyond its gaps --------------------------------------------------


def contains(context: Context, dot: Dot) -> bool:
    """Whether this write has been seen. O(actors + log(loose dots))."""
    for actor, count in context.clock:
        if actor == dot.actor and dot.count <= count:
            return True
    at = bisect_left(context.dots, dot)
    return at < len(context.dots) and context.dots[at] == dot


def joined(a: Context, b: Context) -> Context:
    """What the two have seen between them."""
    if a == b:
        return a
    return _compacted(merged_clocks(a.clock, b.clock), (*a.dots, *b.dots))


def with_dot(context: Context, dot: Dot) -> Context:
    """The history of somebody who has seen this write too."""
    return _compacted(context.clock, (*context.dots, dot))


def _compacted(clock: Clock, dots: Iterable[Dot]) -> Context:
    """The one form of this history: a dot without a gap before it goes into the clock."""
    counts = dict(clock)
    loose: list[Dot] = []
    for dot in sorted(set(dots)):
        count = counts.get(dot.actor, 0)
        if dot.count == count + 1:
            counts[dot.actor] = dot.count
        elif dot.count > count:
            loose.append(dot)
    return Context(tuple(sorted(counts.items())), tuple(loose))


def sound(context: Context) -> bool:
    """Whether this can be what somebody has seen: it came from outside, and may have been tampered with.

    In its one form, and counts that leave room to count on. That its writes exist nobody can tell: whoever
    forges a context can have writes thrown away that are still to come.
    """
    counts = [count for _, count in context.clock] + [dot.count for dot in context.dots]
    one_form = _compacted(merged_clocks(context.clock, ()), context.dots) == context
    return one_form and max(counts, default=0) < COUNT_LIMIT


def highest(context: Context, actor: Actor) -> int:
    """The count of the last write of this actor that has been seen, gaps or not; 0 if none has."""
    loose = [dot.count for dot in context.dots if dot.actor == actor]
    return max(dict(context.clock).get(actor, 0), *loose, 0)


def next_dot(context: Context, actor: Actor) -> Dot:
    """A dot that nobody has given out, if `context` has seen all writes of this actor."""
    return Dot(actor, highest(context, actor) + 1)


def node_of(actor: Actor) -> NodeId:
    """The node that an actor is one life of."""
    return NodeId(actor.partition(".")[0])


def shown(context: Context) -> str:
    """A history as people are shown it: `n1:3 n2:1`, and `+n1:5` for a write that stands behind a gap.

    A node of which it has several lives is named once for each.
    """
    clock = [f"{node_of(actor)}:{count}" for actor, count in context.clock]
    return " ".join([*clock, *(f"+{node_of(dot.actor)}:{dot.count}" for dot in context.dots)])


# -- siblings: the writes that nothing seen so far replaces ---------------------------------------


@overload
def merged(a: Siblings, b: Siblings | None) -> Siblings: ...
@overload
def merged(a: Siblings | None, b: Siblings) -> Siblings: ...
@overload
def merged(a: Siblings | None, b: Siblings | None) -> Siblings | None: ...
def merged(a: Siblings | None, b: Siblings | None) -> Siblings | None:
    """What both replicas should hold. None has seen nothing.

    A sibling stays if both have it, or if the other has not seen its dot. If the other has seen it and
    does not have it, then because something has replaced it.
    """
    if a is None or b is None or a == b:
        return a or b
    theirs = {sibling.dot: sibling for sibling in b.siblings}
    stay: list[Sibling] = []
    for sibling in a.siblings:
        other = theirs.pop(sibling.dot, None)
        if other is not None:
            stay.append(max(sibling, other, key=_rank))
        elif not contains(b.context, sibling.dot):
            stay.append(sibling)
    stay += [sibling for sibling in theirs.values() if not contains(a.context, sibling.dot)]
    return Siblings(joined(a.context, b.context), _in_order(stay))


def _rank(sibling: Sibling) -> tuple[bool, bytes, int, int]:
    """Of one write in two forms, what has expired wins: one replica's clock may be ahead of another's."""
    expires_ms = -1 if sibling.expires_ms is None else sibling.expires_ms
    return sibling.value is None, sibling.value or b"", sibling.stamp_ms, expires_ms


def _in_order(siblings: Iterable[Sibling]) -> tuple[Sibling, ...]:
    return tuple(sorted(siblings, key=lambda sibling: sibling.dot))


def written(
    held: Siblings | None,
    context: Context,
    actor: Actor,
    value: bytes | None,
    stamp_ms: int,
    expires_ms: int | None = None,
) -> tuple[Siblings, Context]:
    """A write of the actor's at a replica that holds this: what it holds now, and what the writer has seen.

    It replaces what its writer has seen (`context`) and nothing else. The writer has seen then what it had
    seen before, and its own write: not the siblings of it that it was never shown. A writer who never reads
    while there are such collects a loose dot with every write, which a read turns into a clock again.
    """
    held = held or Siblings(NOTHING, ())
    known = joined(held.context, context)
    dot = next_dot(known, actor)
    unseen = [sibling for sibling in held.siblings if not contains(context, sibling.dot)]
    mine = Sibling(dot, value, stamp_ms, expires_ms)
    return Siblings(with_dot(known, dot), _in_order((*unseen, mine))), with_dot(context, dot)


def values_seen(held: Siblings, context: Context) -> tuple[bytes, ...]:
    """The values held here that somebody with this history has seen: those that his delete takes."""
    seen = [sibling for sibling in held.siblings if contains(context, sibling.dot)]
    return Siblings(context, tuple(seen)).values


def pruned(held: Siblings, limit: int | None) -> Siblings:
    """The same, naming no more than `limit` actors beside those of its siblings; None prunes nothing.

    Those go that have written least; of these, the first by name. All replicas choose alike, so they come to
    agree; but of an actor that went nobody knows any more what was replaced. Where an old write of it is
    still held, it comes back as a sibling of the very writes that replaced it.
    """
    context = held.context
    actors = {actor for actor, _ in context.clock} | {dot.actor for dot in context.dots}
    if limit is None or len(actors) <= limit:
        return held
    most = sorted(actors, key=lambda actor: (highest(context, actor), actor), reverse=True)
    named = {*most[:limit], *(sibling.dot.actor for sibling in held.siblings)}
    clock = tuple(pair for pair in context.clock if pair[0] in named)
    dots = tuple(dot for dot in context.dots if dot.actor in named)
    return Siblings(Context(clock, dots), held.siblings)


class Agreement:
    """What two replicas should both hold: `merged`, and then `pruned`.

    Pruned here and not as it is written: what is sent still names the writes that it replaces.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit

    @overload
    def __call__(self, a: Siblings, b: Siblings | None) -> Siblings: ...
    @overload
    def __call__(self, a: Siblings | None, b: Siblings) -> Siblings: ...
    @overload
    def __call__(self, a: Siblings | None, b: Siblings | None) -> Siblings | None: ...
    def __call__(self, a: Siblings | None, b: Siblings | None) -> Siblings | None:
        both = merged(a, b)
        return None if both is None else pruned(both, self.limit)
