"""Tells the detector a time before the last one, when news come by way of a node that was paused.

Caught by: check_a_later_heartbeat_makes_it_young_again
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference


class Membership(Reference):
    def hear(self, row, now):
        known = self.entries.get(row.node)
        heartbeat = known and known.row.heartbeat
        super().hear(row, now)
        entry = self.entries[row.node]
        if entry is known and entry.row.heartbeat != heartbeat:
            entry.detector.heard(now - row.age_ms)


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
