"""The checks of chapter 3: a ring against what its lesson says, place by place, and in a cluster."""

from __future__ import annotations

import ring as piece
from hypothesis import given
from hypothesis import strategies as st
from ring import Ring, joined, left, tokens_of

from kvlab.config import ClusterConfig
from kvlab.core.hashing import RING_SIZE, token
from kvlab.course.checking import call, hold, play, same, true, watch
from kvlab.messages import Key, Member, NodeId, RingSpec

N1, N2, N3 = (NodeId(f"n{i}") for i in (1, 2, 3))
KEYS = [b"key%d" % i for i in range(100)]


def spec_of(*nodes: str, vnodes: int = 1) -> RingSpec:
    return RingSpec(0, tuple(Member(NodeId(node)) for node in nodes), vnodes)


def circle_of(spec: RingSpec) -> list[tuple[int, NodeId]]:
    """Every token and its node, clockwise from 0, by what the lesson says."""
    return sorted(
        (token(f"{member.node}#{i}".encode()), member.node)
        for member in spec.members
        for i in range(spec.vnodes * member.weight)
    )


# -- tokens --------------------------------------------------------------------------------------


def check_tokens_follow_from_the_name():
    """A member's tokens are those of its name with a number: of b"n1#0", b"n1#1" and so on.

    Likely: chance, or Python's own hash(). It is salted anew in every process: each node would have a ring of
    its own, and each would be right by its own lights.
    """
    same(call(tokens_of, Member(N1), 3), [token(b"n1#0"), token(b"n1#1"), token(b"n1#2")])
    same(call(tokens_of, Member(N2), 1), [token(b"n2#0")])


def check_weight_is_a_number_of_tokens():
    """A member of weight 3 has three times as many tokens as one of weight 1.

    Likely: the weight is not looked at. A machine twice as large then gets half of what it could hold.
    """
    same(len(call(tokens_of, Member(N1, "z1", 3), 4)), 12)
    same(len(call(tokens_of, Member(N1, "z1", 1), 4)), 4)


def check_the_tokens_lie_clockwise():
    """tokens() has all tokens of all members in order, each with its own node.

    Likely: the tokens are sorted and the nodes are not, so that token and node no longer belong together.
    Sort them as pairs.
    """
    spec = spec_of("n1", "n2", "n3", vnodes=3)
    same(watch(Ring, spec).tokens(), circle_of(spec))


# -- whose key it is -----------------------------------------------------------------------------


def key_between(low: int, high: int) -> Key:
    """A key whose token is above `low` and below `high`."""
    return next(key for key in (b"k%d" % i for i in range(100_000)) if low < token(key) < high)


def check_a_key_belongs_to_the_next_token():
    """A key's node is the one of the first token after the key's own.

    Likely: the token before it, or the nearest one on either side; clockwise is upwards. Or the key is
    hashed by something else than token(), by which the tokens were made.
    """
    spec = spec_of("n1", "n2", "n3")
    (first, _), (second, node), _ = circle_of(spec)
    ring = watch(Ring, spec)
    key = key_between(first, second)
    same(ring.slot(key), 1, "its token is between those of places 0 and 1")
    same(ring.owner(key), node)


def check_a_key_at_a_token_belongs_to_it():
    """A key whose token is that of a node belongs to just this node.

    Likely: bisect_right where it has to be bisect_left. Both find a place to insert at; they differ where the
    number is there already.
    """
    ring = watch(Ring, spec_of("n1", "n2", "n3"))
    same(ring.owner(b"n1#0"), N1, "this key has the token of n1")
    same(ring.owner(b"n2#0"), N2)
    same(ring.owner(b"n3#0"), N3)


def check_after_the_last_token_comes_the_first():
    """A key after the last token belongs to the first one: it is a circle.

    Likely: bisect answers with a place that is not in the list, for it knows lines and no circles. Of n
    places, place n is place 0, and not the last one.
    """
    spec = spec_of("n1", "n2", "n3")
    circle = circle_of(spec)
    ring = watch(Ring, spec)
    key = key_between(circle[-1][0], RING_SIZE)
    same(ring.slot(key), 0)
    same(ring.owner(key), circle[0][1])


