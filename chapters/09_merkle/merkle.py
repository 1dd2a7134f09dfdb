"""Chapter 9: a tree of hashes over the keys of a range, and the way down two of them to what differs.

First `digest_of`, then the tree, then the walk and `differing_keys`. The reference takes about 40 lines.
`kvlab check 9` says how far you are, and `kvlab lab 9 --mine` runs five nodes with your trees in each.

A digest is 16 bytes. `hash_of(data)` makes one of any bytes, and `EMPTY` is the hash
of a bucket without keys, on any level. The keys are dealt to `fanout ** levels` leaf buckets, 0, 1, 2 and so
on. Level 0 is the root, one bucket; the buckets of level `levels` are the leaves.

A copy is `Siblings(context, siblings)`: the history (`context.clock`, pairs of an actor and a count, and
`context.dots`), and what nothing has replaced yet, each a `Sibling(dot, value, stamp_ms, expires_ms)`. A
value of None is a tombstone; `expires_ms` is None for a value that lives for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kvlab.core.merkle import EMPTY, Digest, hash_of
from kvlab.course.given import GivenMerkleTree, GivenWalk
from kvlab.messages import Key, Siblings


def digest_of(copy: Siblings) -> Digest:
    """The digest of what is held under a key.

    Equal copies have equal digests, whatever the order of siblings, of actors in the clock and of dots.
    Copies that differ in their history or in a sibling (its dot, its value, its stamp_ms) have different
    ones, with one exception: a value that is going to expire counts as the tombstone that it will be, since
    two replicas do not collect it in the same millisecond.
    """
    raise NotImplementedError


class MerkleTree(GivenMerkleTree):
    """The keys of one range, each with the digest of what is held under it.

    You have, from GivenMerkleTree:
      self.fanout, self.levels
      self.bucket(key)          the leaf bucket of a key
      self.children(bucket)     the buckets of the next level that make up this one: `fanout` of them
    """

    def __init__(self, fanout: int = 16, levels: int = 3) -> None:
        super().__init__(fanout, levels)
        raise NotImplementedError

    def digest(self, key: Key) -> Digest | None:
        """What the tree has for this key; None if nothing."""
        raise NotImplementedError

    def update(self, key: Key, digest: Digest | None) -> None:
        """This is held under the key now; None: nothing any more.

        Every hash that follows from the tree's content is right afterwards. At most `levels + 1` hashes are
        made for it, however many keys there are.
        """
        raise NotImplementedError

    def hash(self, level: int, bucket: int) -> Digest:
        """The hash of one bucket of a level; EMPTY if there are no keys in it.

        A leaf's is over its keys and their digests, another's over the hashes of its children. Trees of one
        shape that hold the same have the same hashes, whatever was held before and in which order it came.
        Buckets that hold anything else have other hashes: where one key ends and the next begins counts, and
        so does which digest is whose.
        """
        raise NotImplementedError

    def leaves(self) -> list[int]:
        """The leaf buckets that have keys in them, in order."""
        raise NotImplementedError

    def entries(self, leaf: int) -> list[tuple[Key, Digest]]:
        """What is in a leaf bucket, in order of the keys."""
        raise NotImplementedError


class Walk(GivenWalk):
    """The way down from the root to the leaf buckets in which another tree differs from ours.

    From GivenWalk it has, and your `heard` keeps true:
      self.tree          our tree
      self.level = 0     the level that is asked about next
      self.asking = [0]  the buckets of that level to ask the other side about; [] at the end
      self.leaves = []   at the end: the leaf buckets that differ, in order
      self.differed = [] how many buckets differed, at each level so far
    """

    def heard(self, theirs: Sequence[Digest]) -> None:
        """The other side's hashes of the buckets in `asking`, in the same order: go down a level, to the
        children of those that differ and to no others; or, at the leaves, be done.

        Raises ValueError if there are more or fewer than were asked for.
        """
        raise NotImplementedError


def differing_keys(mine: Iterable[tuple[Key, Digest]], theirs: Iterable[tuple[Key, Digest]]) -> list[Key]:
    """The keys that only one side has, or that have another digest there; in order, each once."""
    raise NotImplementedError
