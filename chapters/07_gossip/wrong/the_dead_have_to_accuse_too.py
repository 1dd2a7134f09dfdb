"""Waits for the accusation of everybody, also of those who are not heard any more.

Caught by: check_who_is_silent_itself_need_not_accuse
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
                others = {self.me, *self.entries} - {node}
                entry.convicted |= belief is Belief.FAILED and others <= entry.accusers
                belief = Belief.FAILED if entry.convicted else Belief.SUSPECT
            if belief is not entry.belief:
                entry.belief = belief
                changes.append((node, belief))
        return changes


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
