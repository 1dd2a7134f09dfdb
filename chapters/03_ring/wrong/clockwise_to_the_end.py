"""Goes from the slot to the end of the list, and no further.

Caught by: check_clockwise_goes_once_round
"""

from solution import Ring as Reference
from solution import joined, left, tokens_of

__all__ = ["Ring", "joined", "left", "tokens_of"]


class Ring(Reference):
    def clockwise(self, slot):
        yield from self.nodes[slot:]
