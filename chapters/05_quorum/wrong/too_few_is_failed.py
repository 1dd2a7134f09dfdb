"""Says of a write that one replica has that it failed.

Caught by: check_a_write_that_one_replica_has_is_perhaps_done
"""

from solution import Answers, QuorumNode
from solution import Tally as Reference

from kvlab.errors import Outcome

__all__ = ["Answers", "QuorumNode", "Tally"]


class Tally(Reference):
    def perhaps_done(self):
        return any(error.outcome is Outcome.UNKNOWN for error in self.errors.values())
