"""The first free node stands in, though all copies are in its zone already.

Caught by: check_a_stand_in_is_in_a_zone_without_a_copy_if_it_can
"""

from solution import HintBox, hand_back
from solution import Placement as Reference

__all__ = ["HintBox", "Placement", "hand_back"]


class Placement(Reference):
    def stand_in(self, key, healthy, taken):
        excluded = [*self.replicas(key), *taken]
        return next((node for node in self.clockwise(key) if node in healthy and node not in excluded), None)
