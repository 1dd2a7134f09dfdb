"""The checks of chapter 5: votes are counted, and a cluster with the coordinator in every node."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from quorum import Answers, QuorumNode, Tally

from kvlab.check.claims import Fault
from kvlab.config import ClusterConfig
from kvlab.core.versions import newest
from kvlab.course.checking import begin, hold, play, same, watch
from kvlab.errors import PeerRefused, PeerSilent
from kvlab.messages import Fetched, Kept, NodeId, Version

N1, N2, N3 = NODES = [NodeId(f"n{i}") for i in (1, 2, 3)]
SILENT = PeerSilent("n2", 500)
REFUSED = PeerRefused("n3", "Busy", "not now")
OLD, NEW = Version(b"old", 100), Version(b"new", 200)


# -- counting ------------------------------------------------------------------------------------


def check_enough_votes_are_enough():
    """add says True from the need-th confirmation on, and False before it.

    Likely: `>` or `==` where it has to be `>=`; or the count is compared with N, and not with what is needed.
    """
    tally = watch(Tally, 2, NODES)
    same(tally.add(N1, Kept()), False)
    same(tally.add(N2, Kept()), True)
    same(tally.add(N3, Kept()), True, "a third one does not take it back")


def check_a_retry_is_not_a_second_vote():
    """A replica counts once, however often it answers.

    Likely: a counter that goes up by one with every answer. A network brings messages twice; what makes a
    quorum is that W different machines have the value.
    """
    tally = watch(Tally, 2, NODES)
    same(tally.add(N1, Kept()), False)
    same(tally.add(N1, Kept()), False, "n1 has one copy, and not two")


def check_an_error_is_no_vote():
    """Who is silent or refuses has confirmed nothing.

    Likely: every answer that `async for` brings is counted. It brings errors too: that is how you hear that
    no answer will come.
    """
    tally = watch(Tally, 1, NODES)
    same(tally.add(N2, SILENT), False)
    same(tally.add(N3, REFUSED), False)
    same(tally.add(N1, Kept()), True)


def check_a_refused_write_is_certainly_not_done():
    """If everybody refused, nothing was done, and the client may be told so.

    Likely: every error is taken for "perhaps". Then a client that could try again at once has to find out
    first.
    """
    tally = watch(Tally, 2, NODES)
    for node in NODES:
        tally.add(node, PeerRefused(node, "Busy", "not now"))
    same(tally.perhaps_done(), False)


def check_a_silent_replica_may_have_done_it():
    """Silence is not a no: the request may have arrived, and only its answer not.

    Likely: silence is taken for a refusal. The message that was lost may have been the answer.
    """
    tally = watch(Tally, 2, NODES)
    tally.add(N3, REFUSED)
    tally.add(N2, SILENT)
    same(tally.perhaps_done(), True)


def check_a_write_that_one_replica_has_is_perhaps_done():
    """If even one replica has confirmed, the write is not undone by a missed quorum.

    Likely: "too few" is taken for "failed". Nobody takes the value back from the replica that has it, and a
    later read may find it there.
    """
    tally = watch(Tally, 2, NODES)
    tally.add(N1, Kept())
    tally.add(N2, PeerRefused("n2", "Busy", "not now"))
    tally.add(N3, REFUSED)
    same(tally.perhaps_done(), True)


def check_nothing_here_is_an_answer():
    """A replica that holds nothing has answered, and counts.

    Likely: `if answer.copy:`. Then a key that nobody has can never be read as missing: the read waits for
    votes that do not come.
    """
    answers = watch(Answers, 2, NODES)
    same(answers.add(N1, Fetched(None)), False)
    same(answers.add(N2, Fetched(None)), True)
    same(answers.agreed(), None)
    same(answers.behind(), [], "all agree that there is nothing")


versions = st.none() | st.builds(
    Version, st.none() | st.sampled_from([b"a", b"b", b"c"]), st.integers(1, 4), st.none()
)


@given(st.lists(versions, min_size=1, max_size=5), st.randoms(use_true_random=False))
def check_the_newest_wins_in_whatever_order_they_answer(copies, random):
    """agreed is the newest of all copies heard so far, whatever the order they came in.

    Likely: the last answer wins, or the first one, and not the newest; or a tombstone is taken for nothing,
    so that an older value comes back to life.
    """
    order = list(range(len(copies)))
    random.shuffle(order)
    answers = watch(Answers, len(copies), [NodeId(f"n{i + 1}") for i in order])
    expected = None
    for i in order:
        answers.add(NodeId(f"n{i + 1}"), Fetched(copies[i]))
        expected = newest(expected, copies[i])
    same(answers.agreed(), expected)


@given(st.lists(versions, min_size=1, max_size=5))
def check_behind_are_those_who_hold_less(copies):
    """behind names who has answered and does not hold the newest; nobody else.

    Likely: who is silent is named as well, though nobody knows what it holds; or who holds nothing is not.
    """
    nodes = [NodeId(f"n{i + 1}") for i in range(len(copies))]
    answers = watch(Answers, len(copies) + 1, [*nodes, NodeId("n9")])
    best = None
    for node, copy in zip(nodes, copies, strict=True):
        answers.add(node, Fetched(copy))
        best = newest(best, copy)
    answers.add(NodeId("n9"), PeerSilent("n9", 500))
    same(sorted(answers.behind()), [n for n, copy in zip(nodes, copies, strict=True) if copy != best])


# -- the node ------------------------------------------------------------------------------------


def check_a_client_is_not_given_a_tombstone():
    """get says None of a key that was deleted.

    Likely: what was read is returned as it is. A tombstone is a version too, and read returns it, for who
    repairs has to know of it; who asks with get is told that there is nothing.
    """

    class Node(QuorumNode):
        def __init__(self, found):
            self.r, self.found = 2, found

        async def read(self, key, r):
            return self.found

    begin()
    for found, expected in ((NEW, NEW), (Version(None, 200), None), (None, None)):
        node = watch(Node, found, name="node")
        same(asyncio.run(node.get(b"k")), expected)


# -- in a cluster --------------------------------------------------------------------------------


def check_what_is_written_is_read():
    """A put, a get through another node, and a delete.

    Likely: get returns a version, as read does, and not the value in it; or None although there is one.
    """
    play("""
        cluster stage=5 nodes=5 n=3 r=2 w=2 seed=5
        expect  get cart:42 via n1 = missing
        put     cart:42 milk via n1
        expect  result = ok
        expect  get cart:42 via n4 = milk
        put     cart:42 bread via n2
        expect  get cart:42 via n5 = bread
        del     cart:42 via n3
        expect  get cart:42 via n1 = missing
    """)


def check_a_write_goes_to_all_replicas():
    """w says how many are waited for, and not how many are written to.

    Likely: only w replicas are asked. Then the third has nothing until somebody reads, and one that dies of
    the two leaves a single copy.
    """
    play("""
        cluster stage=5 nodes=5 n=3 r=2 w=1 repair=off seed=5
        put     cart:42 milk via cart:42#out
        wait    1s
        expect  cart:42 at cart:42#1 = milk
        expect  cart:42 at cart:42#2 = milk
        expect  cart:42 at cart:42#3 = milk
    """)


def check_a_dead_replica_does_not_hold_up_a_write():
    """With w=2, two of three are enough, whichever two.

    Likely: all answers are waited for before they are counted; or the replicas are asked one after the other;
    or the first error ends the operation.
    """
    script = """
        cluster stage=5 nodes=5 n=3 r=2 w=2 timeout=500ms seed=5
        kill    cart:42#1
        put     cart:42 milk via cart:42#out
        expect  result = ok
        expect  get cart:42 via cart:42#out = milk
    """
    play(script, within_ms=400, why="two have answered long since; who is silent is given up after 500 ms")


def check_too_few_is_an_error_that_says_what_is_known():
    """Without a quorum a write raises QuorumNotReached, and says that it is perhaps done.

    Likely: the loop ends without a quorum and the method returns, so that the client is told "done".
    """
    play("""
        cluster stage=5 nodes=5 n=3 r=2 w=2 seed=5
        kill    cart:42#2
        kill    cart:42#3
        put     cart:42 milk via cart:42#1
        expect  result = QuorumNotReached
        expect  result = unknown
        get     cart:42 via cart:42#1
        expect  result = QuorumNotReached
    """)


def check_a_request_may_ask_for_more_or_less():
    """r and w of a request go before those of the cluster.

    Likely: self.w is used, and the argument is not looked at.
    """
    play("""
        cluster stage=5 nodes=5 n=3 r=2 w=2 seed=5
        kill    cart:42#3
        put     cart:42 milk via cart:42#1 w=3
        expect  result = unknown
        put     cart:42 bread via cart:42#1 w=1
        expect  result = ok
        get     cart:42 via cart:42#1 r=3
        expect  result = QuorumNotReached
        get     cart:42 via cart:42#1 r=1
        expect  result = ok
    """)


def check_a_read_meets_the_last_write():
    """r + w > n: whichever two answer a read, one of them has the last write.

    Likely: the first answer is returned, and not the newest of r.
    """
    play("""
        cluster stage=5 nodes=4 n=3 r=2 w=2 repair=off seed=5
        put     k old via k#out w=3
        partition k#3 | k#1 k#2 k#out
        put     k new via k#out
        expect  result = ok
        heal
        slow    k#1 100ms
        expect  get k via k#3 = new
        expect  get k via k#out = new
    """)


def check_a_ttl_is_kept():
    """What expires is gone on every replica.

    Likely: the version is made without the item's expires_ms.
    """
    play("""
        cluster stage=5 nodes=5 n=3 r=2 w=2 seed=5
        put     session:ann secret via n1 ttl=500ms
        expect  get session:ann via n2 = secret
        wait    600ms
        expect  get session:ann via n2 = missing
    """)


def check_a_read_repairs_who_is_behind():
    """After a read the replicas that it found behind hold the newest as well.

    Likely: the repair is awaited before the answer, never begun, or not told of the answers that it needs.
    """
    play("""
        cluster stage=5 nodes=4 n=3 r=3 w=2 seed=5
        put     k old via k#out w=3
        partition k#3 | k#1 k#2 k#out
        put     k new via k#out w=2
        heal
        expect  k at k#3 = old
        get     k via k#out
        wait    until k at k#3 = new within 2s
    """)


def check_who_answers_late_is_repaired_too():
    """The answers after the r-th still say who is behind.

    Likely: repair is given a new round of questions, or none: hand it the iterator that has answers to come.
    """
    play("""
        cluster stage=5 nodes=4 n=3 r=2 w=2 seed=5
        put     k old via k#out w=3
        partition k#3 | k#1 k#2 k#out
        put     k new via k#out
        heal
        slow    k#3 50ms
        get     k via k#out
        wait    until k at k#3 = new within 2s
    """)


def check_a_client_does_not_wait_for_repairs():
    """A read answers when it knows; the repair follows in the background.

    Likely: `await self.repair.after(...)`. That waits for every late answer: env.later does not.
    """
    script = """
        cluster stage=5 nodes=4 n=3 r=2 w=2 timeout=2s seed=5
        put     k milk via k#out w=3
        slow    k#3 500ms
        get     k via k#out
        expect  result = ok
    """
    play(script, within_ms=400, why="only the third replica is slow")


def check_a_read_can_be_written_back():
    """With read_write_back, what one read has returned no later read is without.

    Likely: it is written back in the background, or after the answer; or only to those who were behind of
    those who answered, and not to w replicas.
    """
    play("""
        cluster stage=5 nodes=4 writeback=on repair=off chance=named seed=5
        put     k old via k#out w=3
        lose    Keep of late from k#out to k#2
        lose    Keep of late from k#out to k#3
        put     k new via k#out as late
        expect  result = unknown
        slow    k#1 k#3 200ms
        get     k via k#1
        get     k via k#3
        check   linearizable
    """)


def check_what_is_not_there_is_not_written_back():
    """With read_write_back a read of a key that nobody has finds nothing, and writes nothing.

    Likely: what was agreed is written back without a look at whether it is None.
    """
    play("""
        cluster stage=5 nodes=4 r=1 w=3 writeback=on seed=5
        expect  get k via k#out = missing
    """)


def check_a_read_that_need_not_writes_nothing():
    """Without read_write_back and read_repair a read leaves every replica as it was.

    Likely: a read always writes back. It then costs as much as a write, and fails where a write would.
    """
    play("""
        cluster stage=5 nodes=4 r=3 w=3 repair=off seed=5
        put     k old via k#1
        partition k#3 | k#1 k#2 k#out
        put     k new via k#1 w=2
        heal
        expect  get k via k#1 = new
        wait    1s
        expect  k at k#3 = old
    """)


def check_it_holds_what_its_stage_claims():
    """Under faults and many clients it keeps what stage 5 claims with r + w > n.

    Likely: one of the rules above, in a case that its check has not met. The diagram shows which.
    """
    config = ClusterConfig(stage=5, nodes=5, n=3, r=2, w=2, timeout_ms=200)
    hold(config, 10)
    hold(config, 25, faults=(Fault.LOSS, Fault.PARTITION, Fault.PAUSE, Fault.DELAY))
