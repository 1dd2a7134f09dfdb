"""Compares the two contexts, takes the later copy, and keeps all of both if neither is.

Caught by: check_part_of_a_copy_can_be_news
"""

from solution import *
from solution import joined

from kvlab.messages import Siblings


def merged(a, b):
    if a is None or b is None:
        return a or b
    both = joined(a.context, b.context)
    if both == a.context:
        return a
    if both == b.context:
        return b
    siblings = {sibling.dot: sibling for sibling in (*a.siblings, *b.siblings)}
    return Siblings(both, tuple(siblings[dot] for dot in sorted(siblings)))
