"""Adds up the accusers of equal heartbeats, of whatever life they are.

Caught by: check_old_news_change_nothing
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference


class Membership(Reference):
    def hear(self, row, now):
        super().hear(row, now)
        entry = self.entries[row.node]
        if row.heartbeat == entry.row.heartbeat:
            entry.accusers.update(row.accusers)


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
