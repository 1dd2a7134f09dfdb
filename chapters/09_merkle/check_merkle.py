"""The checks of chapter 9: digests, a tree against a plain dict, the walk down two trees, and clusters that
have to come to hold the same."""

from __future__ import annotations

import itertools

import merkle as piece
from hypothesis import given
from hypothesis import strategies as st
from merkle import MerkleTree, Walk, differing_keys, digest_of

from kvlab.config import ClusterConfig
from kvlab.core.merkle import EMPTY, hash_of
from kvlab.course.checking import begin, call, hold, play, raises, same, true, watch
from kvlab.messages import Actor, Context, Dot, Sibling, Siblings

N1, N2 = Actor("n1"), Actor("n2")
D1, D2, D3 = b"1" * 16, b"2" * 16, b"3" * 16  # digests that can be read
MILK = Sibling(Dot(N1, 1), b"milk", 100)
BREAD = Sibling(Dot(N2, 1), b"bread", 100)
SEEN = Context(((N1, 1), (N2, 1)))


def keys_of_one_leaf(tree: MerkleTree, count: int) -> list[bytes]:
    """So many keys that fall into leaf bucket 0."""
    names = (b"k%d" % i for i in itertools.count())
    return list(itertools.islice((name for name in names if tree.bucket(name) == 0), count))


def filled(contents: dict[bytes, bytes], shape: tuple[int, int] = (16, 3)) -> MerkleTree:
    """A tree with this content; not shown."""
    tree = MerkleTree(*shape)
    for key, digest in contents.items():
        tree.update(key, digest)
    return tree


def three_hundred_keys() -> MerkleTree:
    """k0 to k299, in 4096 leaf buckets."""
    return filled({b"k%d" % i: D1 for i in range(300)})


# -- digests -------------------------------------------------------------------------------------


def check_equal_copies_have_equal_digests():
    """A digest is 16 bytes, and the same for the same copy.

    Likely: `hash()`, which is another number in each process; or the id of an object.
    """
    digest = call(digest_of, Siblings(SEEN, (MILK, BREAD)))
    same(type(digest), bytes, likely="`hash_of(data)` makes a digest of bytes; this is something else.")
    same(len(digest), 16, likely="`hash_of(data)` makes one of 16 bytes; these are others.")
    other = call(digest_of, Siblings(SEEN, (MILK, BREAD)))
    true(other == digest, "the digest of the call before", other, "it is the same copy")


def check_the_order_of_things_does_not_matter():
    """In whatever order siblings, actors and dots stand, the digest is the same.

    Likely: they are hashed as they come. Two replicas that met the same writes in another order then repair
    each other for ever.
    """
    one = call(digest_of, Siblings(SEEN, (MILK, BREAD)))
    other = call(digest_of, Siblings(SEEN, (BREAD, MILK)))
    true(other == one, "the digest of the call before", other, "siblings the other way round")
    turned = Context(tuple(reversed(SEEN.clock)))
    other = call(digest_of, Siblings(turned, (MILK, BREAD)))
    true(other == one, "the digest of the first call", other, "the clock the other way round")
    loose = (Dot(N1, 5), Dot(N2, 7))
    one = call(digest_of, Siblings(Context((), loose), ()))
    other = call(digest_of, Siblings(Context((), (loose[1], loose[0])), ()))
    true(other == one, "the digest of the call before", other, "the dots the other way round")


def check_different_copies_have_different_digests():
    """Another value, dot, stamp or history, one sibling more, a tombstone: each is another copy.

    Likely: only the values are hashed. Then a replica that still has a value, and one that has seen it
    replaced by an equal one, look the same, and never come to agree.
    """
    copies = {
        "milk": Siblings(SEEN, (MILK,)),
        "another value": Siblings(SEEN, (Sibling(MILK.dot, b"silk", 100),)),
        "another dot": Siblings(SEEN, (Sibling(Dot(N2, 1), b"milk", 100),)),
        "another stamp": Siblings(SEEN, (Sibling(MILK.dot, b"milk", 101),)),
        "another history": Siblings(Context(((N1, 1), (N2, 2))), (MILK,)),
        "a loose dot": Siblings(Context(SEEN.clock, (Dot(N2, 9),)), (MILK,)),
        "a sibling more": Siblings(SEEN, (MILK, BREAD)),
        "a tombstone": Siblings(SEEN, (Sibling(MILK.dot, None, 100),)),
        "an empty value": Siblings(SEEN, (Sibling(MILK.dot, b"", 100),)),
    }
    known: dict[bytes, str] = {}
    for name, copy in copies.items():
        digest = call(digest_of, copy)
        true(digest not in known, "a digest of its own", digest, f"{name}: the same as {known.get(digest)}")
        known[digest] = name


