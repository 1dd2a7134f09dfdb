"""Keeps every sibling of either, the replaced ones too.

Caught by: check_what_was_replaced_on_one_side_goes
"""

from solution import *
from solution import joined

from kvlab.messages import Siblings


def merged(a, b):
    if a is None or b is None:
        return a or b
    siblings = {sibling.dot: sibling for sibling in (*a.siblings, *b.siblings)}
    return Siblings(joined(a.context, b.context), tuple(siblings[dot] for dot in sorted(siblings)))
