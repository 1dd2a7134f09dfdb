"""Keeps the accusers of earlier heartbeats.

Caught by: check_an_accusation_is_of_one_heartbeat
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference


class Membership(Reference):
    def hear(self, row, now):
        accusers = self.entries[row.node].accusers if row.node in self.entries else set()
        super().hear(row, now)
        self.entries[row.node].accusers.update(accusers, row.accusers)


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
