"""Compares the accusers with the living by ==: one who has accused and died acquits.

Caught by: check_who_has_accused_may_die
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
        living = {self.me, *(node for node, opinion in opinions.items() if opinion is Belief.ALIVE)}
        changes = []
        for node, entry in self.entries.items():
            belief = opinions[node]
            if belief in (Belief.SUSPECT, Belief.FAILED):
                entry.accusers.add(self.me)
                entry.convicted |= belief is Belief.FAILED and living == entry.accusers
                belief = Belief.FAILED if entry.convicted else Belief.SUSPECT
            if belief is not entry.belief:
                entry.belief = belief
                changes.append((node, belief))
        return changes


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
