"""The replica's new context is the writer's: what it knew beside that, it forgets.

Caught by: check_a_write_replaces_nothing_that_its_writer_had_not_seen
"""

from solution import *
from solution import written as reference

from kvlab.messages import Siblings


def written(held, context, actor, value, stamp_ms, expires_ms=None):
    copy, seen = reference(held, context, actor, value, stamp_ms, expires_ms)
    return Siblings(seen, copy.siblings), seen
