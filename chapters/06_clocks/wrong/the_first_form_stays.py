"""Of one write in two forms takes that of a, expired or not.

Caught by: check_what_has_expired_on_one_side_has_expired
"""

from solution import *
from solution import contains, joined

from kvlab.messages import Siblings


def merged(a, b):
    if a is None or b is None:
        return a or b
    dots = {sibling.dot for sibling in a.siblings}
    mine = [
        s for s in a.siblings if any(s.dot == o.dot for o in b.siblings) or not contains(b.context, s.dot)
    ]
    theirs = [s for s in b.siblings if s.dot not in dots and not contains(a.context, s.dot)]
    stay = sorted([*mine, *theirs], key=lambda sibling: sibling.dot)
    return Siblings(joined(a.context, b.context), tuple(stay))
