"""Forgets the arc from the last token to the first.

Caught by: check_shares_are_the_arcs_before_the_tokens
"""

from itertools import pairwise

from solution import Ring as Reference
from solution import joined, left, tokens_of

from kvlab.core.hashing import RING_SIZE

__all__ = ["Ring", "joined", "left", "tokens_of"]


class Ring(Reference):
    def shares(self):
        shares = dict.fromkeys(self.members, 0.0)
        for (before, _), (at, node) in pairwise(self.tokens()):
            shares[node] += (at - before) / RING_SIZE
        return shares
