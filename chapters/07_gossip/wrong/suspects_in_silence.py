"""Suspects, and does not put its own name among the accusers.

Caught by: check_who_is_silent_is_suspected_and_accused
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference


class Membership(Reference):
    def judge(self, now):
        before = {node: set(entry.accusers) for node, entry in self.entries.items()}
        changes = super().judge(now)
        for node, entry in self.entries.items():
            entry.accusers = before[node]
        return changes


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
