"""Names everybody each time, and not only those of whom something else is believed.

Caught by: check_what_has_not_changed_is_not_told_again
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference


class Membership(Reference):
    def judge(self, now):
        super().judge(now)
        return [(node, entry.belief) for node, entry in self.entries.items()]


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
