"""get returns the first hint under the key, and does not look at those for other owners.

Caught by: check_get_finds_what_is_kept_for_whomever
"""

from solution import HintBox as Reference
from solution import Placement, hand_back

__all__ = ["HintBox", "Placement", "hand_back"]


class HintBox(Reference):
    def get(self, key, now_ms):
        for hints in self.hints.values():
            if key in hints and hints[key].expires_ms > now_ms:
                return hints[key].copy
        return None
