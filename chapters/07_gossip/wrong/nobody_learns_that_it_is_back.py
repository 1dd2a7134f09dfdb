"""Takes a new life for alive before it is judged, so that judge finds nothing to tell.

Caught by: check_a_new_life_of_the_failed_is_news
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference

from kvlab.core.detectors import Belief


class Membership(Reference):
    def hear(self, row, now):
        entry = self.entries.get(row.node)
        super().hear(row, now)
        if self.entries[row.node] is not entry:
            self.entries[row.node].belief = Belief.ALIVE


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
