"""The heartbeat table. The gossip here is synchronous: rounds, in which everybody sends, and then hears."""

from __future__ import annotations

from collections.abc import Callable
from math import log, log2
from random import Random
from statistics import mean

from hypothesis import given, settings
from hypothesis import strategies as st

from kvlab.core.detectors import Belief, PhiDetector, TimeoutDetector
from kvlab.core.membership import UNHEARD, AwakeClock, Membership
from kvlab.messages import NodeId, Row

PERIOD, SUSPECT, FAIL = 100.0, 600.0, 1200.0
N1, N2, N3, N4 = (NodeId(f"n{i}") for i in range(1, 5))

Heard = Callable[[NodeId, NodeId], bool]
"""(sender, receiver) -> whether a message gets through."""


class Cluster:
    """Nodes that gossip in rounds, one each period; who hears whom is up to the test."""

    def __init__(self, count: int, seed: int = 1, *, phi: bool = False) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.names = [NodeId(f"n{i + 1}") for i in range(count)]
        self.phi = phi
        self.nodes = {name: self.member(name) for name in self.names}
        self.stopped: set[NodeId] = set()

    def member(self, name: NodeId, generation: int = 0) -> Membership:
        def detector(heard_ms: float) -> PhiDetector | TimeoutDetector:
            return PhiDetector(heard_ms, PERIOD) if self.phi else TimeoutDetector(heard_ms, SUSPECT, FAIL)

        member = Membership(name, generation, 0, period_ms=PERIOD, detector=detector, now_ms=self.now)
        member.expect(self.names, self.now)
        return member

    def running(self) -> list[NodeId]:
        return [name for name in self.names if name not in self.stopped]

    def round(
        self, heard: Heard = lambda sender, receiver: True, *, fanout: int = 2, pull: bool = True
    ) -> None:
        """A period: every heart beats, and everybody exchanges tables with `fanout` others at random."""
        self.now += PERIOD
        for name in self.running():
            self.nodes[name].tick(self.now)
        sent = {name: self.nodes[name].table(self.now) for name in self.running()}
        for name in self.running():
            others = [other for other in self.names if other != name]
            for peer in self.random.sample(others, min(fanout, len(others))):
                if peer in self.stopped:
                    continue
                if heard(name, peer):
                    self.nodes[peer].merge(sent[name], self.now)
                    if pull and heard(peer, name):
                        self.nodes[name].merge(sent[peer], self.now)

    def rounds(self, count: int, heard: Heard = lambda sender, receiver: True) -> None:
        for _ in range(count):
            self.round(heard)

    def beliefs(self, of: NodeId) -> set[Belief]:
        return {self.nodes[name].belief(of) for name in self.running() if name != of}


def row_of(member: Membership, node: NodeId, now: float) -> Row:
    return next(row for row in member.table(now) if row.node == node)


# -- how news spread ------------------------------------------------------------------------------


def rounds_to_all(count: int, seed: int, *, pull: bool) -> int:
    """In how many rounds everybody has heard of a heartbeat, each sending to one other a round."""
    cluster = Cluster(count, seed)
    news = cluster.nodes[N1].heartbeat + 1
    for rounds in range(1, 100):
        cluster.round(fanout=1, pull=pull)
        if all(row_of(node, N1, cluster.now).heartbeat >= news for node in cluster.nodes.values()):
            return rounds
    raise AssertionError("never")


def test_news_reach_everybody_in_a_logarithm_of_rounds() -> None:
    """Pittel 1987: log2 n + ln n by pushing alone. Ten nodes need about 6 rounds, and 3.5 with the pull."""
    push = mean(rounds_to_all(10, seed, pull=False) for seed in range(60))
    assert abs(push - (log2(10) + log(10))) < 0.8
    both = mean(rounds_to_all(10, seed, pull=True) for seed in range(60))
    assert 3 < both < 4.2