@st.composite
def specs(draw):
    numbers = draw(st.lists(st.integers(1, 9), min_size=1, max_size=5, unique=True))
    members = tuple(Member(NodeId(f"n{i}"), "z1", draw(st.integers(1, 3))) for i in numbers)
    return RingSpec(0, members, draw(st.integers(1, 4)))


@given(specs(), st.binary(max_size=3))
def check_everybody_finds_the_same_owner(spec, key):
    """On any ring, a key's owner is the node of the token that one meets first, going clockwise.

    Likely: one of the rules above, in a case that its check has not met.
    """
    at = token(key)
    expected = min(circle_of(spec), key=lambda pair: (pair[0] - at) % RING_SIZE)[1]
    same(watch(Ring, spec).owner(key), expected)


def check_the_order_of_joining_does_not_matter():
    """Two rings of the same members are the same ring, in whatever order they joined.

    Likely: a member's place in the tuple is used for its name. Then a node that leaves gives all those after
    it new places.
    """
    one, other = spec_of("n1", "n2", "n3", vnodes=4), spec_of("n3", "n1", "n2", vnodes=4)
    ring = watch(Ring, one, name="ring")
    rebuilt = watch(Ring, other, name="rebuilt", beside=ring)
    for key in KEYS[:20]:
        same(rebuilt.owner(key), ring.owner(key))


@given(specs(), st.integers(1, 3))
def check_a_newcomer_takes_keys_and_nobody_else_does(spec, weight):
    """When a node joins, a key stays where it is or goes to the newcomer.

    Likely: hash modulo the number of nodes. With one node more, nearly every key is somebody else's.
    """
    wider = RingSpec(1, (*spec.members, Member(NodeId("n10"), "z1", weight)), spec.vnodes)
    before = watch(Ring, spec, name="before")
    after = watch(Ring, wider, name="after", beside=before)
    for key in KEYS[:15]:
        was, now = before.owner(key), after.owner(key)
        true(now in (was, "n10"), f"{was}, or n10, which has joined", now)


class Counted(int):
    """A token that counts how often it is compared."""

    times = 0

    def __lt__(self, other):
        Counted.times += 1
        return int(self) < int(other)

    def __le__(self, other):
        Counted.times += 1
        return int(self) <= int(other)

    def __gt__(self, other):
        Counted.times += 1
        return int(self) > int(other)

    def __ge__(self, other):
        Counted.times += 1
        return int(self) >= int(other)


def check_a_key_is_found_without_walking_the_circle():
    """To find a key's place takes some log2(T) comparisons, and not T.

    Likely: a loop over all tokens. Every request of every client passes here: search the sorted list by
    halves, as bisect does.
    """
    spec = spec_of("n1", "n2", "n3", "n4", vnodes=64)
    there = getattr(piece, "token", token)
    piece.token = lambda data: Counted(token(data))
    try:
        ring = watch(Ring, spec)
        Counted.times = 0
        ring.slot(b"cart:42")
    finally:
        piece.token = there
    true(Counted.times <= 20, "some 8 comparisons of 256 tokens", Counted.times)


# -- round the circle, and how much is whose -----------------------------------------------------


def check_clockwise_goes_once_round():
    """clockwise begins at the slot that it is given, and goes once round the circle, past the end.

    Likely: it stops at the end of the list; or it goes round without end; or it begins one place later.
    """
    spec = spec_of("n1", "n2", "n3", vnodes=2)
    nodes = [node for _, node in circle_of(spec)]
    ring = watch(Ring, spec)
    same(list(ring.clockwise(0)), nodes)
    same(list(ring.clockwise(4)), nodes[4:] + nodes[:4])


@given(specs())
def check_shares_are_the_arcs_before_the_tokens(spec):
    """A node's share is what lies between its tokens and the ones before them; all shares make 1.

    Likely: an arc is given to the token at its beginning, and its keys belong to the one at its end; or the
    arc across 0, from the last token to the first, is nobody's.
    """
    circle = circle_of(spec)
    expected = {member.node: 0.0 for member in spec.members}
    for i, (at, node) in enumerate(circle):
        expected[node] += ((at - circle[i - 1][0]) % RING_SIZE or RING_SIZE) / RING_SIZE
    found = watch(Ring, spec).shares()
    same(sorted(found), sorted(expected), "every member has a share")
    for node, share in expected.items():
        true(abs(found[node] - share) < 1e-9, f"{share:.6f} for {node}", found[node])


