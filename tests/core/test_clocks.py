"""Clocks: the paper's figure 3, the laws of contexts and siblings, and the old stories of lost writes."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvlab.core.clocks import (
    Clock,
    Order,
    contains,
    descends,
    highest,
    incremented,
    joined,
    merged,
    merged_clocks,
    next_dot,
    node_of,
    order,
    pruned,
    shown,
    sound,
    with_dot,
    written,
)
from kvlab.messages import NOTHING, Actor, Context, Dot, Sibling, Siblings

A, B, C = Actor("a"), Actor("b"), Actor("c")
ACTORS = (A, B, C)


# -- the vector clock of the paper (section 4.4) ---------------------------------------------------


def test_figure_3_of_the_paper() -> None:
    sx, sy, sz = Actor("Sx"), Actor("Sy"), Actor("Sz")
    d1 = incremented((), sx)
    d2 = incremented(d1, sx)
    d3, d4 = incremented(d2, sy), incremented(d2, sz)
    assert (d1, d2) == (((sx, 1),), ((sx, 2),))
    assert (d3, d4) == (((sx, 2), (sy, 1)), ((sx, 2), (sz, 1)))
    assert order(d2, d3) is Order.BEFORE
    assert order(d4, d1) is Order.AFTER
    assert order(d3, d4) is Order.CONCURRENT
    d5 = incremented(merged_clocks(d3, d4), sx)
    assert d5 == ((sx, 3), (sy, 1), (sz, 1))
    assert order(d5, d3) is order(d5, d4) is Order.AFTER


def clocks() -> st.SearchStrategy[Clock]:
    counts = st.dictionaries(st.sampled_from(ACTORS), st.integers(1, 4))
    return counts.map(lambda found: tuple(sorted(found.items())))


@given(clocks(), clocks())
def test_a_merged_clock_descends_from_both_and_from_nothing_else(a: Clock, b: Clock) -> None:
    both = merged_clocks(a, b)
    assert descends(both, a)
    assert descends(both, b)
    assert all(pair in (*a, *b) for pair in both)
    assert both == merged_clocks(b, a) == merged_clocks(both, a)


@given(clocks(), clocks())
def test_an_order_turned_round_is_the_opposite_one(a: Clock, b: Clock) -> None:
    opposite = {Order.BEFORE: Order.AFTER, Order.AFTER: Order.BEFORE}
    assert order(b, a) is opposite.get(order(a, b), order(a, b))
    assert (order(a, b) is Order.EQUAL) == (a == b)
    assert order(a, incremented(a, B)) is Order.BEFORE


def test_clocks_cannot_be_sorted_by_mistake() -> None:
    with pytest.raises(TypeError):
        _ = Order.BEFORE < Order.AFTER  # type: ignore[operator]


# -- contexts ------------------------------------------------------------------------------------


DOTS = st.builds(Dot, st.sampled_from(ACTORS), st.integers(1, 6))


def context_of(dots: list[Dot]) -> Context:
    context = NOTHING
    for dot in dots:
        context = with_dot(context, dot)
    return context


@given(st.lists(DOTS), st.lists(DOTS))
def test_a_context_is_the_set_of_its_dots_in_one_form(some: list[Dot], more: list[Dot]) -> None:
    both = joined(context_of(some), context_of(more))
    everything = [Dot(actor, count) for actor in ACTORS for count in range(1, 8)]
    assert {dot for dot in everything if contains(both, dot)} == {*some, *more}
    assert both == context_of([*more, *some]) == context_of(sorted({*some, *more}))
    for actor in ACTORS:
        assert highest(both, actor) == max(
            (dot.count for dot in (*some, *more) if dot.actor == actor), default=0
        )
        assert next_dot(both, actor) not in {*some, *more}


def test_a_dot_beyond_a_gap_is_loose_until_the_gap_is_filled() -> None:
    gap = context_of([Dot(A, 1), Dot(A, 3)])
    assert gap == Context(((A, 1),), (Dot(A, 3),))
    assert not contains(gap, Dot(A, 2))
    assert with_dot(gap, Dot(A, 2)) == Context(((A, 3),))


@pytest.mark.parametrize(
    "context",
    [
        Context(((B, 1), (A, 1))),
        Context(((A, 1), (A, 2))),
        Context(((A, 0),)),
        Context((), (Dot(A, 1),)),
        Context(((A, 3),), (Dot(A, 2),)),
        Context((), (Dot(B, 5), Dot(A, 5))),
        Context((), (Dot(A, -1),)),
        Context(((A, 2**53),)),
    ],
)
def test_a_context_that_nobody_can_have_been_given_is_not_sound(context: Context) -> None:
    assert not sound(context)


@given(st.lists(DOTS))
def test_a_context_that_was_given_is_sound(dots: list[Dot]) -> None:
    assert sound(context_of(dots))


def test_people_are_shown_nodes_and_counts() -> None:
    assert node_of(Actor("n12.3.1.7")) == "n12"
    context = context_of([Dot(Actor("n2.1.1.1"), 1), Dot(Actor("n1.1.1.4"), 1), Dot(Actor("n1.1.1.4"), 3)])
    assert shown(context) == "n1:1 n2:1 +n1:3"


# -- siblings: histories of writers and replicas, held to sets -------------------------------------


@dataclass
class Writer:
    context: Context = NOTHING
    seen: frozenset[bytes] = frozenset()


@dataclass
class History:
    """Three replicas, each an actor, and three writers. `seen` says of each write what its writer had seen,
    as a set: the truth that the clocks have to come to by other means."""

    replicas: list[Siblings | None] = field(default_factory=lambda: [None] * 3)
    writers: list[Writer] = field(default_factory=lambda: [Writer() for _ in range(3)])
    seen: dict[bytes, frozenset[bytes]] = field(default_factory=dict)

    def write(self, replica: int, writer: int, blind: bool) -> None:
        who = Writer() if blind else self.writers[writer]
        value = b"%d" % len(self.seen)
        self.seen[value] = who.seen
        self.replicas[replica], context = written(
            self.replicas[replica], who.context, ACTORS[replica], value, len(self.seen)
        )
        self.writers[writer] = Writer(context, who.seen | {value})

    def send(self, replica: int, to: int) -> None:
        self.replicas[to] = merged(self.replicas[to], self.replicas[replica])

    def read(self, replica: int, writer: int) -> None:
        held = self.replicas[replica]
        if held is not None:
            self.writers[writer] = Writer(held.context, self.known(held))

    def known(self, held: Siblings) -> frozenset[bytes]:
        """The values, and all that their writers had seen, and had to have seen for that ..."""
        found, todo = set[bytes](), list(held.values)
        while todo:
            value = todo.pop()
            if value not in found:
                found.add(value)
                todo += self.seen[value]
        return frozenset(found)

    def alive(self) -> set[bytes]:
        """The writes that no other writer had seen."""
        return set(self.seen) - set[bytes]().union(*self.seen.values())


THREE = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), THREE, THREE, st.booleans()),
        st.tuples(st.just("send"), THREE, THREE),
        st.tuples(st.just("read"), THREE, THREE),
    ),
    max_size=20,
)


def lived(steps: list[tuple[str, int, int, bool] | tuple[str, int, int]]) -> History:
    history = History()
    for step, *arguments in steps:
        getattr(history, step)(*arguments)
    return history


HISTORIES = STEPS.map(lived)


def encoded(held: Siblings | None) -> bytes:
    return msgspec.msgpack.encode(held)


@given(HISTORIES)
def test_merging_is_commutative_associative_and_idempotent_to_the_byte(history: History) -> None:
    a, b, c = history.replicas
    assert encoded(merged(a, b)) == encoded(merged(b, a))
    assert encoded(merged(merged(a, b), c)) == encoded(merged(a, merged(b, c)))
    assert encoded(merged(merged(a, b), b)) == encoded(merged(a, b))
    assert merged(a, a) == a


@given(HISTORIES)
def test_no_write_vanishes_unless_another_writer_had_seen_it(history: History) -> None:
    a, b, c = history.replicas
    held = merged(merged(a, b), c)
    assert set(() if held is None else held.values) == history.alive()


@given(HISTORIES)
def test_no_replica_shows_a_value_beside_one_whose_writer_had_seen_it(history: History) -> None:
    for held in history.replicas:
        for value in () if held is None else held.values:
            assert not history.seen[value] & set(held.values if held else ())


@given(HISTORIES)
def test_a_sibling_is_known_to_the_context_beside_it(history: History) -> None:
    for held in history.replicas:
        if held is not None:
            assert all(contains(held.context, sibling.dot) for sibling in held.siblings)
            assert list(held.siblings) == sorted(held.siblings, key=lambda sibling: sibling.dot)


def test_two_writers_in_turn_make_two_siblings_and_not_99() -> None:
    """Riak's sibling explosion: each writer goes on from what its own last write returned."""
    held: Siblings | None = None
    contexts = [NOTHING, NOTHING]
    for turn in range(99):
        value = b"%d" % turn
        held, contexts[turn % 2] = written(held, contexts[turn % 2], A, value, turn)
    assert held is not None
    assert held.values == (b"97", b"98")
    assert held.context == Context(((A, 99),))


