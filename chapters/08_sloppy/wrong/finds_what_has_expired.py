"""get does not look at the time: what has expired is found until somebody calls expire.

Caught by: check_what_has_expired_is_not_found
"""

from solution import HintBox as Reference
from solution import Placement, hand_back

__all__ = ["HintBox", "Placement", "hand_back"]


class HintBox(Reference):
    def get(self, key, now_ms):
        return super().get(key, 0)
