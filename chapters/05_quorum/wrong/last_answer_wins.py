"""Returns what was heard last.

Caught by: check_the_newest_wins_in_whatever_order_they_answer
"""

from solution import Answers as Reference
from solution import QuorumNode, Tally

__all__ = ["Answers", "QuorumNode", "Tally"]


class Answers(Reference):
    def agreed(self):
        return list(self.copies.values())[-1] if self.copies else None
