"""A bucket above the leaves is hashed from its children, also when they are all empty.

Caught by: check_what_was_removed_leaves_no_trace
"""

from solution import MerkleTree as Reference
from solution import Walk, differing_keys, digest_of

__all__ = ["MerkleTree", "Walk", "differing_keys", "digest_of"]


class MerkleTree(Reference):
    def note(self, level, bucket, parts):
        if level < self.levels and not parts:
            parts = [self.hash(level + 1, child) for child in self.children(bucket)]
        super().note(level, bucket, parts)
