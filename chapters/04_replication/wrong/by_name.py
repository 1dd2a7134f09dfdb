"""Sorts the list by name: n1 is asked first for every key that it holds.

Caught by: check_the_next_ones_clockwise
"""

from solution import preference_list as reference


def preference_list(ring, slot, n):
    return sorted(reference(ring, slot, n))