def test_blind_writes_are_siblings() -> None:
    held: Siblings | None = None
    for value in (b"x", b"y", b"z"):
        held, _ = written(held, NOTHING, A, value, 0)
    assert held is not None
    assert held.values == (b"x", b"y", b"z")


def test_a_writer_has_not_seen_the_siblings_of_its_own_write() -> None:
    held, _ = written(None, NOTHING, A, b"x", 0)
    held, second = written(held, NOTHING, A, b"y", 0)
    assert second == Context((), (Dot(A, 2),))
    held, _ = written(held, second, A, b"z", 0)
    assert held.values == (b"x", b"z")
    held, _ = written(held, held.context, A, b"all", 0)
    assert held.values == (b"all",)


def test_a_write_that_two_clients_made_alike_is_shown_once() -> None:
    held, _ = written(None, NOTHING, A, b"x", 0)
    held, _ = written(held, NOTHING, A, b"x", 0)
    assert len(held.siblings) == 2
    assert held.values == (b"x",)


def test_what_expired_on_one_replica_has_expired_on_both() -> None:
    held, _ = written(None, NOTHING, A, b"x", 0, expires_ms=10)
    late = held.expired(10)
    assert merged(held, late) == merged(late, held) == late
    assert late.values == ()


# -- pruning -------------------------------------------------------------------------------------