def test_ten_times_the_nodes_need_only_a_few_more_rounds() -> None:
    both = mean(rounds_to_all(100, seed, pull=True) for seed in range(2))
    assert 5 < both < 8.5


# -- conviction -----------------------------------------------------------------------------------


@given(st.integers(3, 9), st.integers(0, 10**6), st.booleans())
@settings(max_examples=20)
def test_a_dead_node_is_convicted_by_all_and_nobody_else_is(count: int, seed: int, phi: bool) -> None:
    cluster = Cluster(count, seed, phi=phi)
    cluster.rounds(15)
    cluster.stopped.add(N1)
    cluster.rounds(60)
    assert cluster.beliefs(N1) == {Belief.FAILED}
    for name in cluster.running():
        assert cluster.beliefs(name) == {Belief.ALIVE}


def test_who_is_heard_by_one_is_heard_by_all() -> None:
    """n1 and n3 are cut from each other, and n2 passes on the pulse of each to the other."""
    cluster = Cluster(3)
    for _ in range(100):
        cluster.round(lambda sender, receiver: N2 in (sender, receiver))
        assert cluster.beliefs(N1) | cluster.beliefs(N3) == {Belief.ALIVE}


@given(st.integers(3, 6), st.integers(0, 10**6), st.floats(0.5, 0.95))
@settings(max_examples=15)
def test_failed_only_when_nobody_has_heard(count: int, seed: int, loss: float) -> None:
    """Nobody is dead, but so much is lost that many are suspected, and some convicted.

    Whoever a convict's judge takes for alive has itself been without news, at the heartbeat the judge knows,
    for the time in which one is suspected.
    """
    cluster, fate = Cluster(count, seed), Random(seed)
    learned: dict[tuple[NodeId, NodeId], list[tuple[int, float, float]]] = {}  # beat, of when, when
    failed_before: set[tuple[NodeId, NodeId]] = set()

    def note() -> None:
        for name, node in cluster.nodes.items():
            for row in node.table(cluster.now):
                news = learned.setdefault((name, row.node), [])
                if not news or news[-1][0] < row.heartbeat:
                    news.append((row.heartbeat, cluster.now - row.age_ms, cluster.now))

    def silent_at(witness: NodeId, of: NodeId, heartbeat: int) -> bool:
        """Whether it once heard nothing above this heartbeat for so long, before hearing more."""
        heard = [of_when for beat, of_when, _ in learned[witness, of] if beat <= heartbeat]
        later = [when for beat, _, when in learned[witness, of] if beat > heartbeat]
        return (min(later) if later else cluster.now) - max(heard, default=0.0) >= SUSPECT

    for _ in range(60):
        cluster.round(lambda sender, receiver: fate.random() > loss)
        note()
        for judge, node in cluster.nodes.items():
            alive = [name for name in cluster.names if node.belief(name) is Belief.ALIVE]
            for name in cluster.names:
                if node.belief(name) is not Belief.FAILED:
                    failed_before.discard((judge, name))
                elif (judge, name) not in failed_before:
                    failed_before.add((judge, name))
                    heartbeat = row_of(node, name, cluster.now).heartbeat
                    assert all(silent_at(witness, name, heartbeat) for witness in alive), (judge, name)


def test_one_silent_listener_convicts_nobody_whom_the_others_have_not_accused() -> None:
    """n1 has heard nothing of n3 for ever, but n2 lives and has not said the same."""
    cluster = Cluster(3)
    judge = cluster.nodes[N1]
    for beat in range(1, 40):
        cluster.now += PERIOD
        judge.tick(cluster.now)
        judge.merge([Row(N2, 0, beat, 0)], cluster.now)
    assert judge.belief(N3) is Belief.SUSPECT
    silent = row_of(judge, N3, cluster.now)
    judge.merge([Row(N3, silent.generation, silent.heartbeat, 4000, (N2,))], cluster.now)
    assert judge.belief(N3) is Belief.FAILED


