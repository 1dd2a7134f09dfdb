"""Asks only as many replicas as have to confirm.

Caught by: check_a_write_goes_to_all_replicas
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
        for replica in self.replicas(key)[:w]:
            try:
                answer = await self.env.ask(replica, Keep(key, version, self.transfer.ring.epoch))
            except OperationError as error:
                answer = error
            if tally.add(replica, answer):
                return
        raise too_few("the write", tally)
