"""Siblings are hashed in the order in which they stand.

Caught by: check_the_order_of_things_does_not_matter
"""

from solution import MerkleTree, Walk, differing_keys

from kvlab.core.merkle import hash_of

__all__ = ["MerkleTree", "Walk", "differing_keys", "digest_of"]


def digest_of(copy):
    values = [
        (sibling.dot, None if sibling.expires_ms is not None else sibling.value, sibling.stamp_ms)
        for sibling in copy.siblings
    ]
    return hash_of(repr((copy.context, values)).encode())
