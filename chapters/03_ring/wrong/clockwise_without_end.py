"""Goes round and round.

Caught by: check_clockwise_goes_once_round
"""

from solution import Ring as Reference
from solution import joined, left, tokens_of

__all__ = ["Ring", "joined", "left", "tokens_of"]


class Ring(Reference):
    def clockwise(self, slot):
        while True:
            yield self.nodes[slot % len(self.nodes)]
            slot += 1