def check_where_one_value_ends_counts():
    """`ab` and `c` are not `a` and `bc`.

    Likely: all values are put one after the other and hashed, with nothing to say where one ends.
    """
    copies = [
        Siblings(SEEN, (Sibling(Dot(N1, 1), one, 100), Sibling(Dot(N2, 1), other, 100)))
        for one, other in ((b"ab", b"c"), (b"a", b"bc"))
    ]
    first = call(digest_of, copies[0])
    true(call(digest_of, copies[1]) != first, "another digest than the first", first)


def check_what_expires_counts_as_the_tombstone():
    """A value that is going to expire has the digest of the tombstone that it will be.

    Likely: the value is hashed until it has expired. Two replicas do not collect it in the same millisecond,
    and in between an exchange finds a difference where there is none.
    """
    brief = Siblings(SEEN, (Sibling(MILK.dot, b"milk", 100, 5000),))
    gone = brief.expired(5000)
    tombstone = call(digest_of, gone)
    other = call(digest_of, brief)
    true(other == tombstone, "the digest of the tombstone, which is the call before", other)
    lasting = call(digest_of, Siblings(SEEN, (MILK,)))
    true(call(digest_of, brief) != lasting, "another digest than that of a value that stays", lasting)


# -- the tree ------------------------------------------------------------------------------------


def check_an_empty_tree_is_empty():
    """Without keys every hash is EMPTY, and no leaf has any entries.

    Likely: EMPTY is no hash of anything: not of no bytes, and not of a row of empty children.
    """
    tree = watch(MerkleTree, 4, 2)
    same(tree.hash(0, 0), EMPTY, "the root")
    same(tree.hash(2, 15), EMPTY, "a leaf")
    same(tree.leaves(), [])
    same(tree.entries(3), [])
    same(tree.digest(b"k"), None)


def check_the_tree_has_what_it_was_told():
    """digest, entries and leaves say what update was told last.

    Likely: entries come in the order in which they were told, or a removed key is still among them.
    """
    tree = watch(MerkleTree, 4, 2)
    a, b, c = keys_of_one_leaf(MerkleTree(4, 2), 3)
    for key, digest in ((c, D3), (a, D1), (b, D2), (c, D1)):
        tree.update(key, digest)
    same(tree.digest(c), D1)
    same(tree.entries(0), sorted([(a, D1), (b, D2), (c, D1)]), "in order of the keys")
    tree.update(b, None)
    same(tree.digest(b), None)
    same(tree.entries(0), sorted([(a, D1), (c, D1)]))
    same(tree.leaves(), [0])


def check_the_same_content_has_the_same_root():
    """In whatever order keys came, and whatever was there before, the same content has the same root.

    Likely: a leaf's entries are hashed in the order in which they came.
    """
    a, b = keys_of_one_leaf(MerkleTree(4, 2), 2)
    one = watch(MerkleTree, 4, 2, name="one")
    other = watch(MerkleTree, 4, 2, name="other", beside=one)
    one.update(a, D1)
    one.update(b, D2)
    other.update(b, D3)
    other.update(b, D2)
    other.update(a, D1)
    same(other.hash(0, 0), one.hash(0, 0))


def check_other_content_has_another_root():
    """One digest more, less or other, and the root is another.

    Likely: the root is not brought up to date, or only with the first key of a bucket.
    """
    tree = watch(MerkleTree, 4, 2)
    roots = {EMPTY}
    for key, digest in ((b"a", D1), (b"b", D1), (b"c", D2), (b"a", D2)):
        tree.update(key, digest)
        root = tree.hash(0, 0)
        true(
            root not in roots, "a root that was not there before", root, f"{key!r} has {digest.hex()[:6]} now"
        )
        roots.add(root)


