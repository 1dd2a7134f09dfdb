"""All values are put one after the other, and nothing says where one ends.

Caught by: check_where_one_value_ends_counts
"""

from solution import MerkleTree, Walk, differing_keys

from kvlab.core.merkle import hash_of

__all__ = ["MerkleTree", "Walk", "differing_keys", "digest_of"]


def digest_of(copy):
    siblings = sorted(copy.siblings, key=lambda sibling: sibling.dot)
    values = [None if sibling.expires_ms is not None else sibling.value for sibling in siblings]
    outline = (
        sorted(copy.context.clock),
        sorted(copy.context.dots),
        [(sibling.dot, sibling.stamp_ms) for sibling in siblings],
        [value is None for value in values],
    )
    return hash_of(repr(outline).encode() + b"".join(value or b"" for value in values))
