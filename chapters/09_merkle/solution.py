"""The reference of chapter 9. It keeps a hash for each bucket that has any keys, and none for the others;
kvlab/core/merkle.py, which the stages use, keeps the hashes of a bucket's children in one piece of memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kvlab.core.merkle import EMPTY, Digest, hash_of
from kvlab.course.given import GivenMerkleTree, GivenWalk
from kvlab.messages import Key, Siblings


def digest_of(copy: Siblings) -> Digest:
    outline = [repr((sorted(copy.context.clock), sorted(copy.context.dots)))]
    for sibling in sorted(copy.siblings, key=lambda sibling: sibling.dot):
        value = None if sibling.expires_ms is not None else sibling.value
        outline.append(repr((sibling.dot, value, sibling.stamp_ms)))
    return hash_of("".join(outline).encode())


class MerkleTree(GivenMerkleTree):
    def __init__(self, fanout: int = 16, levels: int = 3) -> None:
        super().__init__(fanout, levels)
        self.held: dict[int, dict[Key, Digest]] = {}  # by leaf bucket
        self.hashes: list[dict[int, Digest]] = [{} for _ in range(levels + 1)]  # by level and bucket

    def digest(self, key: Key) -> Digest | None:
        return self.held.get(self.bucket(key), {}).get(key)

    def update(self, key: Key, digest: Digest | None) -> None:
        bucket = self.bucket(key)
        held = self.held.setdefault(bucket, {})
        if digest is None:
            held.pop(key, None)
        else:
            held[key] = digest
        if not held:
            del self.held[bucket]
        # A key's length before it, or one long key could look like two.
        self.note(self.levels, bucket, [b"%d:%b%b" % (len(k), k, d) for k, d in self.entries(bucket)])
        for level in reversed(range(self.levels)):
            bucket //= self.fanout
            below = [self.hash(level + 1, child) for child in self.children(bucket)]
            self.note(level, bucket, below if any(d != EMPTY for d in below) else [])

    def note(self, level: int, bucket: int, parts: list[bytes]) -> None:
        """This is what the bucket's hash is made of; nothing: it has none."""
        if parts:
            self.hashes[level][bucket] = hash_of(b"".join(parts))
        else:
            self.hashes[level].pop(bucket, None)

    def hash(self, level: int, bucket: int) -> Digest:
        return self.hashes[level].get(bucket, EMPTY)

    def leaves(self) -> list[int]:
        return sorted(self.held)

    def entries(self, leaf: int) -> list[tuple[Key, Digest]]:
        return sorted(self.held.get(leaf, {}).items())


class Walk(GivenWalk):
    def heard(self, theirs: Sequence[Digest]) -> None:
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
    one, other = dict(mine), dict(theirs)
    return [key for key in sorted({*one, *other}) if one.get(key) != other.get(key)]