def test_an_accusation_is_of_one_heartbeat_and_does_not_count_for_the_next() -> None:
    cluster = Cluster(3)
    judge = cluster.nodes[N1]
    accused = Row(N3, 0, 1, 4000, (N2,))
    judge.merge([accused], cluster.now)
    judge.merge([Row(N3, 0, 2, 0)], cluster.now)  # which n2 may have heard, as far as n1 can tell
    for beat in range(1, 40):
        cluster.now += PERIOD
        judge.tick(cluster.now)
        judge.merge([Row(N2, 0, beat, 0), accused], cluster.now)  # said by somebody who is behind
    assert judge.belief(N3) is Belief.SUSPECT


def test_the_two_halves_of_a_cut_convict_each_other_and_no_own_member() -> None:
    cluster = Cluster(5)
    cluster.rounds(10)
    left, right = cluster.names[:2], cluster.names[2:]
    cluster.rounds(40, lambda sender, receiver: (sender in left) == (receiver in left))
    for name in cluster.names:
        mine, theirs = (left, right) if name in left else (right, left)
        assert {cluster.nodes[name].belief(other) for other in mine} == {Belief.ALIVE}
        assert {cluster.nodes[name].belief(other) for other in theirs} == {Belief.FAILED}
    cluster.rounds(10)
    assert {belief for name in cluster.names for belief in cluster.beliefs(name)} == {Belief.ALIVE}


# -- refutation -----------------------------------------------------------------------------------


def test_the_accused_refutes_with_its_next_heartbeat() -> None:
    cluster = Cluster(4)
    cluster.rounds(10)
    cluster.stopped.add(N1)
    cluster.rounds(30)
    assert cluster.beliefs(N1) == {Belief.FAILED}
    cluster.stopped.discard(N1)
    cluster.rounds(5)
    assert cluster.beliefs(N1) == {Belief.ALIVE}


def test_whoever_hears_that_it_is_accused_beats_at_once() -> None:
    node = Cluster(3).nodes[N1]
    node.tick(100.0)
    node.merge([Row(N1, 0, node.heartbeat, 900, (N2, N3))], 110.0)
    assert node.heartbeat == 2
    node.merge([Row(N1, 0, 1, 900, (N2, N3))], 120.0)  # that one is refuted already
    assert node.heartbeat == 2


@given(st.integers(0, 10**6))
@settings(max_examples=10)
def test_no_third_party_brings_back_the_dead(seed: int) -> None:
    """A table from before its death, and the table of one who slept through it, change nothing."""
    cluster = Cluster(5, seed)
    cluster.rounds(10)
    old = cluster.nodes[N2].table(cluster.now)
    cluster.stopped |= {N1, N3}
    cluster.rounds(40)
    assert cluster.beliefs(N1) == {Belief.FAILED}
    cluster.stopped.discard(N3)
    for name in cluster.running():
        cluster.nodes[name].merge(old, cluster.now)
    for _ in range(40):
        cluster.round()
        seen = {cluster.nodes[name].belief(N1) for name in cluster.running() if name != N3}
        assert seen == {Belief.FAILED}
    assert cluster.nodes[N3].belief(N1) is Belief.FAILED


def test_a_later_word_of_the_dead_from_a_witness_reopens_the_case() -> None:
    """It was heard by somebody after all, though long ago: suspect, until all have said so again."""
    cluster = Cluster(2)
    judge = cluster.nodes[N1]
    for _ in range(30):
        cluster.now += PERIOD
        judge.tick(cluster.now)
    assert judge.belief(N2) is Belief.FAILED
    judge.merge([Row(N2, 0, 7, 800), Row(N3, 0, 1, 0)], cluster.now)
    assert judge.belief(N2) is Belief.SUSPECT
    assert judge.belief(N3) is Belief.ALIVE


def test_news_are_as_old_as_they_are_and_not_as_new_as_their_coming() -> None:
    """A newcomer who is told of a long silence does not take it for a fresh sign of life."""
    newcomer = Cluster(1).nodes[N1]
    newcomer.merge([Row(N2, 0, 1, 0), Row(N3, 0, 50, 9000, (N1, N2))], 10.0)
    assert newcomer.belief(N2) is Belief.ALIVE
    assert newcomer.belief(N3) is Belief.FAILED


