"""Writes back whatever was agreed, also None.

Caught by: check_what_is_not_there_is_not_written_back
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
                break
        else:
            raise too_few("the read", answers.tally)
        found = answers.agreed()
        agreeing = len(answers.copies) - len(answers.behind())
        if self.config.read_write_back and agreeing < self.w:
            await self.write(key, found, self.w)
        if self.config.read_repair:
            self.env.later(self.repair.after(key, answers, asked))
        return found
