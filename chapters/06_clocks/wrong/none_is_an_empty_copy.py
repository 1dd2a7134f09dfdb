"""Says None of two copies one of which is missing: a key that one replica has never heard of is lost.

Caught by: check_a_key_that_one_has_never_heard_of
"""

from solution import *
from solution import merged as reference


def merged(a, b):
    if a is None or b is None:
        return None
    return reference(a, b)
