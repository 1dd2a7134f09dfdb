"""Where nobody is left to stand in, the home is left out.

Caught by: check_where_nobody_is_left_the_home_is_asked
"""

from solution import HintBox, hand_back
from solution import Placement as Reference

__all__ = ["HintBox", "Placement", "hand_back"]


class Placement(Reference):
    def stand_ins(self, key, healthy):
        return [(home, place) for home, place in super().stand_ins(key, healthy) if place in healthy]
