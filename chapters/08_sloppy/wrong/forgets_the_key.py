"""delivered forgets the key, whatever has been merged into its hint by now.

Caught by: check_only_what_was_confirmed_is_forgotten
"""

from solution import HintBox as Reference
from solution import Placement, hand_back

__all__ = ["HintBox", "Placement", "hand_back"]


class HintBox(Reference):
    def delivered(self, owner, key, copy):
        if self.find(owner, key) is None:
            return False
        self.remove(owner, key)
        return True
