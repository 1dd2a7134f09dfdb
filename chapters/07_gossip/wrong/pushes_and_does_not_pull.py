"""Does not look at the answer.

Caught by: check_an_exchange_tells_and_hears
"""

from solution import *
from solution import Members as Reference

from kvlab.errors import OperationError


class Members(Reference):
    async def exchange(self, peer):
        try:
            await self.env.ask(peer, self.what_i_know())
        except OperationError:
            return
