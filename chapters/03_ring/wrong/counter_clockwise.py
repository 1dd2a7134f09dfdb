"""Takes the token before the key's.

Caught by: check_a_key_belongs_to_the_next_token
"""

from solution import Ring as Reference
from solution import joined, left, tokens_of

__all__ = ["Ring", "joined", "left", "tokens_of"]


class Ring(Reference):
    def slot(self, key):
        return (super().slot(key) - 1) % len(self.points)