# -- who joins and who leaves --------------------------------------------------------------------


def check_a_node_joins_and_leaves():
    """Each change makes a ring of the next epoch, with the same number of virtual nodes.

    Likely: the epoch stays as it was. It is how a node finds out that somebody goes by another ring.
    """
    spec = RingSpec(4, (Member(N1), Member(N2, "z2", 3)), 8)
    wider = call(joined, spec, Member(N3, "z1", 2))
    is_the_next(wider, spec)
    after = "the newcomer comes after all others, as it was given; the virtual nodes are as many as before."
    same(wider, RingSpec(5, (Member(N1), Member(N2, "z2", 3), Member(N3, "z1", 2)), 8), "", after)
    narrower = call(left, wider, N1)
    is_the_next(narrower, wider)
    others = "who stays is as it was, in the same order."
    same(narrower, RingSpec(6, (Member(N2, "z2", 3), Member(N3, "z1", 2)), 8), "", others)


def is_the_next(made, spec):
    """Whether this is a ring's description at all, and the one after that."""
    true(
        isinstance(made, RingSpec) and isinstance(made.members, tuple),
        "a RingSpec whose members are a tuple",
        made,
        likely="`[*members, member]` makes a list; `(*members, member)` and `tuple(...)` make a tuple.",
    )
    true(made.epoch == spec.epoch + 1, f"epoch {spec.epoch + 1}", made.epoch)


def check_who_is_in_does_not_join_again():
    """To join a ring that one is in changes nothing.

    Likely: a member is added without a look at who is there. Messages come twice, and an order that was lost
    is given again.
    """
    spec = spec_of("n1", "n2", vnodes=4)
    same(call(joined, spec, Member(N2)), spec)
    same(call(joined, spec, Member(N2, "z1", 3)), spec, "nor with another weight")


def check_who_is_not_in_does_not_leave():
    """To leave a ring that one is not in changes nothing, the epoch neither.

    Likely: the epoch is counted up in any case; then two nodes that were told of one change, the one twice,
    have different rings.
    """
    spec = spec_of("n1", "n2", vnodes=4)
    same(call(left, spec, N3), spec)


# -- in a cluster --------------------------------------------------------------------------------


def check_any_node_finds_any_key():
    """In a cluster with your ring in each node, whoever is asked knows whose key it is.

    Likely: two nodes have different rings, or one answers with a node that there is not.
    """
    play("""
        cluster stage=3 nodes=4 vnodes=8 seed=3
        put     cart:42 milk via cart:42#out
        expect  result = ok
        expect  cart:42 at cart:42#1 = milk
        expect  cart:42 at cart:42#out = missing
        expect  get cart:42 via n1 = milk
        expect  get cart:42 via n2 = milk
        expect  get cart:42 via n3 = milk
        expect  get cart:42 via n4 = milk
    """)


def check_nodes_come_and_go():
    """A node that joins takes about its share of the keys, by its weight, and no write is lost.

    Likely: the nodes that give the keys away and the one that gets them do not agree on which they are.
    """
    play("""
        cluster stage=3 nodes=4 vnodes=32 seed=3
        load    1000/s for 150ms reads=0% keys=100
        at 0ms  load 300/s for 400ms reads=20% keys=100
        at 100ms add n5 weight=2
        expect  keys at n5 > 15
        expect  keys at n5 < 55
        check   no-lost-writes
        remove  n2
        expect  result = ok
        check   no-lost-writes
    """)


def check_it_holds_what_its_stage_claims():
    """Under faults, many clients and changes of the ring it keeps what stage 3 claims.

    Likely: one of the rules above, in a case that its check has not met. The diagram shows which.
    """
    hold(ClusterConfig(stage=3, nodes=4, vnodes=4, timeout_ms=200), 5)
