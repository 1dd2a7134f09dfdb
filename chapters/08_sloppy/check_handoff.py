"""The checks of chapter 8: who stands in, what is kept, how it comes home; and a cluster in which it does."""

from __future__ import annotations

import asyncio

import msgspec
from handoff import HintBox, Placement, hand_back
from hypothesis import given
from hypothesis import strategies as st

from kvlab.config import ClusterConfig
from kvlab.core.hints import Hint
from kvlab.core.ring import Ring
from kvlab.course.checking import call, hold, play, raises, same, true, watch
from kvlab.course.given import CHUNK_KEYS
from kvlab.errors import HintsFull, PeerSilent
from kvlab.messages import Member, NodeId, RingSpec

N1, N2, N3, N4, N5, N6 = NODES = [NodeId(f"n{i}") for i in range(1, 7)]
KEY, OTHER = b"cart:42", b"cart:7"
SECOND = 1000


def six_nodes(zones: int = 1) -> Placement:
    """Six nodes, dealt to the zones in turn, three copies. From cart:42 clockwise: n3 n4 n6 n2 n1 n5."""
    members = tuple(Member(node, zone=f"z{i % zones + 1}") for i, node in enumerate(NODES))
    return Placement(Ring(RingSpec(0, members, 8)), 3)


class Letters(msgspec.Struct, frozen=True):
    """A copy, as far as a box of hints is concerned: some letters. Merged, it has those of both."""

    letters: str

    @property
    def size(self) -> int:
        return len(self.letters)


A, B, AB = Letters("a"), Letters("b"), Letters("ab")


def merge(a: Letters, b: Letters) -> Letters:
    return Letters("".join(sorted({*a.letters, *b.letters})))


def box_of(hints_max: int = 10) -> HintBox:
    """A box for so many hints, each for a second."""
    return watch(HintBox, merge, hints_max, SECOND, name="box")


# -- who stands in -------------------------------------------------------------------------------


def check_all_at_home_while_all_are_well():
    """Every home replica that is healthy keeps its own copy.

    Likely: the first n healthy nodes of all, and not the homes; a suspicion too many and the key moves.
    """
    placement = watch(six_nodes, name="placement")
    same(placement.stand_ins(KEY, NODES), [(N3, N3), (N4, N4), (N6, N6)])
    same(placement.stand_ins(KEY, [N3, N4, N6]), [(N3, N3), (N4, N4), (N6, N6)], "the others do not matter")


def check_the_next_healthy_node_clockwise_stands_in():
    """In the place of a home that is away stands the next healthy node clockwise that is no home.

    Likely: the next node clockwise, whoever that is. A home of the key has its own copy already, and whoever
    is away himself can keep nothing.
    """
    placement = watch(six_nodes, name="placement")
    same(placement.stand_in(KEY, [N1, N2, N3, N5, N6], [N3, N6]), N2, "clockwise: n3 n4 n6 n2 n1 n5")
    same(placement.stand_in(KEY, [N1, N3, N5, N6], [N3, N6]), N1, "n2 is away as well")
    same(placement.stand_ins(KEY, [N1, N2, N3, N5, N6]), [(N3, N3), (N4, N2), (N6, N6)])


def check_each_home_has_a_stand_in_of_its_own():
    """No node gets two copies of a key, however many homes are away.

    Likely: every home that is away finds the same stand-in, since what the one before took is not passed on.
    Two confirmations of one node are one copy.
    """
    placement = watch(six_nodes, name="placement")
    same(placement.stand_ins(KEY, [N1, N2, N3, N5]), [(N3, N3), (N4, N2), (N6, N1)])
    same(placement.stand_ins(KEY, [N1, N2, N5]), [(N3, N2), (N4, N1), (N6, N5)])


def check_where_nobody_is_left_the_home_is_asked():
    """Where nobody is left to stand in, the copy goes to the home after all: it may yet hear of it.

    Likely: such a home is left out, and the operation then asks fewer than n; or None is asked.
    """
    placement = watch(six_nodes, name="placement")
    same(placement.stand_in(KEY, [N3], [N3]), None)
    same(placement.stand_ins(KEY, [N3, N5]), [(N3, N3), (N4, N5), (N6, N6)])
    same(placement.stand_ins(KEY, []), [(N3, N3), (N4, N4), (N6, N6)])


def check_a_stand_in_is_in_a_zone_without_a_copy_if_it_can():
    """Of those who could stand in, one in a zone that has no copy goes first.

    Likely: zones are not looked at. With all copies in one data centre a power cut takes the last one.
    """
    placement = watch(six_nodes, 2, name="placement")  # z1: n1 n3 n5, z2: n2 n4 n6
    same(
        placement.stand_ins(KEY, [N1, N2, N4, N5, N6]),
        [(N3, N1), (N4, N4), (N6, N6)],
        "n2 is in z2, as n4 is",
    )
    same(placement.stand_ins(KEY, [N2, N4, N6]), [(N3, N2), (N4, N4), (N6, N6)], "nobody of z1 is left")


