"""Takes whatever comes out of `async for` for a vote.

Caught by: check_an_error_is_no_vote
"""

from solution import Answers, QuorumNode
from solution import Tally as Reference

__all__ = ["Answers", "QuorumNode", "Tally"]


class Tally(Reference):
    def add(self, replica, answer):
        self.heard[replica] = answer
        return len(self.heard) >= self.need
