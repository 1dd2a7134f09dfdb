"""Hears the row about itself as it hears all others.

Caught by: check_merge_hears_every_row_and_judges
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference


class Membership(Reference):
    def merge(self, rows, now_ms):
        now = self.clock.read(now_ms)
        for row in rows:
            self.hear(row, now)
        return self.judge(now)


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
