"""Makes its answer before it has heard the question.

Caught by: check_who_is_told_hears_and_answers
"""

from solution import *
from solution import Members as Reference

from kvlab.messages import Gossiped


class Members(Reference):
    async def on(self, sender, request):
        mine = self.what_i_know()
        self.hear(request)
        return Gossiped(mine.ring, mine.rows)
