"""A value that is going to expire is hashed like one that stays, until it is gone.

Caught by: check_what_expires_counts_as_the_tombstone
"""

from solution import MerkleTree, Walk, differing_keys

from kvlab.core.merkle import hash_of

__all__ = ["MerkleTree", "Walk", "differing_keys", "digest_of"]


def digest_of(copy):
    siblings = sorted((sibling.dot, sibling.value, sibling.stamp_ms) for sibling in copy.siblings)
    return hash_of(repr((sorted(copy.context.clock), sorted(copy.context.dots), siblings)).encode())
