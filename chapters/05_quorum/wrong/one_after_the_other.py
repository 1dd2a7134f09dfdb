"""Asks one replica after the other: the dead cost a time-out each, and the last are never told of the write.

Caught by: check_a_dead_replica_does_not_hold_up_a_write
"""

from solution import Answers, Tally
from solution import QuorumNode as Reference

from kvlab.course.given import too_few
from kvlab.errors import OperationError
from kvlab.messages import Keep

__all__ = ["Answers", "QuorumNode", "Tally"]


class QuorumNode(Reference):
    async def write(self, key, version, w):
        tally = Tally(w, self.replicas(key))
        for replica in self.replicas(key):
            try:
                answer = await self.env.ask(replica, Keep(key, version, self.transfer.ring.epoch))
            except OperationError as error:
                answer = error
            if tally.add(replica, answer):
                return
        raise too_few("the write", tally)
