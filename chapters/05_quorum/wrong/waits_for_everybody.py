"""Collects all answers, and then counts: one dead replica costs a time-out.

Caught by: check_a_dead_replica_does_not_hold_up_a_write
"""

from solution import Answers, Tally
from solution import QuorumNode as Reference

from kvlab.course.given import too_few

__all__ = ["Answers", "QuorumNode", "Tally"]


class QuorumNode(Reference):
    async def write(self, key, version, w):
        tally = Tally(w, self.replicas(key))
        enough = False
        async for replica, answer in self.ask_to_keep(key, version):
            enough = tally.add(replica, answer)
        if not enough:
            raise too_few("the write", tally)
