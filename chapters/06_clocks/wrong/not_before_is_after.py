"""Knows two answers and equal: what is not before is after.

Caught by: check_there_are_four_answers_to_before_or_after
"""

from solution import *
from solution import descends

from kvlab.core.clocks import Order


def order(a, b):
    if a == b:
        return Order.EQUAL
    return Order.BEFORE if descends(b, a) else Order.AFTER
