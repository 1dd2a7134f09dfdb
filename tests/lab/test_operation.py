"""The operation tab: what was asked of whom, what came of it, and who was waited for."""

from __future__ import annotations

import msgspec
import pytest

from kvlab.lab.draw.operation import window
from kvlab.lab.draw.screen import compose
from kvlab.lab.draw.theme import Theme
from kvlab.lab.draw.waterfall import Axis
from kvlab.lab.questions import Question, enough, questions_of
from kvlab.lab.view import View
from kvlab.messages import NodeId, OpId
from kvlab.trace.events import (
    AnyEvent,
    Delivered,
    Hinted,
    MessageDropped,
    OpEnded,
    OpStarted,
    Repaired,
    Sent,
    Stored,
)
from tests.lab.stories import KEY, births, late_put, put, repaired_get, view

N1, N2, N3, N4, N5 = (NodeId(f"n{i}") for i in range(1, 6))


def drawn(seen: View, size: tuple[int, int] = (120, 40)) -> list[str]:
    return compose(msgspec.structs.replace(seen, tab="operation"), size, Theme()).text()


def words(lines: list[str]) -> str:
    """What stands to the left of the list of operations, as one text."""
    return " ".join(" ".join(line[:81] for line in lines).split())


def row(lines: list[str], *words: str) -> str:
    """The one row with these words in it."""
    found = [line for line in lines if all(word in line for word in words)]
    assert len(found) == 1, (words, found)
    return found[0]


def asked(seen: View) -> dict[NodeId, Question]:
    assert seen.op is not None
    return {question.node: question for question in questions_of(seen.op)}


def test_a_question_is_asked_arrives_is_answered_and_its_answer_arrives() -> None:
    question = asked(view(births(), put()))[N4]
    assert (question.asked_ms, question.arrived_ms) == (300.2, 302)
    assert question.replied_ms == pytest.approx(302.2)
    assert (question.answered_ms, question.reply) == (303, "Kept")


def test_the_answer_that_let_the_coordinator_answer_is_marked_and_later_ones_are_late() -> None:
    seen = view(births(), late_put(), stage=5)
    assert seen.op is not None
    last = enough(seen.op, questions_of(seen.op))
    assert last is not None
    assert last.node == N4
    lines = drawn(seen)
    assert "enough" in row(lines, "n4  Keep ", "█")
    assert "late" in row(lines, "n2  Keep ", "█")
    assert "n2 kept nobody waiting" in words(lines)


def test_the_moment_of_the_answer_stands_between_those_it_waited_for_and_the_late() -> None:
    lines = drawn(view(births(), repaired_get(), stage=5))
    told = row(lines, "the client is told ok").index("▲")
    assert row(lines, "n4  Fetch ", "█").rindex("─") < told < row(lines, "n2  Fetch ", "█").rindex("─")
    assert {row(lines, f"{node}  Fetch ", "█")[told] for node in ("n3", "n4")} == {"│"}


def test_nobody_is_said_to_have_kept_nobody_waiting_where_there_was_a_second_round() -> None:
    """The stand-in was asked because n3 was silent: that was a wait."""
    op = OpId("n1.0.1")
    second: list[AnyEvent] = [
        Sent(300.1, N1, "a", N3, "Keep", 60, op),
        Sent(1800, N1, "b", N5, "KeepHint", 60, op),
        Delivered(1801, N5, "b", N1, "KeepHint", op),
        Sent(1802, N5, "c", N1, "Kept", 20, op, "b"),
        Delivered(1803, N1, "c", N5, "Kept", op),
        OpEnded(1804, N1, op, "put", KEY, "ok", 1504.0),
    ]
    lines = drawn(view(births(), second, stage=8))
    assert "The last answer it waited for was that of n5, after 1504.0 ms." in words(lines)
    assert "kept nobody waiting" not in words(lines)


def test_siblings_that_are_held_are_all_named() -> None:
    held: list[AnyEvent] = [Stored(301, N3, KEY, b"milk", 1, 75, OpId("n1.0.1"), (b"bread",))]
    assert row(drawn(view(births(), held, stage=6)), "n3", "milk and bread")


