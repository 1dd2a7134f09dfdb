"""A leaf's hash is the XOR of its digests: which digest is whose does not count.

Caught by: check_whose_digest_it_is_counts
"""

from solution import MerkleTree as Reference
from solution import Walk, differing_keys, digest_of

from kvlab.core.merkle import DIGEST_BYTES

__all__ = ["MerkleTree", "Walk", "differing_keys", "digest_of"]


class MerkleTree(Reference):
    def note(self, level, bucket, parts):
        if level == self.levels and parts:
            total = 0
            for part in parts:
                total ^= int.from_bytes(part[-DIGEST_BYTES:], "big")
            parts = [total.to_bytes(DIGEST_BYTES, "big")]
        super().note(level, bucket, parts)
