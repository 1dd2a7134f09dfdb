"""Chapter 9's experiment: how many hashes does an exchange take, by how many keys differ?

Two trees of 4096 leaf buckets over the same 20,000 keys, which differ in d keys drawn by chance. The walk
goes down, and the hashes it asks for are counted, the root's included; the mean of several draws. Once with a
fan-out of 16 (four rounds), and beside it, for the same keys, with 2 (13 rounds) and 64 (three).

Theory, at a fan-out of f: 1 + sum of f ** (l + 1) * (1 - (1 - f ** -l) ** d) over the levels l above the
leaves: of the f ** l buckets of a level, those with one of d differing keys in them make us ask for f
children.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from kvlab.core.merkle import DIGEST_BYTES, MerkleTree, Walk, hash_of, hashes_expected
from kvlab.course.measuring import Table

SHAPES = ((2, 12), (16, 3), (64, 2))
DIFFERING = (0, 1, 3, 10, 30, 100, 300, 1000)


def counted(shape: tuple[int, int], keys: int, differing: tuple[int, ...], draws: int) -> list[float]:
    """The mean number of hashes that a walk asks for, for each number of keys that differ."""
    ours, theirs = MerkleTree(*shape), MerkleTree(*shape)
    names = [b"key:%d" % i for i in range(keys)]
    same, other = hash_of(b"milk"), hash_of(b"bread")
    for name in names:
        ours.update(name, same)
        theirs.update(name, same)
    means = []
    for count in differing:
        asked = 0
        for draw in range(draws):
            changed = Random(f"{count}/{draw}").sample(names, count)
            for name in changed:
                theirs.update(name, other)
            walk = Walk(ours)
            while walk.asking:
                asked += len(walk.asking)
                walk.heard([theirs.hash(walk.level, bucket) for bucket in walk.asking])
            for name in changed:
                theirs.update(name, same)
        means.append(asked / draws)
    return means


def measure(quick: bool, tell: Callable[[str], None]) -> Table:
    keys, differing, draws = (2000, (1, 10, 100), 2) if quick else (20_000, DIFFERING, 10)
    means = {}
    for fanout, levels in SHAPES:
        tell(f"a fan-out of {fanout}")
        means[fanout] = counted((fanout, levels), keys, differing, draws)
    return Table(
        title=f"Hashes asked for by an exchange over {keys} keys in 4096 buckets, mean of {draws} draws",
        columns=("keys differ", "hashes", "theory", "bytes", "fan-out 2", "fan-out 64"),
        rows=tuple(
            (
                count,
                round(means[16][i], 1),
                round(hashes_expected(count), 1),
                round(DIGEST_BYTES * means[16][i]),
                round(means[2][i], 1),
                round(means[64][i], 1),
            )
            for i, count in enumerate(differing)
        ),
        measured="hashes",
        theory="theory",
        unit="hashes at a fan-out of 16",
        said="While few keys differ, a fan-out of 2 asks for the fewest hashes, in 13 rounds, and 64 for the "
        "most, in three. Where a thousand of 20,000 differ, all of them ask for about as many as there are "
        "buckets: then a tree is of little help.",
    )
