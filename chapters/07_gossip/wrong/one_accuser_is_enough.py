"""Convicts as soon as its own detector does: it may be its own cable.

Caught by: check_nobody_is_convicted_by_one_alone
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference

from kvlab.core.detectors import Belief


class Membership(Reference):
    def judge(self, now):
        changes = []
        for node, entry in self.entries.items():
            belief = Belief.LEFT if entry.row.left else entry.detector.opinion(now)
            if belief in (Belief.SUSPECT, Belief.FAILED):
                entry.accusers.add(self.me)
            if belief is not entry.belief:
                entry.belief = belief
                changes.append((node, belief))
        return changes


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
