"""Gives a client the mark of a delete.

Caught by: check_a_client_is_not_given_a_tombstone
"""

from solution import CapNode as Reference
from solution import newest, reconcile

__all__ = ["CapNode", "newest", "reconcile"]


class CapNode(Reference):
    async def get(self, key, r=None):
        await super().get(key, r)
        copy = self.held(key)
        return None if copy is None else copy.value
