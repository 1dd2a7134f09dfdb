"""Only the own keys are compared: what one has lost altogether does not differ.

Caught by: check_keys_differ_on_either_side
"""

from solution import MerkleTree, Walk, digest_of

__all__ = ["MerkleTree", "Walk", "differing_keys", "digest_of"]


def differing_keys(mine, theirs):
    other = dict(theirs)
    return sorted(key for key, digest in mine if other.get(key) != digest)
