"""Asks Python which tuple is the greater one.

Caught by: check_there_are_four_answers_to_before_or_after
"""

from solution import *

from kvlab.core.clocks import Order


def order(a, b):
    if a == b:
        return Order.EQUAL
    return Order.BEFORE if a < b else Order.AFTER
