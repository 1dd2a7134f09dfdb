"""Merkle trees: equal roots for equal content, and a way down to exactly what differs."""

from __future__ import annotations

import os
import subprocess
import sys
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvlab.core.merkle import (
    EMPTY,
    Digest,
    MerkleTree,
    Walk,
    differing_keys,
    digest_of,
    hash_of,
    hashes_expected,
)
from kvlab.core.ring import Ring
from kvlab.messages import Actor, Context, Dot, Key, Member, NodeId, RingSpec, Sibling, Siblings

T = TypeVar("T")

contents = st.dictionaries(st.binary(max_size=6), st.binary(max_size=3).map(hash_of), max_size=30)
shapes = st.tuples(st.integers(2, 5), st.integers(1, 4))


def planted(content: dict[Key, Digest], fanout: int = 16, levels: int = 3) -> MerkleTree:
    tree = MerkleTree(fanout, levels)
    for key, digest in content.items():
        tree.update(key, digest)
    return tree


def walked(mine: MerkleTree, theirs: MerkleTree) -> tuple[list[Key], int, int]:
    """The keys found to differ, the rounds that took, and the hashes asked for."""
    walk, rounds, hashes = Walk(mine), 0, 0
    while walk.asking:
        rounds += 1
        hashes += len(walk.asking)
        walk.heard([theirs.hash(walk.level, bucket) for bucket in walk.asking])
    assert len(walk.differed) == rounds
    assert walk.differed[-1] == len(walk.leaves)
    found = [key for leaf in walk.leaves for key in differing_keys(mine.entries(leaf), theirs.entries(leaf))]
    return sorted(found), rounds, hashes


@given(contents, contents, shapes)
def test_roots_are_equal_exactly_if_the_contents_are(
    one: dict[Key, Digest], other: dict[Key, Digest], shape: tuple[int, int]
) -> None:
    assert (planted(one, *shape).root == planted(other, *shape).root) == (one == other)


@given(contents, contents, shapes)
def test_exactly_the_keys_that_differ_are_found(
    one: dict[Key, Digest], other: dict[Key, Digest], shape: tuple[int, int]
) -> None:
    differing = sorted(key for key in {*one, *other} if one.get(key) != other.get(key))
    assert walked(planted(one, *shape), planted(other, *shape))[0] == differing


@given(contents, contents, shapes, st.randoms(use_true_random=False))
def test_the_tree_does_not_depend_on_how_it_came_about(
    before: dict[Key, Digest], content: dict[Key, Digest], shape: tuple[int, int], random: Random
) -> None:
    """Other keys and other digests in between, and another order, leave nothing behind."""
    tree = planted(before, *shape)
    for key in random.sample(sorted({*before, *content}), len({*before, *content})):
        tree.update(key, content.get(key))
    fresh = planted(content, *shape)
    assert tree.root == fresh.root
    assert tree.leaves() == fresh.leaves()
    assert [tree.entries(leaf) for leaf in tree.leaves()] == [fresh.entries(leaf) for leaf in fresh.leaves()]


def test_an_empty_tree_has_the_empty_root_again_when_its_last_key_goes() -> None:
    tree = planted({b"k": hash_of(b"v")})
    assert tree.root != EMPTY
    tree.update(b"k", None)
    tree.update(b"never there", None)
    assert tree.root == EMPTY
    assert tree.leaves() == []


def test_a_key_that_moves_to_a_sibling_bucket_changes_the_root() -> None:
    """The hashes of the children are hashed with their places: an empty child is not left out."""
    tree, other = MerkleTree(2, 1), MerkleTree(2, 1)
    tree.refill(0, [(b"k", hash_of(b"v"))])
    other.refill(1, [(b"k", hash_of(b"v"))])
    assert tree.root != other.root


def test_where_one_key_ends_and_the_next_begins_is_hashed_too() -> None:
    one, other = MerkleTree(2, 1), MerkleTree(2, 1)
    digest = hash_of(b"v")
    one.refill(0, [(b"a", digest), (b"b", digest)])
    other.refill(0, [(b"a" + digest + b"b", digest)])
    assert one.root != other.root


