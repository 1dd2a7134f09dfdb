"""A second copy takes the place of the first, as if it had seen it.

Caught by: check_a_second_copy_is_merged
"""

from solution import HintBox as Reference
from solution import Placement, hand_back

__all__ = ["HintBox", "Placement", "hand_back"]


class HintBox(Reference):
    def merged(self, old, new):
        return new
