"""Hashes a member's place in the list, and not its name.

Caught by: check_the_order_of_joining_does_not_matter
"""

from solution import Ring as Reference
from solution import joined, left, tokens_of

from kvlab.core.hashing import token

__all__ = ["Ring", "joined", "left", "tokens_of"]


class Ring(Reference):
    def __init__(self, spec):
        super().__init__(spec)
        circle = sorted(
            (token(b"%d#%d" % (place, i)), member.node)
            for place, member in enumerate(spec.members)
            for i in range(spec.vnodes * member.weight)
        )
        self.points = [at for at, _ in circle]
        self.nodes = [node for _, node in circle]
