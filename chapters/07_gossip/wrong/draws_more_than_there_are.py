"""Draws fanout others, also where there are fewer.

Caught by: check_a_round_with_fewer_others_than_are_to_be_told
"""

from solution import *
from solution import Members as Reference


class Members(Reference):
    async def round(self):
        self.tell(self.membership.tick(self.env.now_ms()))
        for peer in self.env.random.sample(self.membership.others(), self.config.fanout):
            self.env.later(self.exchange(peer))
