"""Judges anew each time: somebody who has not accused yet acquits the dead.

Caught by: check_the_convicted_stay_so_until_they_are_heard
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
                living = {self.me, *(other for other, said in opinions.items() if said is Belief.ALIVE)}
                entry.convicted = belief is Belief.FAILED and living <= entry.accusers
                belief = Belief.FAILED if entry.convicted else Belief.SUSPECT
            if belief is not entry.belief:
                entry.belief = belief
                changes.append((node, belief))
        return changes


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
