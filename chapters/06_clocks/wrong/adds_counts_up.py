"""Adds the counts of the two clocks up.

Caught by: check_merged_clocks_have_seen_what_either_has
"""

from solution import *


def merged_clocks(a, b):
    counts = dict(a)
    for actor, count in b:
        counts[actor] = counts.get(actor, 0) + count
    return tuple(sorted((actor, count) for actor, count in counts.items() if count > 0))
