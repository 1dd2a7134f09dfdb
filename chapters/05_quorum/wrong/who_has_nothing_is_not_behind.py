"""Looks for older versions alone: a replica that holds nothing is never repaired.

Caught by: check_behind_are_those_who_hold_less
"""

from solution import Answers as Reference
from solution import QuorumNode, Tally

__all__ = ["Answers", "QuorumNode", "Tally"]


class Answers(Reference):
    def behind(self):
        agreed = self.agreed()
        return [replica for replica, copy in self.copies.items() if copy is not None and copy != agreed]
