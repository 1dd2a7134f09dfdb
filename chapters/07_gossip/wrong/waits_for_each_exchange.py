"""Awaits the exchanges, one after the other: each dead peer stops the heart for a time-out.

Caught by: check_the_dead_do_not_slow_the_heart
"""

from solution import *
from solution import Members as Reference


class Members(Reference):
    async def round(self):
        self.tell(self.membership.tick(self.env.now_ms()))
        others = self.membership.others()
        for peer in self.env.random.sample(others, min(self.config.fanout, len(others))):
            await self.exchange(peer)
