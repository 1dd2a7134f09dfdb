"""Begins at the first token of the circle, and not at the key's.

Caught by: check_one_copy_is_at_the_owner
"""

from solution import preference_list as reference


def preference_list(ring, slot, n):
    return reference(ring, 0, n)
