"""Who has left comes back with the next heartbeat that anybody tells of.

Caught by: check_who_has_left_stays_so_in_that_life
"""

from solution import *


def later(a, b):
    return (a.generation, a.heartbeat) > (b.generation, b.heartbeat)