def test_who_does_not_answer_is_left_open_and_a_lost_question_says_why() -> None:
    lines = drawn(view(births(), put(silent="n3")))
    assert "✗ no connection" in row(lines, "n3  Keep ", "┈")
    assert "unknown, perhaps done, perhaps not" in words(lines)
    until = {ms: [event for event in late_put() if event.at_ms < ms] for ms in (303, 800)}
    assert "no answer yet" in row(drawn(view(births(), until[303], stage=5)), "n2  Keep ", "┈")
    assert "no answer so far" in row(drawn(view(births(), until[800], stage=5)), "n2  Keep ", "┈")


def test_a_refusal_is_marked() -> None:
    op = OpId("n1.0.1")
    told: list[AnyEvent] = [
        Sent(300.1, N1, "a", N3, "Keep", 60, op),
        Delivered(301, N3, "a", N1, "Keep", op),
        Sent(301.5, N3, "b", N1, "Refused", 20, op, "a"),
        Delivered(302, N1, "b", N3, "Refused", op),
    ]
    seen = view(births(), told)
    assert asked(seen)[N3].refused
    assert "✗ says no" in row(drawn(seen), "n3  Keep ", "█")


def test_a_repair_stands_in_the_waterfall_after_the_answer() -> None:
    lines = drawn(view(births(), repaired_get(), stage=5))
    assert "repaired" in row(lines, "n2  Keep ", "█")
    assert row(lines, "has repaired n2")


def test_a_stand_in_says_for_whom() -> None:
    op = OpId("n1.0.1")
    told: list[AnyEvent] = [
        Sent(300.1, N1, "a", N5, "KeepHint", 60, op),
        Delivered(301, N5, "a", N1, "KeepHint", op),
        Hinted(301.1, N5, N3, KEY, "kept", 1, op),
        Sent(301.5, N5, "b", N1, "Kept", 20, op, "a"),
        Delivered(302, N1, "b", N5, "Kept", op),
    ]
    assert "for n3" in row(drawn(view(births(), told, stage=8)), "n5 ", "█")


def test_who_asked_in_anothers_place_is_named_in_full() -> None:
    op, n11 = OpId("n1.0.1"), NodeId("n11")
    told: list[AnyEvent] = [
        Sent(300.1, N1, "a", n11, "Forward", 60, op),
        Delivered(300.9, n11, "a", N1, "Forward", op),
        Sent(301.1, n11, "c", N3, "KeepHint", 60, op),
        Delivered(302, N3, "c", n11, "KeepHint", op),
        Hinted(302.1, N3, NodeId("n10"), KEY, "kept", 1, op),
        Sent(302.5, N3, "d", n11, "Kept", 20, op, "c"),
        Delivered(303, n11, "d", N3, "Kept", op),
    ]
    assert "for n10 by n11" in row(drawn(view(births(12), told, stage=8, nodes=12), (80, 24)), "n3 ", "█")


def test_what_a_coordinator_does_as_a_replica_is_a_question_to_itself() -> None:
    told = [event for event in put() if not isinstance(event, Stored)]
    mine: list[AnyEvent] = [Stored(300.3, N1, KEY, b"milk", 1, 75, OpId("n1.0.1"))]
    lines = drawn(view(births(), sorted([*told, *mine], key=lambda event: event.at_ms)))
    assert "itself" in row(lines, "n1  itself", "█")
    assert "itself" not in " ".join(drawn(view(births(), repaired_get(), stage=5)))


def test_a_message_lost_on_the_way_back_is_told_as_lost() -> None:
    op = OpId("n1.0.1")
    told: list[AnyEvent] = [
        Sent(300.1, N1, "a", N3, "Keep", 60, op),
        Delivered(301, N3, "a", N1, "Keep", op),
        Sent(301.5, N3, "b", N1, "Kept", 20, op, "a"),
        MessageDropped(302, N3, "b", N1, "Kept", "loss", op),
    ]
    assert "✗ loss" in row(drawn(view(births(), told)), "n3  Keep ", "┈")


def test_the_last_copy_sent_to_a_peer_is_the_one_that_repaired_it() -> None:
    op = OpId("n1.0.1")
    told: list[AnyEvent] = [
        Sent(300.1, N1, "a", N3, "Fetch", 60, op),
        Sent(301.1, N1, "b", N3, "Keep", 60, op),
        Repaired(303, N1, KEY, N3, "read", op),
    ]
    seen = view(births(), told)
    assert seen.op is not None
    assert [(question.kind, question.repair) for question in questions_of(seen.op)] == [
        ("Fetch", False),
        ("Keep", True),
    ]


