"""Sends tables, and never lets the heart beat.

Caught by: check_a_round_lets_the_heart_beat
"""

from solution import *
from solution import Members as Reference


class Members(Reference):
    async def round(self):
        others = self.membership.others()
        for peer in self.env.random.sample(others, min(self.config.fanout, len(others))):
            self.env.later(self.exchange(peer))
