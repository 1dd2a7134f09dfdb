"""Suspects whomever anybody accuses.

Caught by: check_who_was_heard_lately_is_no_suspect
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference

from kvlab.core.detectors import Belief


class Membership(Reference):
    def judge(self, now):
        changes = dict(super().judge(now))
        for node, entry in self.entries.items():
            if entry.belief is Belief.ALIVE and entry.accusers:
                changes[node] = entry.belief = Belief.SUSPECT
        return list(changes.items())


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
