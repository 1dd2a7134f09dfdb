"""Looks at one token after the other.

Caught by: check_a_key_is_found_without_walking_the_circle
"""

from solution import Ring as Reference
from solution import joined, left, tokens_of

from kvlab.core.hashing import token

__all__ = ["Ring", "joined", "left", "tokens_of"]


class Ring(Reference):
    def slot(self, key):
        at = token(key)
        return next((i for i, point in enumerate(self.points) if at <= point), 0)
