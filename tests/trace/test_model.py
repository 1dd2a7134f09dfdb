"""A model is a fold over events that may be late, missing, or out of order between processes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kvlab.messages import Member, NodeId, OpId, RingSpec, Version
from kvlab.trace.events import (
    AnyEvent,
    Believed,
    ClockSkewed,
    Delivered,
    EventsLost,
    Exchanged,
    Hinted,
    LineFailed,
    LinkChanged,
    MessageDropped,
    NodeKilled,
    NodeLeft,
    NodePaused,
    NodeReady,
    NodeResumed,
    NodeStarting,
    OpEnded,
    OpStarted,
    Partitioned,
    Removed,
    Repaired,
    RingChanged,
    ScriptLine,
    Sent,
    Stored,
    Used,
)
from kvlab.trace.model import DROPPED_MAX, OPERATION_EVENTS_MAX, OPERATIONS_MAX, causal_order
from tests.lab.stories import KEY, births, cut, death, model_of, put

N1, N2, N3 = NodeId("n1"), NodeId("n2"), NodeId("n3")
WORLD = NodeId("")


def test_nodes_are_known_by_what_they_told() -> None:
    model = model_of(births(), put())
    assert [node.state for node in model.nodes.values()] == ["up"] * 5
    assert (model.nodes[N3].port, model.nodes[N3].pid) == (7003, 4003)
    assert (model.nodes[N3].keys, model.nodes[N3].bytes) == (1, 75)


def test_an_operation_has_its_events_its_holders_and_its_outcome() -> None:
    operation = model_of(births(), put()).operations[OpId("n1.0.1")]
    assert (operation.kind, operation.key, operation.value, operation.via) == ("put", KEY, b"milk", N1)
    assert (operation.outcome, operation.took_ms) == ("ok", 4.5)
    assert operation.holders() == ["n3", "n4", "n2"]
    assert operation.silent() == []


def test_who_was_asked_and_has_not_answered_is_silent() -> None:
    operation = model_of(births(), put(silent="n4")).operations[OpId("n1.0.1")]
    assert operation.silent() == ["n4"]
    assert operation.outcome == "unknown"


def test_a_line_that_fell_short_stands_in_the_log_as_such() -> None:
    lines: list[AnyEvent] = [
        ScriptLine(1.0, WORLD, "kill n1"),
        ScriptLine(2.0, WORLD, "kill n1"),
        LineFailed(2.0, WORLD, "kill n1", 2.0, "not done"),
        LineFailed(3.0, WORLD, "kill n9", 0.5, "not done"),  # of a line that nobody remembers
    ]
    assert list(model_of(lines).log) == [lines[0], lines[2]]


@given(st.permutations(put()[1:]))
def test_the_order_in_which_events_arrive_does_not_matter(events: list[AnyEvent]) -> None:
    operation = model_of(births(), events).operations[OpId("n1.0.1")]
    assert (operation.outcome, operation.started_ms, operation.value) == ("ok", 300.0, b"milk")
    assert set(operation.holders()) == {"n2", "n3", "n4"}
    assert operation.silent() == []
    assert not model_of(births(), events).flying


@given(st.lists(st.sampled_from(births() + put() + death("n3", 302) + put("n1.0.2", 302)), max_size=40))
def test_whatever_is_missing_or_told_twice_the_fold_goes_on(events: list[AnyEvent]) -> None:
    model = model_of(events)
    for operation in model.operations.values():
        assert sorted(map(id, causal_order(operation.events))) == sorted(map(id, operation.events))


def test_a_killed_node_holds_nothing_and_what_it_coordinated_is_unknown() -> None:
    started: list[AnyEvent] = [OpStarted(300, N1, OpId("n1.0.9"), "put", KEY, b"v")]
    model = model_of(births(), put(), started, death("n1", 400), death("n3", 400))
    assert (model.nodes[N3].state, model.nodes[N3].keys, model.nodes[N3].bytes) == ("down", 0, 0)
    assert model.operations[OpId("n1.0.9")].outcome == "unknown"
    assert "n1 was gone" in model.operations[OpId("n1.0.9")].text


def test_an_answer_told_just_before_the_death_counts_although_it_arrives_after() -> None:
    started: list[AnyEvent] = [OpStarted(300, N1, OpId("n1.0.9"), "put", KEY, b"v")]
    ended: list[AnyEvent] = [OpEnded(301, N1, OpId("n1.0.9"), "put", KEY, "ok", 1.0)]
    assert model_of(births(), started, death("n1", 302), ended).operations[OpId("n1.0.9")].outcome == "ok"


def test_what_an_earlier_life_stored_is_not_what_the_new_one_holds() -> None:
    again: list[AnyEvent] = [NodeStarting(500, N3, "z1", 1), NodeReady(600, N3, 1, 7003, 5003)]
    late: list[AnyEvent] = [Stored(399, N3, b"old", b"v", 9, 900)]
    dead = model_of(births(), put(), death("n3", 400), late)
    assert dead.nodes[N3].keys == 0
    alive = model_of(births(), put(), death("n3", 400), again, late)
    assert (alive.nodes[N3].keys, alive.nodes[N3].generation, alive.nodes[N3].state) == (0, 1, "up")


def test_paused_resumed_and_gone_are_states() -> None:
    states = []
    for change in (NodePaused(1, N2), NodeResumed(2, N2), NodeLeft(3, N2)):
        states.append(model_of(births(), [change]).nodes[N2].state)
    assert states == ["paused", "up", "left"]


def test_removed_keys_are_gone_from_the_items() -> None:
    removed: list[AnyEvent] = [Removed(400, N3, KEY, "deleted", 0, 0)]
    assert KEY in model_of(births(), put()).items[N3]
    assert KEY not in model_of(births(), put(), removed).items[N3]


def test_faults_of_the_network_come_and_go() -> None:
    model = model_of(births(), cut(300))
    assert [" ".join(group) for group in model.groups] == ["n1 n2", "n3 n4 n5"]
    model.apply(LinkChanged(301, N1, N2, delay_ms=80))
    assert model.links[N1, N2].delay_ms == 80
    model.apply(LinkChanged(302, N1, N2))
    assert not model.links
    model.apply(LinkChanged(303, N1, N2, loss=0.1))
    model.apply(Partitioned(304, WORLD, ()))
    assert not model.groups
    assert not model.links
    model.apply(ClockSkewed(305, N2, 5000))
    assert model.nodes[N2].skew_ms == 5000


def test_a_ring_is_in_force_when_it_is_installed_and_never_goes_back() -> None:
    model = model_of(births())
    later = RingSpec(1, (Member(N1), Member(N2)), 8)
    model.apply(RingChanged(300, N1, later, "prepared"))
    assert (model.phase, model.ring.epoch) == ("prepared", 0)
    model.apply(RingChanged(301, N1, later, "installed"))
    assert (model.phase, model.ring) == ("", later)
    model.apply(RingChanged(299, N2, RingSpec(0, (), 8), "installed"))
    assert model.ring == later


def test_messages_fly_until_they_land_whichever_is_told_first() -> None:
    model = model_of(births())
    model.apply(Sent(300, N1, "n1.0.1", N2, "Keep", 10))
    assert list(model.flying) == ["n1.0.1"]
    model.apply(Delivered(301, N2, "n1.0.1", N1, "Keep"))
    model.apply(Delivered(302, N2, "n1.0.2", N1, "Keep"))
    model.apply(Sent(302.1, N1, "n1.0.2", N2, "Keep", 10))
    assert not model.flying


def test_lost_events_are_counted() -> None:
    lost: list[AnyEvent] = [EventsLost(1, N1, 40), EventsLost(2, N1, 2)]
    assert model_of(lost).lost == 42


def test_memory_is_bounded_and_an_operation_long_gone_stays_gone() -> None:
    model = model_of(births())
    for i in range(OPERATIONS_MAX + 50):
        model.apply(OpStarted(300 + i, N1, OpId(f"n1.0.{i}"), "get", KEY))
    assert len(model.operations) == OPERATIONS_MAX
    model.apply(Delivered(999, N2, "n1.0.7", N1, "Keep", OpId("n1.0.0")))
    assert OpId("n1.0.0") not in model.operations
    last = OpId(f"n1.0.{OPERATIONS_MAX + 49}")
    for i in range(OPERATION_EVENTS_MAX + 10):
        model.apply(Stored(1000 + i, N2, KEY, b"v", 1, 1, last))
    assert len(model.operations[last].events) == OPERATION_EVENTS_MAX
    assert model.operations[last].cut == 11  # its start is one of those kept


def test_causes_stand_before_effects_although_the_clocks_disagree() -> None:
    sent = Sent(10.0, N1, "n1.0.1", N2, "Keep", 10)
    heard = Delivered(9.0, N2, "n1.0.1", N1, "Keep")  # told by a clock that is a millisecond behind
    stored = Stored(9.1, N2, KEY, b"v", 1, 1)
    other = Stored(9.5, N3, KEY, b"v", 1, 1)
    assert causal_order([heard, stored, other, sent]) == [other, sent, heard, stored]


def test_a_damaged_recording_with_causes_in_a_circle_is_still_shown() -> None:
    events: list[AnyEvent] = [
        Delivered(1, N1, "b", N2, "x"),
        Sent(2, N1, "a", N2, "x", 1),
        Delivered(1, N2, "a", N1, "x"),
        Sent(2, N2, "b", N1, "x", 1),
    ]
    assert len(causal_order(events)) == 4


def test_a_node_believes_something_since_a_time_and_forgets_it_with_its_life() -> None:
    told: list[AnyEvent] = [
        *death("n3", 400),
        Believed(1500, N1, N3, "suspect"),
        Believed(2600, N1, N3, "failed"),
    ]
    model = model_of(births(), told)
    assert model.nodes[N3].gone_ms == 400
    assert model.nodes[N1].beliefs == {N3: "failed"}
    assert model.nodes[N1].believed_ms == {N3: 2600}
    model.apply(death("n1", 3000)[1])
    assert model.nodes[N1].beliefs == {}
    assert model.nodes[N1].believed_ms == {}


def test_who_is_killed_while_paused_is_gone_since_the_pause() -> None:
    paused: list[AnyEvent] = [NodePaused(350, N3), NodePaused(350, N2), NodeResumed(390, N2)]
    model = model_of(births(), paused, death("n3", 400))
    assert (model.nodes[N3].gone_ms, model.nodes[N2].gone_ms) == (350, None)


def test_hints_are_known_one_by_one_until_they_are_delivered() -> None:
    op = OpId("n1.0.1")
    kept: list[AnyEvent] = [Hinted(500, N1, N3, b"a", "kept", 1, op), Hinted(501, N1, N3, b"b", "kept", 2)]
    merged: list[AnyEvent] = [Hinted(502, N1, N3, b"a", "merged", 2), Hinted(503, N1, N2, b"c", "refused", 2)]
    model = model_of(births(), kept, merged)
    assert [(hint.owner, hint.key, hint.since_ms) for hint in model.kept_hints[N1].values()] == [
        (N3, b"a", 500), (N3, b"b", 501),
    ]  # fmt: skip
    assert Hinted(500, N1, N3, b"a", "kept", 1, op) in model.operations[op].events
    model.apply(Hinted(900, N1, N3, b"a", "delivered", 1))
    assert [hint.key for hint in model.kept_hints[N1].values()] == [b"b"]
    assert model.nodes[N1].hints == {N3: 1}
    model.apply(death("n1", 1000)[1])
    assert N1 not in model.kept_hints
    model.apply(Hinted(999, N1, N3, b"d", "kept", 2))  # told late by the life that has ended
    assert model.nodes[N1].hints == {}


def test_copies_are_known_with_their_versions_until_their_holder_dies() -> None:
    milk, gone = Version(b"milk", 1_700_000_000_000), Version(None, 1_700_000_000_500)
    model = model_of(births(), [Stored(400, N3, KEY, b"milk", 1, 75, copy=milk)])
    assert model.copies[N3] == {KEY: milk}
    model.apply(Removed(500, N3, KEY, "deleted", 0, 70, copy=gone, tombstones=1))
    assert (model.copies[N3], model.items[N3], model.nodes[N3].tombstones) == ({KEY: gone}, {}, 1)
    model.apply(Removed(600, N3, KEY, "reaped", 0, 0))
    assert model.copies[N3] == {}
    model.apply(Stored(700, N3, KEY, b"milk", 1, 75, copy=milk))
    model.apply(death("n3", 800)[1])
    assert N3 not in model.copies


def test_what_changes_nothing_is_no_news() -> None:
    op = OpId("n1.0.1")
    quiet: list[AnyEvent] = [
        Exchanged(900, N1, N2, 1, 0, 0, 16, (0,)),
        Hinted(901, N1, N3, KEY, "kept", 1, op),
        Repaired(902, N1, KEY, N2, "anti-entropy"),
    ]
    model = model_of(births(), put(), quiet)
    assert isinstance(model.latest, OpEnded)
    assert model.found is None
    found = Exchanged(1000, N1, N2, 4, 1, 1, 900, (1, 1, 1, 1))
    told: list[AnyEvent] = [
        found,
        Hinted(1001, N1, N3, KEY, "delivered", 0),
        Believed(1002, N1, N3, "suspect"),
    ]
    for news in told:
        model.apply(news)
        assert model.latest == news
    assert model.found is found


def test_repairs_and_hints_are_events_of_the_operation_they_were_made_for() -> None:
    model, op = model_of(births()), OpId("n1.0.9")
    model.apply(OpStarted(300, N1, op, "get", KEY))
    told: list[AnyEvent] = [Repaired(301, N1, KEY, N2, "read", op), Hinted(302, N3, N2, KEY, "kept", 1, op)]
    for event in told:
        model.apply(event)
    model.apply(Repaired(303, N1, KEY, N2, "anti-entropy"))
    assert model.operations[op].events[1:] == told


def test_heartbeats_that_were_dropped_do_not_crowd_out_the_others() -> None:
    lost = MessageDropped(300.0, N1, "n1.0.1", N2, "Keep", "partition")
    beats: list[AnyEvent] = [
        MessageDropped(301.0 + i, N1, f"n1.0.{i + 2}", N2, "Gossip", "partition") for i in range(500)
    ]
    model = model_of(births(), [lost], beats)
    assert list(model.dropped) == [lost]
    assert list(model.dropped_heartbeats) == beats[-DROPPED_MAX:]


def test_what_a_process_took_is_kept_for_a_minute_and_goes_with_it() -> None:
    used: list[AnyEvent] = [Used(1000.0 * i, N2, 12.5, 30_000_000 + i) for i in range(100)]
    model = model_of(births(), used)
    assert list(model.used[N2]) == used[-60:]
    assert N2 not in model_of(births(), used, [NodeKilled(200_000.0, N2)]).used


def test_every_operation_that_ends_is_counted_also_one_whose_beginning_was_lost() -> None:
    ends: list[AnyEvent] = [OpEnded(400.0, N1, OpId(f"n1.0.{i}"), "get", KEY, "ok", 2.0) for i in range(300)]
    model = model_of(births(), ends)
    again = model.copy()
    again.apply(ends[0])
    assert [quarter.ok for quarter in model.ended.quarters()] == [300]
    assert [quarter.ok for quarter in again.ended.quarters()] == [301]


def test_what_was_mended_is_told_before_who_is_taken_for_alive_again() -> None:
    delivered = Hinted(1000, N1, N3, KEY, "delivered", 0)
    model = model_of(births(), [delivered, Believed(1200, N2, N3, "alive")])
    assert model.latest == delivered
    later: list[AnyEvent] = [Believed(1300, N2, N3, "suspect"), Believed(4500, N2, N3, "alive")]
    for news in later:
        model.apply(news)
        assert model.latest == news