def test_the_root_is_the_same_in_every_process() -> None:
    program = (
        "from kvlab.core.merkle import *\n"
        "tree = MerkleTree()\n"
        "for i in range(100): tree.update(b'%d' % i, hash_of(b'%d' % i))\n"
        "print(tree.root.hex())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert printed == {planted({b"%d" % i: hash_of(b"%d" % i) for i in range(100)}).root.hex() + "\n"}


def test_equal_trees_cost_one_hash() -> None:
    content = {b"%d" % i: hash_of(b"v") for i in range(1000)}
    assert walked(planted(content), planted(content)) == ([], 1, 1)
    assert hashes_expected(0) == 1


@pytest.mark.parametrize(("fanout", "levels"), [(2, 12), (16, 3), (64, 2)])
def test_the_rounds_are_the_levels_and_one_for_the_root(fanout: int, levels: int) -> None:
    content = {b"%d" % i: hash_of(b"v") for i in range(1000)}
    one, other = planted(content, fanout, levels), planted(content, fanout, levels)
    other.update(b"17", hash_of(b"w"))
    assert walked(one, other) == ([b"17"], levels + 1, 1 + fanout * levels)


@pytest.mark.parametrize(("fanout", "levels"), [(2, 12), (16, 3), (64, 2)])
@pytest.mark.parametrize("differing", [1, 10, 100])
def test_the_hashes_asked_for_are_those_of_the_formula(fanout: int, levels: int, differing: int) -> None:
    content = {b"%d" % i: hash_of(b"v") for i in range(3000)}
    one, other = planted(content, fanout, levels), planted(content, fanout, levels)
    for key in Random(differing).sample(sorted(content), differing):
        other.update(key, hash_of(b"w"))
    found, _, hashes = walked(one, other)
    assert len(found) == differing
    assert hashes == pytest.approx(hashes_expected(differing, fanout, levels), rel=0.15)


@pytest.mark.parametrize(
    ("fanout", "levels", "differing", "kilobytes"),
    [(2, 20, 1, 0.656), (2, 20, 100, 43), (16, 5, 1, 1.3), (16, 5, 100, 76), (1024, 2, 1, 33),
     (1024, 2, 100, 1600)],
)  # fmt: skip
def test_the_formula_has_the_known_values_for_a_million_buckets(
    fanout: int, levels: int, differing: int, kilobytes: float
) -> None:
    """Worked out beforehand for 2 ** 20 leaf buckets and hashes of 16 bytes."""
    assert hashes_expected(differing, fanout, levels) * 16 / 1000 == pytest.approx(kilobytes, rel=0.03)


def test_a_dirty_bucket_gives_away_its_share_of_the_keys_and_no_more() -> None:
    content = {b"%d" % i: hash_of(b"v") for i in range(20_480)}
    tree = planted(content)
    held = [len(tree.entries(leaf)) for leaf in range(4096)]
    assert sum(held) == 20_480
    assert max(held) < 20  # about 5 each


def test_the_keys_of_one_range_do_not_crowd_into_a_few_buckets() -> None:
    """Keys with one owner are near to each other on the ring: the tree must deal them by another hash."""
    ring = Ring(RingSpec(1, tuple(Member(NodeId(f"n{i}")) for i in range(1, 6)), 1))
    keys = [key for i in range(6_000) if ring.slot(key := b"%d" % i) == 2]
    tree = planted(dict.fromkeys(keys, hash_of(b"v")), 16, 1)
    held = [len(tree.entries(leaf)) for leaf in range(16)]
    assert min(held) > 0.5 * len(keys) / 16


def test_a_tree_of_another_shape_is_not_compared() -> None:
    walk = Walk(planted({b"k": hash_of(b"v")}, 16, 3))
    walk.heard([planted({b"k": hash_of(b"v")}, 4, 3).root])
    with pytest.raises(ValueError, match="shorter"):
        walk.heard([EMPTY] * 4)


def test_filling_a_bucket_anew_finds_a_copy_that_rotted() -> None:
    """Updates alone never notice: nobody wrote."""
    held = {b"%d" % i: b"v%d" % i for i in range(100)}
    tree = planted({key: hash_of(value) for key, value in held.items()})
    sound = tree.root
    held[b"17"] = b"v1\xff"
    del held[b"23"]
    assert tree.root == sound
    found = []
    for leaf in tree.leaves():
        content = [(key, hash_of(held[key])) for key, _ in tree.entries(leaf) if key in held]
        found += tree.refill(leaf, content)
    assert sorted(found) == [b"17", b"23"]
    assert tree.root == planted({key: hash_of(value) for key, value in held.items()}).root
    assert all(
        tree.refill(leaf, [(key, hash_of(held[key])) for key, _ in tree.entries(leaf)]) == []
        for leaf in tree.leaves()
    )


# -- what stands for a copy ----------------------------------------------------------------------

actors = st.sampled_from([Actor("n1.0"), Actor("n2.0"), Actor("n3.1")])
dots = st.builds(Dot, actors, st.integers(1, 3))


@st.composite
def held(draw: st.DrawFn) -> Siblings:
    clock = draw(st.dictionaries(actors, st.integers(1, 3)))
    values = st.none() | st.binary(max_size=2)
    siblings = [
        Sibling(dot, draw(values), draw(st.integers(0, 1)), draw(st.none() | st.integers(5, 6)))
        for dot in draw(st.sets(dots, max_size=3))
    ]
    seen = draw(st.sets(dots, max_size=2))
    return Siblings(Context(tuple(clock.items()), tuple(seen)), tuple(siblings))


@given(held(), st.randoms(use_true_random=False))
def test_a_digest_does_not_depend_on_the_order_of_siblings_clock_or_dots(
    copy: Siblings, random: Random
) -> None:
    def shuffled(parts: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(random.sample(parts, len(parts)))

    context = Context(shuffled(copy.context.clock), shuffled(copy.context.dots))
    assert digest_of(Siblings(context, shuffled(copy.siblings))) == digest_of(copy)


@given(held(), held())
def test_digests_are_equal_exactly_if_the_copies_are_once_all_has_expired(
    one: Siblings, other: Siblings
) -> None:
    """Also while it has not: two replicas do not collect it in the same millisecond."""

    def canonical(copy: Siblings) -> Siblings:
        context = Context(tuple(sorted(copy.context.clock)), tuple(sorted(copy.context.dots)))
        rest = copy.expired(10).siblings
        return Siblings(context, tuple(sorted(rest, key=lambda sibling: sibling.dot)))

    assert (digest_of(one) == digest_of(other)) == (canonical(one) == canonical(other))
    assert digest_of(one) == digest_of(one.expired(10))


def test_where_one_value_ends_and_the_next_begins_counts() -> None:
    def copy(first: bytes | None, second: bytes | None) -> Siblings:
        dots = Dot(Actor("n1.0"), 1), Dot(Actor("n2.0"), 1)
        return Siblings(Context(), (Sibling(dots[0], first, 0), Sibling(dots[1], second, 0)))

    pairs = [(b"ab", b"c"), (b"a", b"bc"), (b"abc", b""), (b"abc", None), (None, b"abc"), (b"", b"abc")]
    assert len({digest_of(copy(first, second)) for first, second in pairs}) == len(pairs)


def test_every_part_of_a_write_counts() -> None:
    dot, other = Dot(Actor("n1.0"), 1), Dot(Actor("n1.0"), 2)
    contexts = Context(), Context(((dot.actor, 1),)), Context((), (dot,))
    writes = Sibling(dot, b"v", 0), Sibling(dot, b"v", 1), Sibling(dot, b"w", 0), Sibling(other, b"v", 0)
    copies = [Siblings(context, (write,)) for context in contexts for write in writes]
    assert len({digest_of(copy) for copy in copies}) == len(copies)
