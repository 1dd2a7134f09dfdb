"""The next node clockwise stands in, be it a home of the key or not.

Caught by: check_the_next_healthy_node_clockwise_stands_in
"""

from solution import HintBox, hand_back
from solution import Placement as Reference

__all__ = ["HintBox", "Placement", "hand_back"]


class Placement(Reference):
    def stand_in(self, key, healthy, taken):
        return next((node for node in self.clockwise(key) if node in healthy), None)
