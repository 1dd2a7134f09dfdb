"""due takes the hints out of the box.

Caught by: check_to_be_due_is_not_to_be_delivered
"""

from solution import HintBox as Reference
from solution import Placement, hand_back

__all__ = ["HintBox", "Placement", "hand_back"]


class HintBox(Reference):
    def due(self, owner, now_ms, keys_max, bytes_max):
        chunk = super().due(owner, now_ms, keys_max, bytes_max)
        for key, _ in chunk:
            self.remove(owner, key)
        return chunk