@given(st.lists(st.sampled_from(NODES), unique=True), st.binary(min_size=1, max_size=3), st.integers(1, 3))
def check_copies_are_on_as_many_healthy_nodes_as_there_are(healthy, key, zones):
    """Each home has one place, no node has two, and min(3, healthy) of the places are healthy.

    Likely: a healthy home gives up its place, or two share one; draw the six nodes and go through it.
    """
    placement = watch(six_nodes, zones, name="placement")
    homes = placement.replicas(key)
    places = placement.stand_ins(key, healthy)
    same([home for home, _ in places], homes, "the homes, in order of preference")
    same(len({place for _, place in places}), 3, f"three places, and not {places}")
    same(
        [home for home, place in places if home in healthy and place != home], [], "who is well stays at home"
    )
    true(
        sum(place in healthy for _, place in places) == min(3, len(healthy)),
        f"{min(3, len(healthy))} of the places are healthy", places,
    )  # fmt: skip


# -- the box -------------------------------------------------------------------------------------


def check_a_hint_is_kept_by_owner_and_key():
    """A hint is found under its key, and counted for its owner.

    Likely: hints by key alone. One key may be kept for two owners at once.
    """
    box = box_of()
    same(box.add(N3, KEY, A, 0), Hint(A, SECOND), "it is kept for ttl_ms, counted from now")
    same(box.add(N4, KEY, A, 0), Hint(A, SECOND))
    same(box.get(KEY, 0), A)
    same(box.get(OTHER, 0), None)
    same(box.counts(), {N3: 1, N4: 1})


def check_a_second_copy_is_merged():
    """What comes for an owner and a key for which there is a hint is merged into it.

    Likely: the new copy replaces the old one. They may be siblings, and then the owner never hears of one.
    """
    box = box_of()
    box.add(N3, KEY, A, 0)
    same(box.add(N3, KEY, B, 0).copy, AB)
    same(box.get(KEY, 0), AB)
    same(len(box), 1)


def check_get_finds_what_is_kept_for_whomever():
    """get merges all that is kept under the key, for all owners.

    Likely: it returns the first that it finds. Who stands in for whom depends on who else is away, and the
    two owners may have missed different writes.
    """
    box = box_of()
    box.add(N3, KEY, A, 0)
    box.add(N4, KEY, B, 0)
    same(box.get(KEY, 0), AB)


def check_what_has_expired_is_not_found():
    """From its expires_ms on a hint is not found and not due; expire forgets it, and says so.

    Likely: `<` where it has to be `<=`; or get and due do not look at the time at all.
    """
    box = box_of()
    box.add(N3, KEY, A, 0)
    box.add(N3, OTHER, B, 500)
    same(box.get(KEY, 999), A)
    same(box.get(KEY, 1000), None)
    same(box.due(N3, 1000, 9, 999), [(OTHER, B)])
    same(box.expire(999), [], "nothing has")
    same(box.expire(1000), [(N3, KEY)])
    same(box.counts(), {N3: 1})
    same(box.expire(1500), [(N3, OTHER)])
    same(box.counts(), {}, "an owner without hints is none")


def check_nothing_old_stays_longer_than_it_may():
    """A merged hint that has something of both expires when the first of them does.

    Likely: each write begins the time anew. A key that is written once a second then keeps an old sibling for
    ever; chapter 9 forgets tombstones, and relies on nothing so old being left.
    """
    box = box_of()
    box.add(N3, KEY, A, 0)
    same(box.add(N3, KEY, B, 400), Hint(AB, 1000), "a may be kept until 1000, and it is still in there")
    same(box.get(KEY, 1000), None)


def check_a_hint_that_was_replaced_has_its_time_anew():
    """Where nothing old is left the time of the new copy holds; where nothing is new, that of the old.

    Likely: the earlier expiry in any case. Then of a key that is written again and again the last write is
    dropped with the first, though its owner was away for a moment only.
    """
    box = box_of()
    box.add(N3, KEY, A, 0)
    same(box.add(N3, KEY, AB, 400), Hint(AB, 1400), "ab has replaced a")
    same(box.add(N3, KEY, B, 600), Hint(AB, 1400), "b is nothing new")
    same(box.merged(Hint(AB, 1400), Hint(A, 900)), Hint(AB, 1400), "a is nothing new, and expires sooner")
    same(box.add(N3, KEY, AB, 700), Hint(AB, 1700), "the same again, and kept from now on")


