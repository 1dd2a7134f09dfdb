"""Puts a new actor at the end of the clock: the same clock, in another order, is another one.

Caught by: check_figure_3_of_the_paper
"""

from solution import *


def incremented(clock, actor):
    counts = dict(clock)
    counts[actor] = counts.get(actor, 0) + 1
    return tuple(counts.items())
