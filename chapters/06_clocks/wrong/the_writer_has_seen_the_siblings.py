"""Gives the writer the replica's whole context, also of what he was never shown.

Caught by: check_a_write_replaces_nothing_that_its_writer_had_not_seen
"""

from solution import *
from solution import written as reference


def written(held, context, actor, value, stamp_ms, expires_ms=None):
    copy, _ = reference(held, context, actor, value, stamp_ms, expires_ms)
    return copy, copy.context