def check_what_is_too_late_takes_nothing_along():
    """A copy that comes where a hint has expired takes its place, and has its whole time.

    Likely: it is merged with what is there, and expires when that did, which is before now. Nobody finds it
    any more, and its write was confirmed.
    """
    box = box_of(1)
    box.add(N3, KEY, A, 0)
    same(box.add(N3, KEY, B, 1000), Hint(B, 2000), "the hint for a has expired, and is not yet forgotten")
    same(box.get(KEY, 1999), B)


def check_a_full_box_refuses_and_changes_nothing():
    """A hint too many raises HintsFull. What is merged into a hint that there is needs no room.

    Likely: the bound is looked at after the hint was put in; or a merge is refused, too.
    """
    box = box_of(2)
    box.add(N3, KEY, A, 0)
    box.add(N4, KEY, A, 0)
    raises(HintsFull, lambda: box.add(N5, KEY, A, 0))
    same(box.counts(), {N3: 1, N4: 1})
    same(box.add(N3, KEY, B, 0).copy, AB, "there is room for it: the hint is there already")


def check_due_is_a_chunk_in_order():
    """due offers the oldest first, and no more than fit; a merge does not send a key to the end.

    Likely: an owner that was away for an hour is sent everything at once, and is away again.
    """
    box = box_of()
    for key in (b"k1", b"k2", b"k3", b"k4"):
        box.add(N3, key, A, 0)
    box.add(N3, b"k1", B, 0)
    box.add(N4, b"k5", A, 0)
    same(box.due(N3, 0, 2, 999), [(b"k1", AB), (b"k2", A)], "two keys at most")
    same(
        box.due(N3, 0, 9, 8),
        [(b"k1", AB), (b"k2", A)],
        "4 bytes, 3 bytes, and there is no room for 3 more",
        likely="bytes_max is of keys and copies together. If the keys are left out, 2, 1, 1 and 1 bytes fit.",
    )
    same(box.due(N3, 0, 9, 10), [(b"k1", AB), (b"k2", A), (b"k3", A)])
    same(box.due(N5, 0, 9, 999), [])


def check_due_offers_one_at_least():
    """A copy above the number of bytes is offered all the same, alone.

    Likely: it does not fit, so it is left out, now and for ever; or all that came after it waits behind it.
    """
    box = box_of()
    box.add(N3, b"k1", Letters("abcdefgh"), 0)
    box.add(N3, b"k2", A, 0)
    same(box.due(N3, 0, 9, 5), [(b"k1", Letters("abcdefgh"))])


def check_to_be_due_is_not_to_be_delivered():
    """due changes nothing: until it is delivered, the same is due again.

    Likely: due takes the hints out. Then it does not matter any more what the owner says.
    """
    box = box_of()
    box.add(N3, KEY, A, 0)
    same(box.due(N3, 0, 9, 999), [(KEY, A)])
    same(box.due(N3, 0, 9, 999), [(KEY, A)])
    same(len(box), 1)


def check_only_what_was_confirmed_is_forgotten():
    """delivered forgets the hint if it is the very copy that the owner has confirmed.

    Likely: the key is forgotten, whatever is under it by now. What was merged into the hint while the answer
    was on its way has never been brought.
    """
    box = box_of()
    box.add(N3, KEY, A, 0)
    box.add(N3, KEY, B, 0)
    same(box.delivered(N3, KEY, A), False, "ab is in it by now")
    same(box.get(KEY, 0), AB)
    same(box.delivered(N4, KEY, AB), False, "there is none for n4")
    same(box.delivered(N3, KEY, AB), True)
    same(box.counts(), {})


# -- bringing it home ----------------------------------------------------------------------------


def bring(box: HintBox, send: object) -> list[bytes]:
    return asyncio.run(hand_back(box, N3, send, 0))


bring.__name__ = "await hand_back"


def unseen(box: HintBox) -> HintBox:
    """The box itself: what is done with it now is not shown as the reader's call."""
    made: HintBox = getattr(box, "_made", box)
    return made


def check_what_the_owner_took_is_forgotten():
    """The owner is sent what is due to it, and then the hints are gone; those of others stay.

    Likely: nothing is forgotten, so that the same is brought every 200 ms; or the wrong keys are returned.
    """
    sent = []

    async def confirms(copies):
        sent.append(list(copies))

    box = box_of()
    box.add(N3, KEY, A, 0)
    box.add(N4, KEY, A, 0)
    box.add(N3, OTHER, B, 0)
    same(call(bring, box, confirms), [KEY, OTHER])
    same(sent, [[(KEY, A), (OTHER, B)]], "what was sent")
    same(box.counts(), {N4: 1})


