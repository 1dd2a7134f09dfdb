"""Sorts the tokens, and leaves the nodes in the order in which they came.

Caught by: check_the_tokens_lie_clockwise
"""

from solution import Ring as Reference
from solution import joined, left, tokens_of

__all__ = ["Ring", "joined", "left", "tokens_of"]


class Ring(Reference):
    def __init__(self, spec):
        super().__init__(spec)
        self.nodes = [m.node for m in spec.members for _ in tokens_of(m, spec.vnodes)]
