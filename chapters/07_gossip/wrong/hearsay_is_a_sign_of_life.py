"""Takes a failed node for alive when somebody speaks well of it: pitfall 21.

Caught by: check_hearsay_does_not_acquit
"""

from solution import *
from solution import GivenMembers
from solution import Members as Given
from solution import Membership as Reference


class Membership(Reference):
    def hear(self, row, now):
        super().hear(row, now)
        entry = self.entries[row.node]
        if not row.accusers and entry.convicted:
            entry.convicted, entry.accusers = False, set()
            entry.detector.heard(now)


class Members(Given):
    def __init__(self, env, config, transfer):
        GivenMembers.__init__(self, env, config, transfer, Membership)
