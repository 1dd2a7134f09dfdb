"""Merkle trees: two replicas find the few keys they differ in without telling each other the many they share.

Source: Merkle 1988; DeCandia et al. 2007, section 4.7; fan-out, fixed depth and hashing the causal history in
    sorted order as Riak's hashtree has them.
Invariant: two trees have equal roots exactly if they hold the same keys with the same digests, whatever came
    to be held in which order (but for a collision: 1 in 2**64 when 2**32 copies are compared).
Invariant: the tree is a function of the keys and digests alone. Nothing in it depends on the order of a dict,
    of siblings or of a clock, else two equal replicas would repair each other for ever.
Deviation: Riak marks buckets as dirty, and hashes them again when the tree is asked. Here a write pays for
    its path at once, a few microseconds, and no reader ever meets a tree that is out of date.

All keys of a tree are dealt to `fanout ** levels` leaf buckets by a hash. A leaf bucket's hash is over its
keys and digests, a bucket's above over the hashes of its `fanout` children; bucket 0 of level 0 is the root.
An exchange asks the other side for the root; where a hash differs from ours, for its children; and so on:

    level 0        [root]              1 hash
    level 1       /  |  \\              fanout hashes for each bucket that differed
    level 2     ...     ...            the same
    level 3     leaf buckets           and of those that differ, the keys

With d differing keys in all, that is about sum of f ** (l + 1) * (1 - (1 - f ** -l) ** d) hashes over the
levels l = 0, 1, ... above the leaves, and the root's: `hashes_expected`.

BLAKE2b, shortened to 16 bytes, and not the ring's faster Murmur: clients choose the values, and whoever
liked could make two different ones with the same Murmur hash, which no exchange would ever tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import TypeAlias

import mmh3

from kvlab.messages import Key, Siblings

Digest: TypeAlias = bytes
"""DIGEST_BYTES bytes that stand for a copy, or for all that is in a bucket."""

DIGEST_BYTES = 16

EMPTY: Digest = bytes(DIGEST_BYTES)
"""The hash of a bucket without keys."""


def hash_of(data: bytes | bytearray) -> Digest:
    """The digest of these bytes; the same in every process and on every machine."""
    return blake2b(data, digest_size=DIGEST_BYTES).digest()


def digest_of(copy: Siblings) -> Digest:
    """The digest of what is held under a key: its history, and each write in it with its value.

    A value that is going to expire counts as the tombstone that it will be. Replicas do not collect it in
    the same millisecond, and while one has and another has not, they hold the same all the same. The price:
    that such a value has rotted no tree ever shows.
    """
    context = copy.context
    siblings = sorted(copy.siblings, key=lambda sibling: sibling.dot)
    values = [None if sibling.expires_ms is not None else sibling.value for sibling in siblings]
    outline = (
        sorted(context.clock),
        [(dot.actor, dot.count) for dot in sorted(context.dots)],
        [(s.dot.actor, s.dot.count, s.stamp_ms) for s in siblings],
        [None if value is None else len(value) for value in values],
    )
    return hash_of(repr(outline).encode() + b"".join(value for value in values if value is not None))


class MerkleTree:
    """The keys of one range, each with the digest of what is held under it.

    Memory grows with the keys: buckets without any cost nothing. With 16 children and 3 levels, 4096 leaf
    buckets: a few keys in each while a range has ten thousand.
    """

    def __init__(self, fanout: int = 16, levels: int = 3) -> None:
        self.fanout, self.levels = fanout, levels
        self.root = EMPTY  # stands for all that the tree holds
        self._entries: dict[int, dict[Key, Digest]] = {}  # by leaf bucket
        # By level and bucket, the hashes of its children, one after the other: what its own is made of.
        self._blocks: list[dict[int, bytearray]] = [{} for _ in range(levels)]

    def bucket(self, key: Key) -> int:
        """The leaf bucket of a key."""
        # The second half of the hash. By the first the key was placed on the ring, so that the keys of one
        # range are near to each other there, and would all fall into the same few buckets.
        found: int = mmh3.hash64(key, signed=False)[1] % self.fanout**self.levels
        return found

    def digest(self, key: Key) -> Digest | None:
        """What the tree has for this key; None if nothing."""
        return self._entries.get(self.bucket(key), {}).get(key)

    def update(self, key: Key, digest: Digest | None) -> None:
        """This is held under the key now; None: nothing. Costs a hash a level, of fanout hashes, and one of
        the keys of a bucket."""
        leaf = self.bucket(key)
        entries = self._entries.setdefault(leaf, {})
        if digest is None:
            entries.pop(key, None)
        else:
            entries[key] = digest
        self._rehash(leaf)

    def hash(self, level: int, bucket: int) -> Digest:
        """The hash of one bucket; EMPTY if there are no keys in it."""
        if level == 0:
            return self.root
        above, place = divmod(bucket, self.fanout)
        block = self._blocks[level - 1].get(above)
        return EMPTY if block is None else bytes(block[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES])

    def children(self, bucket: int) -> range:
        """The buckets of the next level that make up this one."""
        return range(bucket * self.fanout, (bucket + 1) * self.fanout)

    def leaves(self) -> list[int]:
        """The leaf buckets with keys in them, in order."""
        return sorted(self._entries)

    def entries(self, leaf: int) -> list[tuple[Key, Digest]]:
        """What is in a leaf bucket, in order of the keys."""
        return sorted(self._entries.get(leaf, {}).items())

    def refill(self, leaf: int, content: Iterable[tuple[Key, Digest]]) -> list[Key]:
        """Fill a leaf bucket anew from what is really held; returns the keys whose digests were others.

        Every change ought to have been told by `update`. A digest that is another all the same has changed
        with nobody writing: that copy has rotted.
        """
        before, now = self._entries.get(leaf, {}), dict(content)
        self._entries[leaf] = now
        self._rehash(leaf)
        return differing_keys(before.items(), now.items())

    def _rehash(self, leaf: int) -> None:
        entries = self.entries(leaf)
        if not entries:
            del self._entries[leaf]
        # A key's length before it, or one long key could look like two.
        parts = [b"%d:%b%b" % (len(key), key, digest) for key, digest in entries]
        digest = hash_of(b"".join(parts)) if entries else EMPTY
        bucket = leaf
        for blocks in reversed(self._blocks):
            bucket, place = divmod(bucket, self.fanout)
            block = blocks.setdefault(bucket, bytearray(self.fanout * DIGEST_BYTES))
            block[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES] = digest
            if any(block):
                digest = hash_of(block)
            else:
                digest = EMPTY
                del blocks[bucket]
        self.root = digest


class Walk:
    """The way down from the root to the leaf buckets in which another tree differs from ours.

    While `asking` is not empty, ask the other side for the hashes of these buckets of `level`, and pass them
    to `heard`. Then `leaves` has what there is to find. Either tree may change meanwhile: what is found too
    much is seen to be equal when the copies are compared, and what is missed is there the next time.
    """

    def __init__(self, tree: MerkleTree) -> None:
        self.tree = tree
        self.level = 0
        self.asking: list[int] = [0]
        self.leaves: list[int] = []
        self.differed: list[int] = []  # how many buckets, at each level

    def heard(self, theirs: Sequence[Digest]) -> None:
        """The other side's hashes of the buckets asked for, in the same order. Raises ValueError if there
        are more or fewer: it has a tree of another shape."""
        differ = [
            bucket
            for bucket, digest in zip(self.asking, theirs, strict=True)
            if self.tree.hash(self.level, bucket) != digest
        ]
        self.differed.append(len(differ))
        if self.level == self.tree.levels:
            self.asking, self.leaves = [], differ
        else:
            self.asking = [child for bucket in differ for child in self.tree.children(bucket)]
            self.level += 1


def differing_keys(mine: Iterable[tuple[Key, Digest]], theirs: Iterable[tuple[Key, Digest]]) -> list[Key]:
    """The keys that only one side has, or with another digest; in order."""
    one, other = dict(mine), dict(theirs)
    return [key for key in sorted({*one, *other}) if one.get(key) != other.get(key)]


def hashes_expected(differing: int, fanout: int = 16, levels: int = 3) -> float:
    """How many hashes an exchange asks for, on the average, when so many keys differ.

    Of the f ** l buckets of a level, those with one of d differing keys in them: each of the others has been
    missed by all d. The root is asked for in any case.
    """
    buckets = [float(fanout**level) for level in range(levels)]
    return 1 + sum(count * fanout * (1 - (1 - 1 / count) ** differing) for count in buckets)
