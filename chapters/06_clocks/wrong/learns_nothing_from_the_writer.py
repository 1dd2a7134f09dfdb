"""The replica's context is given the new dot, and nothing of what its writer had read elsewhere.

Caught by: check_a_replica_learns_from_the_writer
"""

from solution import *
from solution import contains, joined, next_dot, with_dot

from kvlab.messages import NOTHING, Sibling, Siblings


def written(held, context, actor, value, stamp_ms, expires_ms=None):
    held = held or Siblings(NOTHING, ())
    dot = next_dot(joined(held.context, context), actor)
    kept = [sibling for sibling in held.siblings if not contains(context, sibling.dot)]
    kept.append(Sibling(dot, value, stamp_ms, expires_ms))
    known = with_dot(held.context, dot)
    return Siblings(known, tuple(sorted(kept, key=lambda sibling: sibling.dot))), with_dot(context, dot)
