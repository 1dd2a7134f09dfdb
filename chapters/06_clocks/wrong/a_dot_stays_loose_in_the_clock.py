"""joined puts clocks and dots together, and leaves a dot loose that the other's clock has.

Caught by: check_a_context_is_the_set_of_its_dots
"""

from solution import *
from solution import merged_clocks

from kvlab.messages import Context


def joined(a, b):
    return Context(merged_clocks(a.clock, b.clock), tuple(sorted({*a.dots, *b.dots})))
