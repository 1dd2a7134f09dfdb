"""Forgets that there may be no copy yet.

Caught by: check_the_first_write_of_a_key
"""

from solution import *
from solution import next_dot
from solution import written as reference


def written(held, context, actor, value, stamp_ms, expires_ms=None):
    dot = next_dot(held.context, actor)
    return reference(held, context, dot.actor, value, stamp_ms, expires_ms)
