"""Takes silence for a refusal.

Caught by: check_a_silent_replica_may_have_done_it
"""

from solution import Answers, QuorumNode
from solution import Tally as Reference

__all__ = ["Answers", "QuorumNode", "Tally"]


class Tally(Reference):
    def perhaps_done(self):
        return bool(self.heard)
