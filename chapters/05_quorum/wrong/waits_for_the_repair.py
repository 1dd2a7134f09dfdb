"""Awaits the repair, and with it every late answer.

Caught by: check_a_client_does_not_wait_for_repairs
"""

from solution import Answers, Tally
from solution import QuorumNode as Reference

from kvlab.course.given import too_few

__all__ = ["Answers", "QuorumNode", "Tally"]


class QuorumNode(Reference):
    async def read(self, key, r):
        answers = Answers(r, self.replicas(key))
        asked = self.ask_for(key)
        async for replica, answer in asked:
            if answers.add(replica, answer):
                await self.repair.after(key, answers, asked)
                return answers.agreed()
        raise too_few("the read", answers.tally)
