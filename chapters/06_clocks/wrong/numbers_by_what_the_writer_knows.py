"""Numbers a write after what its writer has seen: pitfall 9, where writers count for themselves.

Caught by: check_the_replica_numbers_the_write_after_all_it_knows
"""

from solution import *
from solution import merged, next_dot, with_dot

from kvlab.messages import Sibling, Siblings


def written(held, context, actor, value, stamp_ms, expires_ms=None):
    dot = next_dot(context, actor)
    mine = Siblings(with_dot(context, dot), (Sibling(dot, value, stamp_ms, expires_ms),))
    return merged(mine, held), with_dot(context, dot)
