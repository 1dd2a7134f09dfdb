"""`==` where it has to be `>=`: one vote too many, and it is not enough any more.

Caught by: check_enough_votes_are_enough
"""

from solution import Answers, QuorumNode
from solution import Tally as Reference

__all__ = ["Answers", "QuorumNode", "Tally"]


class Tally(Reference):
    def add(self, replica, answer):
        super().add(replica, answer)
        return len(self.heard) == self.need
