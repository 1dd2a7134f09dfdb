"""Leaves the siblings in the order in which they came: pitfall 25, repairs that never end.

Caught by: check_the_order_of_merging_does_not_matter
"""

from solution import *
from solution import contains, joined

from kvlab.messages import Siblings


def merged(a, b):
    if a is None or b is None:
        return a or b
    mine = [s for s in a.siblings if s in b.siblings or not contains(b.context, s.dot)]
    theirs = [s for s in b.siblings if s not in mine and not contains(a.context, s.dot)]
    return Siblings(joined(a.context, b.context), (*mine, *theirs))
