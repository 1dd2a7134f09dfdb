"""Where our own bucket is empty the walk does not go down: what only the other side has is never found.

Caught by: check_the_walk_finds_all_that_differs
"""

from solution import MerkleTree, differing_keys, digest_of
from solution import Walk as Reference

from kvlab.core.merkle import EMPTY

__all__ = ["MerkleTree", "Walk", "differing_keys", "digest_of"]


class Walk(Reference):
    def heard(self, theirs):
        ours = [self.tree.hash(self.level, bucket) for bucket in self.asking]
        super().heard([EMPTY if mine == EMPTY else their for mine, their in zip(ours, theirs, strict=True)])
