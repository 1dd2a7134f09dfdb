"""Takes the cluster's w, whatever the request says.

Caught by: check_a_request_may_ask_for_more_or_less
"""

from solution import Answers, Tally
from solution import QuorumNode as Reference

from kvlab.messages import Version

__all__ = ["Answers", "QuorumNode", "Tally"]


class QuorumNode(Reference):
    async def put(self, key, item, w=None):
        await self.write(key, Version(item.value, await self.stamp(key), item.expires_ms), self.w)
