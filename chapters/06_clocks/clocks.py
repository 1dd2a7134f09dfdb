"""Chapter 6: what a writer had seen, and so what a write replaces.

Functions, and no classes: nothing here waits, remembers or raises, and nothing that is passed in is changed.
The reference takes about 60 lines; write them from top to bottom, for the later ones use the earlier ones.
`kvlab check 6` says how far you are, and `kvlab lab 6 --mine` runs a cluster on your clocks.

The values, all of them frozen (kvlab/messages.py):

  Clock                    a tuple of pairs (actor, count), sorted by actor, no actor twice, no count of 0:
                           (("n1", 2), ("n2", 1)). Who is not named counts 0.
  Dot(actor, count)        the name of one write: the actor's count-th of this key, counted from 1
  Context(clock, dots)     which writes somebody has seen: of each actor in `clock` all up to its count, and
                           the loose `dots`, each behind a gap: Context((("n1", 2),), (Dot("n1", 4),)) has
                           seen n1's writes 1, 2 and 4. NOTHING has seen none.
  Sibling(dot, value, stamp_ms, expires_ms)
                           one write that nothing has replaced yet; value None is a tombstone. Both times are
                           milliseconds since 1970, expires_ms None for never; here they are only kept
  Siblings(context, siblings)
                           what a replica holds under a key: the siblings in the order of their dots, and all
                           that was ever seen there, the replaced writes included
"""

from __future__ import annotations

from collections.abc import Iterable

from kvlab.core.clocks import Clock, Order
from kvlab.messages import NOTHING, Actor, Context, Dot, Sibling, Siblings

# -- the vector clock of the paper ---------------------------------------------------------------


def descends(a: Clock, b: Clock) -> bool:
    """Whether a has seen all that b has: of each actor as much or more."""
    raise NotImplementedError


def order(a: Clock, b: Clock) -> Order:
    """How a stands to b: Order.BEFORE if b has seen all that a has, and more; AFTER; EQUAL; CONCURRENT."""
    raise NotImplementedError


def merged_clocks(a: Clock, b: Clock) -> Clock:
    """What the two have seen between them. Counts of 0, which a stranger may send, are left out."""
    raise NotImplementedError


def incremented(clock: Clock, actor: Actor) -> Clock:
    """The clock of this actor's next write, by somebody who has seen what `clock` has."""
    raise NotImplementedError


# -- contexts: a clock, and dots beyond its gaps --------------------------------------------------


def contains(context: Context, dot: Dot) -> bool:
    """Whether this write has been seen."""
    raise NotImplementedError


def compacted(clock: Clock, dots: Iterable[Dot]) -> Context:
    """This history in its one form. The dots come in any order, some of them twice or in the clock already.

    A dot with no gap before it goes into the clock; what is left is loose: sorted, and nothing twice.
    """
    raise NotImplementedError


def joined(a: Context, b: Context) -> Context:
    """What the two have seen between them, in its one form."""
    raise NotImplementedError


def with_dot(context: Context, dot: Dot) -> Context:
    """The history of somebody who has seen this write too, in its one form."""
    raise NotImplementedError


def next_dot(context: Context, actor: Actor) -> Dot:
    """The dot of this actor's next write, where `context` has seen all of its writes: never one that was
    given out before, gaps or not."""
    raise NotImplementedError


# -- reconcile: what two copies come to, and what a write makes of one ----------------------------


def merged(a: Siblings | None, b: Siblings | None) -> Siblings | None:
    """What two replicas that hold a and b should both hold. None has seen nothing, and holds nothing.

    A sibling stays if both have it, or if the other has not seen its dot. If the other has seen it and does
    not have it, something has replaced it there, and it goes. The context has seen what either has.

    Both may have one write in two forms, for it has expired on the one: of these the tombstone stays.
    """
    raise NotImplementedError


def written(
    held: Siblings | None,
    context: Context,
    actor: Actor,
    value: bytes | None,
    stamp_ms: int,
    expires_ms: int | None = None,
) -> tuple[Siblings, Context]:
    """A write of the actor's at a replica that holds this. Returns what it holds now, and what the writer
    has seen now.

    `context` is what the writer had seen before: the write replaces that and nothing else. It is numbered
    after all that the replica or the writer knows of the actor. The writer has seen then what he had seen
    before and his own write, and none of what he was not shown. `value` None is a delete.
    """
    raise NotImplementedError
