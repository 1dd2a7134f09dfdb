"""Answers with what is held here, in doubt or not.

Caught by: check_what_is_in_doubt_is_told_to_nobody
"""

from solution import CapNode as Reference
from solution import newest, reconcile

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def beyond_doubt(self, key):
        pass
