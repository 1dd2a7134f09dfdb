"""Looks at each dot once, in the order in which they came.

Caught by: check_a_dot_without_a_gap_goes_into_the_clock
"""

from solution import *

from kvlab.messages import Context


def compacted(clock, dots):
    counts = dict(clock)
    loose = set()
    for dot in dots:
        count = counts.get(dot.actor, 0)
        if dot.count == count + 1:
            counts[dot.actor] = dot.count
        elif dot.count > count:
            loose.add(dot)
    return Context(tuple(sorted(counts.items())), tuple(sorted(loose)))
