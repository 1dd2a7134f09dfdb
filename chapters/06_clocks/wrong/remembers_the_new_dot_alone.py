"""The context names the siblings that are there, and no write that was replaced.

Caught by: check_a_write_replaces_what_its_writer_had_seen
"""

from solution import *
from solution import compacted
from solution import written as reference

from kvlab.messages import Siblings


def written(held, context, actor, value, stamp_ms, expires_ms=None):
    copy, seen = reference(held, context, actor, value, stamp_ms, expires_ms)
    return Siblings(compacted((), [sibling.dot for sibling in copy.siblings]), copy.siblings), seen
