"""Compares the writer's clock with the key's: who has not seen all of it replaces none of it. Pitfall 8.

Caught by: check_two_writers_in_turn_leave_two_siblings_and_not_99
"""

from solution import *
from solution import descends, joined
from solution import written as reference

from kvlab.messages import NOTHING


def written(held, context, actor, value, stamp_ms, expires_ms=None):
    seen_all = held is None or descends(context.clock, held.context.clock)
    copy, seen = reference(held, context if seen_all else NOTHING, actor, value, stamp_ms, expires_ms)
    return copy, joined(context, seen)
