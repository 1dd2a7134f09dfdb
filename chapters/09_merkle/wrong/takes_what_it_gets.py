"""Hashes that are missing, or too many, are passed over in silence.

Caught by: check_too_few_hashes_are_an_error
"""

from solution import MerkleTree, differing_keys, digest_of
from solution import Walk as Reference

__all__ = ["MerkleTree", "Walk", "differing_keys", "digest_of"]


class Walk(Reference):
    def heard(self, theirs):
        ours = [self.tree.hash(self.level, bucket) for bucket in self.asking]
        super().heard([*theirs, *ours[len(theirs) :]][: len(ours)])
