"""Counts answers, and not who has answered.

Caught by: check_a_retry_is_not_a_second_vote
"""

from solution import Answers, QuorumNode
from solution import Tally as Reference

from kvlab.errors import OperationError

__all__ = ["Answers", "QuorumNode", "Tally"]


class Tally(Reference):
    votes = 0

    def add(self, replica, answer):
        super().add(replica, answer)
        if not isinstance(answer, OperationError):
            self.votes += 1
        return self.votes >= self.need
