"""`if answer.copy:`, so that who holds nothing has not answered.

Caught by: check_nothing_here_is_an_answer
"""

from solution import Answers as Reference
from solution import QuorumNode, Tally

from kvlab.messages import Fetched

__all__ = ["Answers", "QuorumNode", "Tally"]


class Answers(Reference):
    def add(self, replica, answer):
        if isinstance(answer, Fetched) and not answer.copy:
            return False
        return super().add(replica, answer)