def check_a_silent_owner_loses_nothing():
    """If send raises, every hint stays, and the caller is told.

    Likely: the hints are forgotten before send has come back; or in a `finally`. Or the error is swallowed.
    """

    async def is_silent(copies):
        raise PeerSilent(N3, 500)

    box = box_of()
    box.add(N3, KEY, A, 0)
    raises(PeerSilent, lambda: call(bring, box, is_silent), why="whoever called has to know")
    same(box.due(N3, 0, 9, 999), [(KEY, A)], "it is due again")


def check_nothing_is_forgotten_before_it_is_confirmed():
    """Until the owner has answered the hint is there: reads find it, and a kill does not lose it.

    Likely: taken out before, put back after an error. A node that dies in between has no hint any more.
    """
    found = []

    async def confirms(copies):
        await asyncio.sleep(0)
        found.append(unseen(box).get(KEY, 0))

    box = box_of()
    box.add(N3, KEY, A, 0)
    call(bring, box, confirms)
    same(found, [A], "what a read found in the box before the owner had answered")


def check_what_came_meanwhile_stays():
    """A copy that is merged into a hint while send waits is brought the next time.

    Likely: after the answer all keys of the chunk are forgotten. Compare the copies.
    """

    async def confirms_while_b_comes(copies):
        await asyncio.sleep(0)
        unseen(box).add(N3, KEY, B, 0)

    box = box_of()
    box.add(N3, KEY, A, 0)
    box.add(N3, OTHER, A, 0)
    gone = call(bring, box, confirms_while_b_comes)
    kept = unseen(box).due(N3, 0, 9, 999)
    same(
        gone,
        [OTHER],
        "b was merged into the hint for cart:42 meanwhile",
        likely="the right hints are forgotten, and the keys of all are returned. `delivered` says "
        "which hints are gone."
        if kept == [(KEY, AB)]
        else "",
    )
    same(box.due(N3, 0, 9, 999), [(KEY, AB)])


def check_one_chunk_at_a_time():
    """However much there is, CHUNK_KEYS keys are sent at most, by one call of send.

    Likely: a loop until the box is empty. An owner that has just come up is buried under what it missed.
    """
    sent = []

    async def confirms(copies):
        sent.append(len(copies))

    box = watch(HintBox, merge, 1000, SECOND, name="box")
    for i in range(CHUNK_KEYS + 1):
        box.add(N3, b"k%d" % i, A, 0)
    same(len(call(bring, box, confirms)), CHUNK_KEYS)
    same(sent, [CHUNK_KEYS])


# -- in a cluster --------------------------------------------------------------------------------


def check_writes_go_on_and_come_home():
    """Two of three homes are away: the write goes on, and both have it when they are back.

    Likely: something between the three pieces. `kvlab lab 8 --mine` shows where the hints are.
    """
    play("""
        cluster stage=8 nodes=5 n=3 r=2 w=2 durable=on seed=8
        put     k milk via k#1 w=3
        kill    k#2
        kill    k#3
        wait    until k#1 sees k#2 = failed
        wait    until k#1 sees k#3 = failed
        get     k via k#1
        put     k bread via k#1
        expect  result = ok
        wait    until hints total = 2
        expect  k at k#out = missing
        restart k#2
        restart k#3
        wait    until hints total = 0 within 5s
        expect  k at k#2 = bread
        expect  k at k#3 = bread
    """)


def check_w_nodes_are_w_machines():
    """With two of three nodes left, a write with w=3 is refused.

    Likely: a home stands in for another home, and confirms twice.
    """
    play("""
        cluster stage=8 nodes=3 seed=8
        kill    k#3
        wait    until k#1 sees k#3 = failed within 10s
        put     k v via k#1 w=3
        expect  result = QuorumNotReached
        put     k v via k#1 w=2
        expect  result = ok
    """)


def check_a_hint_outlives_a_lost_message():
    """What is lost on its way home is brought again, and does not undo what was written meanwhile.

    Likely: the hint is deleted when it is sent.
    """
    play("""
        cluster stage=8 nodes=4 seed=8
        put     k old via k#1 w=3
        kill    k#3
        wait    until k#1 sees k#3 = failed within 10s
        put     k newer via k#1 w=3
        lose    k#out k#3 100%
        restart k#3
        wait    until k#out sees k#3 = alive within 10s
        wait    3s
        expect  hints total = 1
        get     k via k#1
        put     k newest via k#1 w=3
        heal
        wait    until hints total = 0 within 10s
        expect  k at k#3 = newest
    """)


def check_it_holds_what_its_stage_claims():
    """Under faults and many clients it keeps what stage 8 claims.

    Likely: one of the rules above, in a case that its check has not met. The diagram shows which.
    """
    hold(ClusterConfig(stage=8, nodes=5, n=3, r=2, w=2, timeout_ms=200), 6)
