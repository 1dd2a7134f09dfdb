"""Counts every replica that it has heard of, and whoever has failed with them: the node goes on too early.

Caught by: check_it_holds_what_its_stage_claims
"""

from solution import Answers as ReferenceAnswers
from solution import QuorumNode as Reference
from solution import Tally as ReferenceTally

from kvlab.course.given import too_few

__all__ = ["Answers", "QuorumNode", "Tally"]


class Tally(ReferenceTally):
    def add(self, replica, answer):
        super().add(replica, answer)
        return len(self.heard) + len(self.errors) >= self.need


class Answers(ReferenceAnswers):
    def __init__(self, need, of):
        super().__init__(need, of)
        self.tally = Tally(need, of)


class QuorumNode(Reference):
    async def write(self, key, version, w):
        tally = Tally(w, self.replicas(key))
        async for replica, answer in self.ask_to_keep(key, version):
            if tally.add(replica, answer):
                return
        raise too_few("the write", tally)

    async def read(self, key, r):
        answers = Answers(r, self.replicas(key))
        asked = self.ask_for(key)
        async for replica, answer in asked:
            if answers.add(replica, answer):
                self.env.later(self.repair.after(key, answers, asked))
                return answers.agreed()
        raise too_few("the read", answers.tally)
