"""A leaf's entries are hashed in the order in which they came.

Caught by: check_the_same_content_has_the_same_root
"""

from solution import MerkleTree as Reference
from solution import Walk, differing_keys, digest_of

__all__ = ["MerkleTree", "Walk", "differing_keys", "digest_of"]


class MerkleTree(Reference):
    def note(self, level, bucket, parts):
        if level == self.levels:
            held = self.held.get(bucket, {}).items()
            parts = [b"%d:%b%b" % (len(key), key, digest) for key, digest in held]
        super().note(level, bucket, parts)
