"""The clock of the next write names its writer alone, and forgets what he had seen.

Caught by: check_figure_3_of_the_paper
"""

from solution import *


def incremented(clock, actor):
    return ((actor, dict(clock).get(actor, 0) + 1),)
