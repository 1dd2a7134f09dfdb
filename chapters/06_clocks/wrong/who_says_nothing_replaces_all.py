"""Who brings no context means what is there: pitfall 12.

Caught by: check_a_write_replaces_nothing_that_its_writer_had_not_seen
"""

from solution import *
from solution import written as reference

from kvlab.messages import NOTHING


def written(held, context, actor, value, stamp_ms, expires_ms=None):
    seen = held.context if context == NOTHING and held is not None else context
    return reference(held, seen, actor, value, stamp_ms, expires_ms)
