"""The checks of chapter 2: which of two copies stays; three nodes with your rules, and a cut cable."""

from __future__ import annotations

import asyncio
from itertools import permutations

from cap import CapNode, newest, reconcile
from hypothesis import given
from hypothesis import strategies as st

from kvlab.config import ClusterConfig
from kvlab.course.checking import begin, call, hold, play, same, true, watch
from kvlab.messages import Version

OLD, NEW = Version(b"old", 100), Version(b"new", 200)


# -- two copies ----------------------------------------------------------------------------------


def check_the_later_stamp_wins():
    """Of two copies the one with the later stamp is the newest; None is earlier than anything.

    Likely: the copy that was met last is taken, whenever it was written. Copies do not meet in the order in
    which they were made.
    """
    same(call(newest, OLD, NEW), NEW)
    same(call(newest, NEW, OLD), NEW)
    same(call(newest, None, OLD), OLD)
    same(call(newest, OLD, None), OLD)
    same(call(newest, None, None), None)


def check_a_tombstone_is_a_version():
    """A tombstone has a stamp and wins by it; with the same stamp it wins over any value.

    Likely: value None is taken for "nothing", and nothing is older than anything. Then what was deleted on
    one side of a cut is brought back by the other.
    """
    same(call(newest, OLD, Version(None, 200)), Version(None, 200), "it was deleted later")
    same(call(newest, NEW, Version(None, 100)), NEW, "it was written again later")
    same(call(newest, Version(b"z", 100), Version(None, 100)), Version(None, 100))
    same(call(newest, Version(None, 100), Version(b"z", 100)), Version(None, 100))


def check_of_equal_stamps_the_greater_value_wins():
    """With the same stamp the greater value wins, whichever of the two is mine.

    Likely: "keep what I have". Then two nodes that wrote in the same millisecond each keep their own, for
    ever.
    """
    same(call(newest, Version(b"a", 100), Version(b"b", 100)), Version(b"b", 100))
    same(call(newest, Version(b"b", 100), Version(b"a", 100)), Version(b"b", 100))


versions = st.builds(Version, st.none() | st.just(b"a"), st.integers(1, 2), st.none() | st.integers(5, 6))


@given(st.lists(versions, min_size=1, max_size=3))
def check_in_whatever_order_copies_meet_the_same_one_is_left(copies):
    """Nodes that have met the same copies hold the same one, in whatever order and however often.

    Likely: two versions that are not the same are equal to the rule (the same stamp and value, another
    expiry), and then the first one wins, or the second.
    """
    expected = None
    for place, order in enumerate(permutations(copies)):
        begin()
        left = None
        for copy in (*order, *order):
            left = call(newest, left, copy)
        if place == 0:
            expected = left
        same(left, expected, f"as if they had come in the order {', '.join(map(str, copies))}")


def check_what_is_overwritten_is_told():
    """reconcile says of an acknowledged write that it is lost if another version stays in its place.

    Likely: it is never told, and whoever was told "done" will not hear of it. Or it is told also of what
    nobody had acknowledged.
    """
    same(call(reconcile, OLD, NEW, True), (NEW, True))
    same(call(reconcile, OLD, NEW, False), (NEW, False), "no client was told that it is done")
    same(call(reconcile, None, NEW, False), (NEW, False))


def check_what_stays_is_not_lost():
    """Nothing is lost if mine stays, or if theirs is the same version.

    Likely: every exchange of copies is reported as a loss. Most of what two nodes exchange they both have.
    """
    same(call(reconcile, NEW, OLD, True), (NEW, False), "theirs is older")
    same(call(reconcile, NEW, NEW, True), (NEW, False), "it is the same write")
    same(call(reconcile, NEW, Version(b"new", 200), True), (NEW, False), "equal, and another object")


# -- while all is well ---------------------------------------------------------------------------


def check_a_client_is_not_given_a_tombstone():
    """get says None of a key that was deleted.

    Likely: what is held is returned as it is. A tombstone is a version too; who asks is told that there is
    nothing.
    """

    class Node(CapNode):
        def __init__(self, consistent, copy):
            self.consistent, self.copy = consistent, copy

        def held(self, key):
            return self.copy

        def missing(self):
            return []

        def in_doubt(self, key):
            return None

        async def has_begun(self):
            return True

    begin()
    for copy, expected in ((NEW, NEW), (Version(None, 200), None), (None, None)):
        for consistent in (True, False):
            node = watch(Node, consistent, copy, name="node")
            same(asyncio.run(node.get(b"k")), expected)


def check_any_node_takes_writes_and_answers():
    """What was put at one node is read at any other, deletes included.

    Likely: a tombstone is handed out as a value; or the write is held here and nobody is told.
    """
    play("""
        cluster stage=2 choice=cp seed=2
        expect  get account:ann via n1 = missing
        put     account:ann 100 via n1
        expect  result = ok
        expect  get account:ann via n3 = 100
        put     account:ann 90 via n2
        expect  get account:ann via n1 = 90
        del     account:ann via n3
        expect  get account:ann via n1 = missing
        expect  get account:ann via n3 = missing
    """)


