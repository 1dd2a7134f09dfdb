"""Draws from the living alone: the halves of a cut never find each other again.

Caught by: check_the_halves_of_a_cut_find_each_other
"""

from solution import *
from solution import Members as Reference


class Members(Reference):
    async def round(self):
        self.tell(self.membership.tick(self.env.now_ms()))
        living = [peer for peer in self.membership.others() if self.membership.belief(peer) == "alive"]
        for peer in self.env.random.sample(living, min(self.config.fanout, len(living))):
            self.env.later(self.exchange(peer))
