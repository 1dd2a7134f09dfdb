"""The digest is over the values alone: two histories with the same values look the same.

Caught by: check_different_copies_have_different_digests
"""

from solution import MerkleTree, Walk, differing_keys

from kvlab.core.merkle import hash_of

__all__ = ["MerkleTree", "Walk", "differing_keys", "digest_of"]


def digest_of(copy):
    living = [None if sibling.expires_ms is not None else sibling.value for sibling in copy.siblings]
    return hash_of(repr(sorted(living, key=repr)).encode())
