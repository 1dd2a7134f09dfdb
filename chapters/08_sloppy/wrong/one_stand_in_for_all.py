"""Every home that is away is given the same stand-in: those before it are not counted as taken.

Caught by: check_each_home_has_a_stand_in_of_its_own
"""

from solution import HintBox, hand_back
from solution import Placement as Reference

__all__ = ["HintBox", "Placement", "hand_back"]


class Placement(Reference):
    def stand_ins(self, key, healthy):
        homes = self.replicas(key)
        well = [home for home in homes if home in healthy]
        return [(home, home if home in well else self.stand_in(key, healthy, well) or home) for home in homes]
