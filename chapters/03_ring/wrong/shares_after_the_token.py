"""Gives a node what comes after its tokens, and its keys are those before them.

Caught by: check_shares_are_the_arcs_before_the_tokens
"""

from solution import Ring as Reference
from solution import joined, left, tokens_of

from kvlab.core.hashing import RING_SIZE

__all__ = ["Ring", "joined", "left", "tokens_of"]


class Ring(Reference):
    def shares(self):
        shares = dict.fromkeys(self.members, 0.0)
        after = [*self.points[1:], self.points[0] + RING_SIZE]
        for (at, node), end in zip(self.tokens(), after, strict=True):
            shares[node] += (end - at) / RING_SIZE
        return shares
