"""A full box refuses everything, also what needs no room.

Caught by: check_a_full_box_refuses_and_changes_nothing
"""

from solution import HintBox as Reference
from solution import Placement, hand_back

from kvlab.errors import HintsFull

__all__ = ["HintBox", "Placement", "hand_back"]


class HintBox(Reference):
    def add(self, owner, key, copy, now_ms):
        if len(self) >= self.hints_max:
            raise HintsFull("the box is full")
        return super().add(owner, key, copy, now_ms)