# -- one's own pauses, and clocks -----------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(5, 1000), st.booleans())
@settings(max_examples=15)
def test_a_paused_observer_convicts_nobody(seed: int, rounds: int, phi: bool) -> None:
    """Nor does it suspect: that it heard nobody was its own doing."""
    cluster = Cluster(4, seed, phi=phi)
    cluster.rounds(10)
    cluster.stopped.add(N1)
    cluster.now += rounds * PERIOD  # the others live on and need not be played through
    cluster.stopped.discard(N1)
    for name in (N2, N3, N4):
        cluster.nodes[name] = cluster.member(name, generation=0)
    observer = cluster.nodes[N1]
    assert not observer.tick(cluster.now)
    assert {observer.belief(name) for name in cluster.names} == {Belief.ALIVE}
    cluster.rounds(3, lambda sender, receiver: receiver != N1)  # nor in the next moments
    assert {observer.belief(name) for name in cluster.names} == {Belief.ALIVE}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-(10**9), 10**9)), max_size=4))
def test_a_clock_that_is_set_convicts_nobody(jumps: list[tuple[int, int]]) -> None:
    cluster = Cluster(2)
    node, skew = cluster.nodes[N1], 0
    for i in range(10):
        cluster.now += PERIOD
        skew += sum(by for at, by in jumps if at == i)
        node.merge([Row(N2, 0, i + 1, 20)], cluster.now + skew)
        assert not node.tick(cluster.now + skew)


@given(st.lists(st.integers(-5000, 5000), max_size=50))
def test_time_awake_goes_forward_and_never_by_more_than_two_periods(steps: list[int]) -> None:
    clock, now, before = AwakeClock(PERIOD, 0), 0, 0.0
    for step in steps:
        now += step
        awake = clock.read(now)
        assert 0 <= awake - before <= 2 * PERIOD
        assert awake - before == step or not 0 <= step <= 2 * PERIOD
        before = awake


# -- lives, and leaving ---------------------------------------------------------------------------


def test_a_restarted_node_counts_from_nothing_and_is_heard_all_the_same() -> None:
    cluster = Cluster(4)
    cluster.rounds(30)
    cluster.nodes[N1] = cluster.member(N1, generation=1)
    cluster.rounds(5)
    for name in (N2, N3, N4):
        row = row_of(cluster.nodes[name], N1, cluster.now)
        assert (row.generation, row.heartbeat) > (1, 0)
    cluster.rounds(20)
    assert cluster.beliefs(N1) == {Belief.ALIVE}


def test_a_node_that_lost_its_generation_learns_it_from_the_others_and_goes_above() -> None:
    """A wiped disk, and a clock set back: the others would take its heartbeats for old ones."""
    cluster = Cluster(4)
    cluster.nodes[N1] = cluster.member(N1, generation=7)
    cluster.rounds(30)
    cluster.nodes[N1] = cluster.member(N1, generation=2)
    cluster.rounds(20)
    assert cluster.nodes[N1].generation == 8
    assert cluster.beliefs(N1) == {Belief.ALIVE}


def test_a_life_that_forgot_how_far_it_had_counted_goes_on_from_there() -> None:
    node = Cluster(2).nodes[N1]
    node.merge([Row(N1, 0, 90, 10)], 50.0)
    node.tick(100.0)
    assert (node.generation, node.heartbeat) == (0, 91)


@given(st.integers(0, 10**6))
@settings(max_examples=10)
def test_who_left_stays_left_whatever_third_parties_say(seed: int) -> None:
    cluster = Cluster(5, seed)
    cluster.rounds(10)
    old = cluster.nodes[N3].table(cluster.now)
    cluster.nodes[N2].leave(N1, cluster.now)
    cluster.stopped.add(N1)
    cluster.rounds(8)
    assert cluster.beliefs(N1) == {Belief.LEFT}
    for name in cluster.running():
        cluster.nodes[name].merge(old, cluster.now)
        assert N1 not in cluster.nodes[name].others()
    cluster.rounds(30)
    assert cluster.beliefs(N1) == {Belief.LEFT}