def many(actors: int) -> Siblings:
    """The same value written again by one actor after the other, each having seen the last."""
    held: Siblings | None = None
    for i in range(actors):
        for _ in range(i + 1):
            context = NOTHING if held is None else held.context
            held, _ = written(held, context, Actor(f"a{i:02}"), b"v%d" % i, 0)
    assert held is not None
    return held


def test_pruning_is_off_by_default_and_drops_those_that_wrote_least() -> None:
    held = many(12)
    assert pruned(held, None) is held
    assert [actor for actor, _ in pruned(held, 10).context.clock] == [f"a{i:02}" for i in range(2, 12)]
    assert pruned(pruned(held, 10), 10) == pruned(held, 10)
    assert pruned(held, 10).siblings == held.siblings


def test_pruning_never_drops_the_actor_of_a_sibling() -> None:
    held, _ = written(many(12), NOTHING, Actor("new"), b"blind", 0)
    few = pruned(held, 2)
    assert set(few.values) == {b"v11", b"blind"}
    assert all(contains(few.context, sibling.dot) for sibling in few.siblings)


def test_pruning_drops_the_loose_dots_of_an_actor_too() -> None:
    held = Siblings(context_of([Dot(A, 1), Dot(A, 2), Dot(B, 2), Dot(C, 3)]), ())
    assert pruned(held, 1).context == Context((), (Dot(C, 3),))


def test_pruning_makes_a_false_conflict() -> None:
    """Why it is off: eleven writers later, nobody knows that the first one's value was replaced."""
    old, context = written(None, NOTHING, Actor("a00"), b"old", 0)  # on a replica that is then cut off
    held, _ = written(old, context, Actor("a01"), b"new", 0)
    for i in range(2, 12):
        held, _ = written(held, held.context, Actor(f"a{i:02}"), b"newest", 0)
    assert merged(held, old).values == (b"newest",)
    assert set(merged(pruned(held, 10), old).values) == {b"newest", b"old"}


@given(HISTORIES, st.lists(st.tuples(THREE, THREE), max_size=12), st.integers(1, 3))
def test_replicas_that_prune_come_to_agree(
    history: History, meetings: list[tuple[int, int]], limit: int
) -> None:
    replicas = [pruned(held or Siblings(NOTHING, ()), limit) for held in history.replicas]
    for one, other in [*meetings, *[(0, 1), (1, 2), (2, 0)] * 3]:
        both = pruned(merged(replicas[one], replicas[other]), limit)
        assert both == pruned(merged(replicas[other], replicas[one]), limit)
        replicas[one] = replicas[other] = both
    assert replicas[0] == replicas[1] == replicas[2]


# -- canonical bytes ------------------------------------------------------------------------------


def test_siblings_travel_and_return_as_they_were() -> None:
    held = many(3)
    assert msgspec.msgpack.decode(encoded(held), type=Siblings) == held
    assert held.siblings[0] == Sibling(Dot(Actor("a02"), 3), b"v2", 0)
