"""Takes a writer who knows the third write of a node to know the second.

Caught by: check_to_have_seen_one_write_is_not_to_have_seen_those_before_it
"""

from solution import *
from solution import merged_clocks

from kvlab.messages import Context


def with_dot(context, dot):
    return Context(merged_clocks(context.clock, ((dot.actor, dot.count),)), context.dots)
