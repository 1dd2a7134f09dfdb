"""To remove a key that is not there is an error: a delete that comes twice ends the exchange.

Caught by: check_what_was_removed_leaves_no_trace
"""

from solution import MerkleTree as Reference
from solution import Walk, differing_keys, digest_of

__all__ = ["MerkleTree", "Walk", "differing_keys", "digest_of"]


class MerkleTree(Reference):
    def update(self, key, digest):
        if digest is None:
            del self.held[self.bucket(key)][key]
        super().update(key, digest)
