"""Keys and digests are put one after the other, and nothing says how long a key is.

Caught by: check_one_long_key_is_not_two
"""

from solution import MerkleTree as Reference
from solution import Walk, differing_keys, digest_of

__all__ = ["MerkleTree", "Walk", "differing_keys", "digest_of"]


class MerkleTree(Reference):
    def note(self, level, bucket, parts):
        if level == self.levels:
            parts = [key + digest for key, digest in self.entries(bucket)]
        super().note(level, bucket, parts)
