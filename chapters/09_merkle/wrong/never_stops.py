"""With equal roots it goes on asking for the root.

Caught by: check_equal_roots_end_the_walk
"""

from solution import MerkleTree, differing_keys, digest_of
from solution import Walk as Reference

__all__ = ["MerkleTree", "Walk", "differing_keys", "digest_of"]


class Walk(Reference):
    def heard(self, theirs):
        if self.level == 0 and list(theirs) == [self.tree.hash(0, 0)]:
            self.differed.append(0)
            return
        super().heard(theirs)
