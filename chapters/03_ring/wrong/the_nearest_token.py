"""Takes whichever token is nearer, on either side.

Caught by: check_everybody_finds_the_same_owner
"""

from solution import Ring as Reference
from solution import joined, left, tokens_of

from kvlab.core.hashing import token

__all__ = ["Ring", "joined", "left", "tokens_of"]


class Ring(Reference):
    def slot(self, key):
        after = super().slot(key)
        before = after - 1 if after else len(self.points) - 1
        return min(after, before, key=lambda i: abs(self.points[i] - token(key)))