def check_a_change_is_seen_on_the_way_to_it():
    """An update changes the hashes of the key's own buckets, from leaf to root, and no others.

    Likely: a level is left out, or the bucket above is not the leaf's number divided by the fan-out.
    """
    tree = filled({b"k%d" % i: D1 for i in range(200)}, (4, 3))

    def buckets_changed_by(key, digest):
        """(level, bucket) of those whose hash is another, in a tree of 4 * 4 * 4 leaves and 200 keys."""
        places = [(level, bucket) for level in range(4) for bucket in range(4**level)]
        before = [tree.hash(*place) for place in places]
        tree.update(key, digest)
        return [place for place, digest in zip(places, before, strict=True) if tree.hash(*place) != digest]

    begin()
    leaf = tree.bucket(b"k7")
    path = [(level, leaf // 4 ** (3 - level)) for level in range(4)]
    same(call(buckets_changed_by, b"k7", D2), path, f"(level, bucket) on the way to leaf bucket {leaf}")


def check_what_was_removed_leaves_no_trace():
    """A tree from which all was removed is like one in which nothing ever was.

    Likely: an emptied bucket has the hash of no bytes, and not EMPTY.
    """
    tree = watch(MerkleTree, 4, 2)
    tree.update(b"a", D1)
    tree.update(b"b", D2)
    tree.update(b"a", None)
    tree.update(b"b", None)
    tree.update(b"c", None)
    same(tree.leaves(), [], likely="an emptied leaf's dict stays among the leaves.")
    leaf = MerkleTree(4, 2).bucket(b"a")
    got = tree.hash(2, leaf)
    true(got == EMPTY, "EMPTY", got, "the leaf in which `a` was")
    for level, bucket in ((1, leaf // 4), (0, 0)):
        got = tree.hash(level, bucket)
        likely = "a bucket whose children are all EMPTY has the hash of a row of empty hashes."
        true(got == EMPTY, "EMPTY", got, "all its children are EMPTY", likely)


def check_whose_digest_it_is_counts():
    """Two keys that change places are another content; and so is another name for a key.

    Likely: a bucket's hash is over its digests alone, or their XOR. Two keys with each other's values look
    right then.
    """
    a, b, c = keys_of_one_leaf(MerkleTree(4, 2), 3)
    one = watch(MerkleTree, 4, 2, name="one")
    other = watch(MerkleTree, 4, 2, name="other", beside=one)
    for key, digest in ((a, D1), (b, D2)):
        one.update(key, digest)
    for key, digest in ((a, D2), (b, D1)):
        other.update(key, digest)
    root = one.hash(0, 0)
    true(other.hash(0, 0) != root, "another root than that of `one`", root)
    other.update(a, D1)
    other.update(b, None)
    other.update(c, D2)
    true(other.hash(0, 0) != root, "another root than that of `one`", root, "it has another key")


def check_one_long_key_is_not_two():
    """A key whose name looks like two entries is one key.

    Likely: keys and digests are put one after the other, with nothing to say how long a key is. Clients
    choose the keys, and whoever likes could make two buckets that differ and look the same.
    """
    shape = MerkleTree(2, 1)
    for i in itertools.count():
        digest = hash_of(b"%d" % i)
        a, b = keys_of_one_leaf(shape, 2)
        long = a + digest + b
        if a < b and shape.bucket(long) == 0:
            break
    two = watch(MerkleTree, 2, 1, name="two")
    one = watch(MerkleTree, 2, 1, name="one", beside=two)
    two.update(a, digest)
    two.update(b, D2)
    one.update(long, D2)
    root = two.hash(0, 0)
    true(one.hash(0, 0) != root, "another root than that of `two`", root)


def check_an_update_costs_a_path():
    """An update makes levels + 1 hashes at the most, however many keys there are.

    Likely: the whole tree is hashed anew. Each write of a million keys would hash a million keys.
    """
    made = []

    def counted(data):
        made.append(data)
        return hash_of(data)

    tree = watch(three_hundred_keys, name="tree")
    before = getattr(piece, "hash_of", None)
    try:
        piece.hash_of = counted
        tree.update(b"k7", D2)
        tree.hash(0, 0)
    finally:
        if before is None:
            del piece.hash_of
        else:
            piece.hash_of = before
    true(
        len(made) <= 4,
        "4 hashes at the most, with 3 levels below the root",
        len(made),
        likely="beside the hash of each bucket on the way up others are made: of each key in the leaf, or of"
        " children that have not changed." if len(made) < 100 else "",
    )  # fmt: skip


KEYS = st.sampled_from([b"k%d" % i for i in range(12)])
DIGESTS = st.sampled_from([D1, D2, D3])


@given(st.lists(st.tuples(KEYS, st.none() | DIGESTS), max_size=20))
def check_a_tree_is_its_content(steps):
    """After any updates a tree has the entries and the root of a new one that is told the outcome alone.

    Likely: one of the rules above, in a case that its check has not met.
    """
    tree = watch(MerkleTree, 2, 2)
    held: dict[bytes, bytes] = {}
    for key, digest in steps:
        tree.update(key, digest)
        held.pop(key, None)
        if digest is not None:
            held[key] = digest
    entries = sorted(entry for leaf in tree.leaves() for entry in tree.entries(leaf))
    same(entries, sorted(held.items()), "all that is in the leaves")
    fresh = watch(MerkleTree, 2, 2, name="fresh", beside=tree)
    for key, digest in sorted(held.items()):
        fresh.update(key, digest)
    same(tree.hash(0, 0), fresh.hash(0, 0), "the root of the new one")


# -- the walk ------------------------------------------------------------------------------------


def walked(walk: Walk, theirs: MerkleTree) -> list[int]:
    """Go all the way; returns how many hashes were asked for at each level."""
    asked = []
    while walk.asking and len(asked) < 9:
        asked.append(len(walk.asking))
        walk.heard([theirs.hash(walk.level, bucket) for bucket in walk.asking])
    return asked


def walk_down(tree: MerkleTree) -> Walk:
    """A walk of ours, shown beside the tree."""
    return watch(Walk, tree, name="walk", beside=tree)


def check_equal_roots_end_the_walk():
    """If the roots are equal there is nothing more to ask.

    Likely: the walk goes on to the children, or the loop's condition is never false.
    """
    tree = watch(three_hundred_keys, name="tree")
    walk = walk_down(tree)
    walk.heard([tree.hash(0, 0)])
    same(walk.asking, [])
    same(walk.leaves, [])
    same(
        walk.differed,
        [0],
        "at level 0 no bucket differed",
        likely="how many differed is not noted, or only where some did.",
    )


def check_the_walk_goes_down_where_it_differs():
    """From a bucket that differs it asks for its children, and from no other.

    Likely: all buckets of the next level are asked for. With one key in a million, that is a million hashes.
    """
    tree, theirs = watch(three_hundred_keys, name="tree"), three_hundred_keys()
    theirs.update(b"k7", D2)

    def how_many_are_asked_for(walk):
        return walked(walk, theirs)

    walk = Walk(three_hundred_keys())
    asked = call(how_many_are_asked_for, walk_down(tree))
    walked(walk, theirs)
    same(asked, [1, 16, 16, 16], "level by level, where they have another digest for k7")
    same(walk.leaves, [theirs.bucket(b"k7")], "the leaves at the end")
    same(walk.asking, [], "asking at the end")
    same(walk.differed, [1, 1, 1, 1], "how many buckets differed, level by level")


def check_the_walk_starts_with_the_root_and_counts_levels():
    """While it asks for buckets, level says of which level they are.

    Likely: the level is counted after the last one too, or before the first.
    """
    tree = watch(MerkleTree, 2, 2, name="tree")
    tree.update(b"k7", D1)
    leaf = filled({}, (2, 2)).bucket(b"k7")
    half = leaf // 2
    walk = walk_down(tree)
    same((walk.level, walk.asking), (0, [0]))
    walk.heard([EMPTY])
    same((walk.level, walk.asking), (1, [0, 1]), "their tree is empty, and ours is not")
    walk.heard([EMPTY, EMPTY])
    same((walk.level, walk.asking), (2, [2 * half, 2 * half + 1]), f"k7 is in leaf bucket {leaf}")
    walk.heard([EMPTY, EMPTY])
    same((walk.asking, walk.leaves), ([], [leaf]))


def check_too_few_hashes_are_an_error():
    """Who answers with more or fewer hashes has a tree of another shape: ValueError.

    Likely: `zip` without `strict=True`, which stops at the shorter one and says nothing.
    """
    walk = walk_down(watch(three_hundred_keys, name="tree"))
    raises(ValueError, lambda: walk.heard([]))
    raises(ValueError, lambda: walk.heard([D1, D2]))


CONTENT = st.dictionaries(KEYS, DIGESTS)


@given(CONTENT, CONTENT)
def check_the_walk_finds_all_that_differs(ours, theirs):
    """At the end leaves are the buckets of the keys that differ: all of them, and no others.

    Likely: the walk stops where our tree is empty, and never finds what only the other side has.
    """

    def leaves_found(ours, theirs):
        walk = Walk(filled(ours, (2, 3)))
        walked(walk, filled(theirs, (2, 3)))
        return walk.leaves

    begin()
    shape = filled({}, (2, 3))
    expected = {shape.bucket(key) for key in {*ours, *theirs} if ours.get(key) != theirs.get(key)}
    same(call(leaves_found, ours, theirs), sorted(expected), "what we hold, and what they do, in 8 leaves")


def check_keys_differ_on_either_side():
    """A key differs if only we have it, if only they have it, or if the digests do.

    Likely: one goes through the own keys alone, and never asks for what one has lost altogether.
    """
    same(call(differing_keys, [(b"a", D1)], [(b"a", D1)]), [])
    same(call(differing_keys, [(b"a", D1)], [(b"a", D2)]), [b"a"])
    same(call(differing_keys, [(b"a", D1)], []), [b"a"])
    same(call(differing_keys, [], [(b"a", D1)]), [b"a"])
    same(call(differing_keys, [(b"c", D1), (b"a", D1)], [(b"b", D1), (b"a", D1)]), [b"b", b"c"], "in order")


# -- in a cluster --------------------------------------------------------------------------------


def check_a_lost_disk_is_filled_again():
    """A node that comes back with nothing has all its keys again, though nobody reads.

    Likely: something between the pieces. `kvlab lab 9 --mine` shows the walk on the data tab.
    """
    play("""
        cluster stage=9 nodes=3 repair=off hints=off exchange=200ms seed=9
        load    200/s for 200ms reads=0% keys=30
        wait    100ms
        kill    n3
        restart n3 empty
        expect  keys at n3 = 0
        wait    3s
        expect  keys at n3 > 10
        check   convergence
    """)


def check_a_missed_write_and_a_missed_delete_come():
    """A replica that was cut off has what was written and what was deleted meanwhile.

    Likely: tombstones and values have the same digest.
    """
    play("""
        cluster stage=9 nodes=4 repair=off hints=off exchange=200ms seed=9
        put     k one via k#1 w=3
        put     j one via j#1 w=3
        partition n1 | n2 n3 n4
        get     k via n2
        put     k two via n2
        get     j via n2
        del     j via n2
        heal
        wait    5s
        expect  get k via n2 = two
        expect  get j via n2 = missing
        check   convergence
    """)


def check_repairs_end():
    """When nobody writes any more, repairs end.

    Likely: equal copies with different digests. The same keys are found and repaired at each exchange.
    """
    play("""
        cluster stage=9 nodes=4 exchange=100ms seed=9
        at 0ms  put k one via k#1
        at 0ms  put k two via k#2
        at 0ms  put k three via k#3
        put     brief v via brief#1 ttl=2s
        wait    1s
        expect  siblings k = 3
        check   convergence
        wait    10s
        expect  repairs total <= 12
    """)


def check_the_dead_stay_dead():
    """A replica that was away for longer than tombstones are kept does not bring the value back.

    Likely: two tombstones that are equal have different digests, so that they are never reaped; or the other
    way round.
    """
    play("""
        cluster stage=9 nodes=4 durable=on hintttl=2s grace=4s exchange=200ms timeout=200ms seed=9
        put     k milk via k#1 w=3
        kill    k#3
        wait    until k#1 sees k#3 = failed
        del     k via k#1
        wait    20s
        restart k#3
        wait    until k at k#3 = missing
        wait    10s
        expect  get k via k#out = missing
        check   no-resurrection
        check   convergence
    """)


def check_it_holds_what_its_stage_claims():
    """Under faults and many clients it keeps what stage 9 claims.

    Likely: one of the rules above, in a case that its check has not met. The diagram shows which.
    """
    hold(ClusterConfig(stage=9, nodes=5, n=3, r=2, w=2, timeout_ms=200), 5)