def check_a_ttl_is_kept():
    """What expires is gone at every node.

    Likely: the version is made without the item's expires_ms.
    """
    play("""
        cluster stage=2 choice=cp seed=2
        put     session:ann secret via n1 ttl=500ms
        expect  get session:ann via n2 = secret
        wait    600ms
        expect  get session:ann via n2 = missing
    """)


def check_cp_is_done_when_all_have_it():
    """With cp a write is ok when all three nodes hold it, and not before.

    Likely: the others are told in the background, or a confirm is not awaited. Then a read somewhere else
    misses a write that was acknowledged.
    """
    play("""
        cluster stage=2 choice=cp seed=2
        put     k old via n1
        slow    n1 n3 100ms
        put     k new via n1
        expect  result = ok
        expect  k at n3 = new
    """)


def check_ap_is_done_at_once():
    """With ap a write is ok when this node holds it, and the others are told in the background.

    Likely: all three are waited for, which is what cp does. A client of ap waits for nobody.
    """
    report = play("""
        cluster stage=2 choice=ap seed=2
        put     warm up via n1
        slow    n1 100ms
        put     k milk via n1
        expect  k at n3 = missing
        wait    until k at n3 = milk within 2s
        wait    until k at n2 = milk within 2s
    """)
    took = report.steps[2].took_ms
    true(took < 50, "the put of k at once", f"{took:.0f} ms")


# -- while a cable is cut ------------------------------------------------------------------------


def check_cp_refuses_writes_while_anybody_is_missing():
    """With cp no side of a cut takes a write, as soon as it has noticed, and nothing is written.

    Likely: the larger side goes on writing. Here every write has to be on all three: who is alone would go on
    answering with the old value. Or the write is held first and refused afterwards.
    """
    play("""
        cluster stage=2 choice=cp seed=2
        put     account:ann 100 via n1
        wait    20ms
        partition n1 | n2 n3
        wait    until n1 sees n2 = suspect within 5s
        wait    until n2 sees n1 = suspect within 5s
        wait    until n3 sees n1 = suspect within 5s
        put     account:ann 40 via n1
        expect  result = WritesLocked
        expect  account:ann at n1 = 100
        put     account:ann 30 via n3
        expect  result = WritesLocked
        expect  account:ann at n3 = 100
        del     account:ann via n2
        expect  result = WritesLocked
        heal
        wait    until n1 sees n2 = alive within 5s
        wait    until n1 sees n3 = alive within 5s
        put     account:ann 40 via n1
        expect  result = ok
        expect  get account:ann via n3 = 40
    """)


def check_cp_goes_on_reading():
    """With cp reads go on while writes are locked, on both sides.

    Likely: everything is refused while somebody is missing. What nobody can change may be told.
    """
    play("""
        cluster stage=2 choice=cp seed=2
        put     account:ann 100 via n1
        wait    20ms
        partition n1 | n2 n3
        wait    until n1 sees n2 = suspect within 5s
        wait    until n3 sees n1 = suspect within 5s
        expect  get account:ann via n1 = 100
        expect  get account:ann via n3 = 100
    """)


def check_a_write_that_the_cut_surprises_is_unknown():
    """With cp a write that not all nodes have confirmed is unknown, and neither done nor failed.

    Likely: ReplicasMissing is caught and the write called done; or the version is taken back, as if that
    could not be lost on its way just as well.
    """
    play("""
        cluster stage=2 choice=cp seed=2
        put     account:bob 50 via n2
        wait    20ms
        partition n1 | n2 n3
        put     account:bob 20 via n2
        expect  result = unknown
        expect  account:bob at n2 = 20
        expect  account:bob at n3 = 20
        expect  account:bob at n1 = 50
        heal
        wait    until account:bob at n1 = 20 within 5s
    """)


def check_what_is_in_doubt_is_told_to_nobody():
    """With cp nobody is told of a write that is perhaps not everywhere; other keys can be read.

    Likely: reads are answered with what is held here. The other side goes on answering with the old value:
    two truths, although every write is refused.
    """
    play("""
        cluster stage=2 choice=cp seed=2
        put     account:ann 100 via n1
        put     account:bob 50 via n2
        wait    20ms
        partition n1 | n2 n3
        put     account:bob 20 via n2
        get     account:bob via n2
        expect  result = InDoubt
        get     account:bob via n3
        expect  result = InDoubt
        expect  get account:bob via n1 = 50
        expect  get account:ann via n2 = 100
        heal
        wait    until get account:bob via n2 = 20 within 5s
        expect  get account:bob via n1 = 20
        check   linearizable
    """)


