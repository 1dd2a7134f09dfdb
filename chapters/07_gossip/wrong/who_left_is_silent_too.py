"""Judges one who has left like everybody else.

Caught by: check_who_has_left_is_accused_by_nobody
"""

import msgspec
from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference


class Membership(Reference):
    def judge(self, now):
        left = [entry for entry in self.entries.values() if entry.row.left]
        for entry in left:
            entry.row = msgspec.structs.replace(entry.row, left=False)
        changes = super().judge(now)
        for entry in left:
            entry.row = msgspec.structs.replace(entry.row, left=True)
        return changes


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
