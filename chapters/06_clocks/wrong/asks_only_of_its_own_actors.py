"""Looks at the actors that a names, and never finds out that b names one more.

Caught by: check_a_clock_descends_from_one_that_it_has_seen
"""

from solution import *


def descends(a, b):
    return all(count >= dict(b).get(actor, 0) for actor, count in a)