def check_doubt_is_told_at_once():
    """With cp a read of what is in doubt is refused at once while it is known that somebody is missing.

    Likely: confirm is tried in any case. It waits for the missing one until the time is up, again at each
    read.
    """
    report = play("""
        cluster stage=2 choice=cp seed=2
        put     account:bob 50 via n2
        wait    20ms
        partition n1 | n2 n3
        put     account:bob 20 via n2
        get     account:bob via n2
        expect  result = InDoubt
    """)
    took = report.steps[-2].took_ms
    true(took < 100, "the read refused at once", f"{took:.0f} ms")


def check_a_read_settles_what_is_in_doubt():
    """With cp a read that meets a write on its way has all nodes hold it, and then tells of it.

    Likely: doubt is an error at once, also while nobody is missing. Then a read that comes a millisecond too
    early fails, though all is well.
    """
    play("""
        cluster stage=2 choice=cp seed=2
        put     k old via n1
        slow    n1 n3 100ms
        at 0ms  put k new via n1
        at 20ms expect get k via n2 = new
        expect  k at n3 = new
        check   linearizable
    """)


def check_a_read_tells_only_what_it_has_settled():
    """With cp a read that has waited tells of nothing that came meanwhile, unless that is settled too.

    Likely: the copy is looked up after the waiting, and by then there is another one, which is in doubt.
    """
    play("""
        cluster stage=2 choice=cp seed=2
        put     k one via n1
        wait    20ms
        slow    n2 100ms
        at 0ms   put k two via n2
        at 150ms get k via n2
        at 300ms put k three via n2
        at 380ms partition n2 | n1 n3
        wait    100ms
        kill    n2
        restart n2 empty
        heal
        wait    until get k via n1 = two within 10s
        check   linearizable
    """)


def check_a_stamp_is_later_than_what_was_missed():
    """A node that was just started stamps a write when it knows what it missed, and not before.

    Likely: the version is made first, and then it is waited. What the node hears meanwhile may have a later
    stamp than its own clock gives; then the write loses against what it was to replace.
    """
    play("""
        cluster stage=2 choice=cp seed=2
        put     k old via n1
        kill    n3
        restart n3 empty
        skew    n3 -1m
        put     k new via n3
        expect  result = ok
        expect  get k via n1 = new
    """)


def check_who_has_just_come_back_asks_first():
    """With cp a node that was down is not answered by before it knows what it missed.

    Likely: has_begun is not asked, or its answer is not looked at. A node that was started a moment ago holds
    nothing, and would tell everybody so.
    """
    play("""
        cluster stage=2 choice=cp seed=2
        put     k milk via n1
        kill    n3
        partition n3 | n1 n2
        restart n3
        get     k via n3
        expect  result = Busy
        heal
        wait    until get k via n3 = milk within 5s
    """)


def check_ap_goes_on_with_everything():
    """With ap both sides of a cut read and write, and when it heals the newest of each key is everywhere.

    Likely: the rules of cp are followed without a look at what was chosen.
    """
    play("""
        cluster stage=2 choice=ap seed=2
        put     account:ann 100 via n1
        wait    until account:ann at n3 = 100 within 5s
        partition n1 | n2 n3
        wait    until n1 sees n3 = suspect within 5s
        put     account:ann 40 via n1
        expect  result = ok
        wait    50ms
        put     account:ann 30 via n3
        expect  result = ok
        expect  get account:ann via n1 = 40
        wait    until get account:ann via n2 = 30 within 5s
        heal
        wait    until get account:ann via n1 = 30 within 5s
        expect  overwritten account:ann = 40
        check   convergence
    """)


def check_ap_unites_what_was_written_apart():
    """With ap, what two sides of a cut wrote and deleted under different keys is all there after the heal.

    Likely: a tombstone loses against the older value that the other side still has.
    """
    play("""
        cluster stage=2 choice=ap seed=3
        put     like:cat:bob yes via n2
        wait    until like:cat:bob at n1 = yes within 5s
        partition n1 | n2 n3
        wait    until n1 sees n2 = suspect within 5s
        put     like:cat:eve yes via n1
        put     like:cat:dan yes via n3
        del     like:cat:bob via n2
        heal
        wait    until get like:cat:dan via n1 = yes within 5s
        wait    until get like:cat:eve via n3 = yes within 5s
        wait    until get like:cat:bob via n1 = missing within 5s
        expect  keys at n1 = 2
        check   no-lost-writes
        check   no-resurrection
    """)


def check_it_holds_what_its_stage_claims():
    """Under faults and many clients it keeps what stage 2 claims of cp, and what it claims of ap.

    Likely: one of the rules above, in a case that its check has not met. The diagram shows which.
    """
    hold(ClusterConfig(stage=2, nodes=3, choice="cp", timeout_ms=200), 3)
    hold(ClusterConfig(stage=2, nodes=3, choice="ap", timeout_ms=200), 2)