def test_failed_is_not_left() -> None:
    cluster = Cluster(3)
    cluster.rounds(5)
    cluster.stopped.add(N1)
    cluster.rounds(500)
    assert cluster.beliefs(N1) == {Belief.FAILED}
    assert N1 in cluster.nodes[N2].others()


def test_a_name_that_left_can_join_again_in_a_new_life() -> None:
    cluster = Cluster(4)
    cluster.rounds(5)
    cluster.nodes[N1].leave(N1, cluster.now)
    cluster.rounds(5)
    assert cluster.beliefs(N1) == {Belief.LEFT}
    cluster.nodes[N1] = cluster.member(N1, generation=0)  # it knows nothing of its earlier life
    cluster.rounds(8)
    assert cluster.nodes[N1].generation == 1
    assert cluster.beliefs(N1) == {Belief.ALIVE}


def test_who_left_and_is_expected_again_has_not_left_whatever_is_said_of_its_old_life() -> None:
    """Nor does it count as alive for ever: if it never speaks, it fails as anybody would."""
    cluster = Cluster(4)
    cluster.rounds(5)
    cluster.stopped.add(N1)
    for name in cluster.running():
        cluster.nodes[name].leave(N1, cluster.now)
    cluster.rounds(5)
    assert cluster.beliefs(N1) == {Belief.LEFT}
    changes = cluster.nodes[N2].expect([N1], cluster.now)
    assert changes == [(N1, Belief.ALIVE)]
    cluster.nodes[N2].merge(cluster.nodes[N3].table(cluster.now), cluster.now)
    assert cluster.nodes[N2].belief(N1) is Belief.ALIVE
    cluster.rounds(5)
    assert cluster.beliefs(N1) == {Belief.ALIVE}  # the others have heard that it is expected
    cluster.rounds(100)
    assert cluster.beliefs(N1) == {Belief.FAILED}


def test_where_a_node_expected_again_listens_is_learnt_with_its_first_heartbeat() -> None:
    member = Membership(
        N2, 0, 0, period_ms=PERIOD, detector=lambda ms: TimeoutDetector(ms, SUSPECT, FAIL), now_ms=0
    )
    member.merge([Row(N1, 0, 7, 0, (), True, 4001)], 0)
    member.expect([N1], 0)
    member.merge([Row(N1, 1, 1, 0, (), False, 4002)], 0)
    assert member.address_of(N1) == 4002


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.booleans()), min_size=1, max_size=12))
def test_a_row_goes_forward_only(rows: list[tuple[int, int, bool]]) -> None:
    """In whatever order tables come: by generation, then whether it left, then by heartbeat."""
    node = Cluster(1).nodes[N1]
    best = (UNHEARD, False, 0)
    for i, (generation, heartbeat, left) in enumerate(rows):
        node.merge([Row(N2, generation, heartbeat, 0, (), left)], float(i))
        known = row_of(node, N2, float(i))
        now = (known.generation, known.left, 0 if known.left else known.heartbeat)
        assert now >= best
        assert now[:2] >= (generation, left)
        best = now


def test_a_change_of_belief_is_told_once() -> None:
    cluster = Cluster(2)
    judge = cluster.nodes[N1]
    told = []
    for _ in range(30):
        cluster.now += PERIOD
        told += judge.tick(cluster.now)
    assert told == [(N2, Belief.SUSPECT), (N2, Belief.FAILED)]
    assert judge.merge([Row(N2, 0, 1, 0)], cluster.now) == [(N2, Belief.ALIVE)]
    assert judge.merge([Row(N2, 0, 2, 0)], cluster.now) == []
