"""Lets a majority convict: one who is alive and has heard is not asked.

Caught by: check_whom_all_the_living_accuse_has_failed
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference

from kvlab.core.detectors import Belief


class Membership(Reference):
    def judge(self, now):
        opinions = {
            node: Belief.LEFT if entry.row.left else entry.detector.opinion(now)
            for node, entry in self.entries.items()
        }
        changes = []
        for node, entry in self.entries.items():
            belief = opinions[node]
            if belief in (Belief.SUSPECT, Belief.FAILED):
                entry.accusers.add(self.me)
                most = len(entry.accusers) > (len(self.entries) + 1) / 2
                entry.convicted |= belief is Belief.FAILED and most
                belief = Belief.FAILED if entry.convicted else Belief.SUSPECT
            if belief is not entry.belief:
                entry.belief = belief
                changes.append((node, belief))
        return changes


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
