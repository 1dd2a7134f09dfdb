"""Numbers a write after what the replica holds, though its writer has read a later one of the same actor.

Caught by: check_the_replica_numbers_the_write_after_all_it_knows
"""

from solution import *
from solution import contains, joined, next_dot, with_dot

from kvlab.messages import NOTHING, Sibling, Siblings


def written(held, context, actor, value, stamp_ms, expires_ms=None):
    held = held or Siblings(NOTHING, ())
    dot = next_dot(held.context, actor)
    kept = [sibling for sibling in held.siblings if not contains(context, sibling.dot)]
    kept.append(Sibling(dot, value, stamp_ms, expires_ms))
    known = with_dot(joined(held.context, context), dot)
    return Siblings(known, tuple(sorted(kept, key=lambda sibling: sibling.dot))), with_dot(context, dot)
