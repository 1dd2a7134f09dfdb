"""The first n healthy nodes clockwise get the copies, in that order: homes that are well change places.

Caught by: check_copies_are_on_as_many_healthy_nodes_as_there_are
"""

from solution import HintBox, hand_back
from solution import Placement as Reference

__all__ = ["HintBox", "Placement", "hand_back"]


class Placement(Reference):
    def stand_ins(self, key, healthy):
        homes = self.replicas(key)
        first = [node for node in self.clockwise(key) if node in healthy][: len(homes)]
        left = [home for home in homes if home not in first]
        return list(zip(homes, [*first, *left], strict=False))