def test_every_node_of_the_operation_has_a_lane_also_one_that_is_dead() -> None:
    head = row(drawn(view(births(), put(silent="n3"))), "ms n1", "WHAT HAPPENED")
    assert head.split()[1:5] == ["n1", "n3", "n4", "n2"]


def test_where_there_is_no_room_for_lanes_there_are_none() -> None:
    everybody: list[AnyEvent] = [
        Sent(300.1, N1, f"a{i}", NodeId(f"n{i}"), "Keep", 60, OpId("n1.0.1")) for i in range(2, 13)
    ]
    lines = drawn(view(births(12), everybody, nodes=12), (80, 24))
    assert not any("╎" in line for line in lines)
    assert any("n1  → n" in line for line in lines)


def test_the_chosen_event_is_on_the_screen_and_marked() -> None:
    seen = view(births(), late_put(), stage=5)
    assert seen.op is not None
    sizes: list[tuple[int, int]] = [(80, 24), (120, 40)]
    for size in sizes:
        for at in range(len(seen.op.events)):
            lines = drawn(msgspec.structs.replace(seen, chosen=at), size)
            marked = [line for line in lines if line.startswith("▶")]
            assert len(marked) == 1
            assert seen.op.events[at].node in marked[0]
            if size[1] == 40:  # there is a row for each
                assert f"{seen.op.events[at].at_ms - seen.op.started_ms:.1f}" in marked[0]


def test_a_window_of_rows_holds_the_chosen_one() -> None:
    assert window(5, 4, 10) == (0, 5)
    assert window(100, 50, 10) == (45, 55)
    assert window(100, 99, 10) == (90, 100)
    assert window(100, 0, 10) == (0, 10)


def test_the_axis_is_divided_by_round_numbers() -> None:
    assert Axis(0, 40, 300, 304.5).ticks() == [0, 1, 2, 3, 4]
    assert Axis(0, 40, 0, 1500).ticks() == [0, 500, 1000, 1500]
    assert Axis(0, 40, 0, 0).ticks()[0] == 0
    assert (Axis(10, 41, 300, 340).column(300), Axis(10, 41, 300, 340).column(340)) == (10, 50)


def test_the_last_operations_are_listed_with_what_came_of_them() -> None:
    lines = drawn(view(births(), put(), put("n1.0.2", 500, b"bread", silent="n3")))
    assert "✓" in row(lines, "1 put cart:42 = milk")
    assert "unknown" in row(lines, "│▶  2 put cart:42 = bread")


def test_of_answers_that_came_in_one_moment_the_one_that_was_needed_is_marked() -> None:
    """W=2: the third is told before the coordinator has acted on the second, and was not waited for."""
    told = sorted(put(), key=lambda event: event.at_ms)
    together = [
        msgspec.structs.replace(event, at_ms=303.1)
        if isinstance(event, Delivered) and event.node == N1 and event.sender == N2
        else event
        for event in told
    ]
    seen = view(births(), sorted(together, key=lambda event: event.at_ms), stage=5)
    assert seen.op is not None
    questions = questions_of(seen.op)
    needed, waited_for = enough(seen.op, questions, 2), enough(seen.op, questions, 3)
    assert needed is not None
    assert waited_for is not None
    assert (needed.node, waited_for.node) == (N4, N2)
    assert "that of n4, after 4.5 ms; n2" not in words(drawn(seen))
    assert "that of n4, after 4.5 ms." in words(drawn(seen))


def test_an_answer_that_was_waited_for_is_decisive_whatever_the_cluster_asks_for() -> None:
    """A request may have had a number of its own: put ... w=3."""
    seen = view(births(), put(), stage=5)
    assert seen.op is not None
    waited_for = enough(seen.op, questions_of(seen.op), 1)
    assert waited_for is not None
    assert waited_for.node == N2


def test_why_an_operation_has_failed_is_told_to_its_end_where_events_leave_room() -> None:
    """It says what a client may assume, and what to do."""
    op = OpId("n1.0.1")
    why = (
        "n1 takes no writes: n2 and n3 cannot be told of them, and would go on answering with the old value. "
        "Nothing was written. It will be possible again a moment after all of them are heard from"
    )
    told: list[AnyEvent] = [
        OpStarted(300.0, N1, op, "put", KEY, b"milk"),
        OpEnded(300.0, N1, op, "put", KEY, "failed", 0.0, (), "WritesLocked", why),
    ]
    lines = drawn(view(births(3), told, stage=2, nodes=3), (80, 24))
    assert why in " ".join(" ".join(lines).split())
