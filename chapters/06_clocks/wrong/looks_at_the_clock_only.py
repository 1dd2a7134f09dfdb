"""Forgets the loose dots.

Caught by: check_a_context_contains_its_clock_and_its_loose_dots
"""

from solution import *


def contains(context, dot):
    return dot.count <= dict(context.clock).get(dot.actor, 0)
