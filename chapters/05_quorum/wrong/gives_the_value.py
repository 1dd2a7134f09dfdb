"""Gives a client the value, and not the version that it is in.

Caught by: check_what_is_written_is_read
"""

from solution import Answers, Tally
from solution import QuorumNode as Reference

__all__ = ["Answers", "QuorumNode", "Tally"]


class QuorumNode(Reference):
    async def get(self, key, r=None):
        found = await self.read(key, r or self.r)
        return found.value if found is not None else None
