"""Lets the silence of a peer end the exchange with an error.

Caught by: check_a_silent_peer_is_no_error
"""

from solution import *
from solution import Members as Reference


class Members(Reference):
    async def exchange(self, peer):
        self.hear(await self.env.ask(peer, self.what_i_know()))
