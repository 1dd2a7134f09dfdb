"""A delete takes what was seen away, and leaves no tombstone.

Caught by: check_a_delete_is_a_write_of_a_tombstone
"""

from solution import *
from solution import written as reference

from kvlab.messages import Siblings


def written(held, context, actor, value, stamp_ms, expires_ms=None):
    copy, seen = reference(held, context, actor, value, stamp_ms, expires_ms)
    if value is None:
        return Siblings(copy.context, tuple(s for s in copy.siblings if s.value is not None)), seen
    return copy, seen
