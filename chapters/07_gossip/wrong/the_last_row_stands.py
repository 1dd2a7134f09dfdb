"""Takes whatever row comes last.

Caught by: check_old_news_change_nothing
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference


class Membership(Reference):
    def hear(self, row, now):
        if row.node in self.entries:
            entry = self.entries[row.node]
            entry.row, entry.accusers = row, set(row.accusers)
            entry.detector.heard(now - row.age_ms)
        else:
            super().hear(row, now)


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
