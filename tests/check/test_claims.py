"""Lost writes, resurrection, sessions and convergence: a history each."""

from __future__ import annotations

import pytest

from kvlab.check.convergence import Copies, convergence, differences
from kvlab.check.history import Operation, Verdict
from kvlab.check.sessions import monotonic_reads, read_your_writes
from kvlab.check.siblings import all_siblings
from kvlab.check.writes import failed_is_failed, no_lost_writes, no_resurrection
from kvlab.errors import Outcome
from kvlab.messages import NodeId

OK, FAILED, UNKNOWN = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN
N1, N2, N3 = NodeId("n1"), NodeId("n2"), NodeId("n3")


def put(value: bytes, start: float, end: float, outcome: Outcome = OK, via: str = "n1") -> Operation:
    return Operation("put", b"k", via, start, end, outcome, value)


def delete(start: float, end: float, outcome: Outcome = OK, via: str = "n1") -> Operation:
    return Operation("delete", b"k", via, start, end, outcome)


def took(start: float, end: float, *seen: bytes) -> Operation:
    """A delete by somebody who had seen these."""
    return Operation("delete", b"k", "n1", start, end, replaces=seen)


def get(start: float, end: float, *found: bytes, via: str = "n1", outcome: Outcome = OK) -> Operation:
    return Operation("get", b"k", via, start, end, outcome, found=found)


def mortal(value: bytes, start: float, end: float) -> Operation:
    return Operation("put", b"k", "n1", start, end, OK, value, mortal=True)


@pytest.mark.parametrize(
    ("history", "found", "verdict"),
    [
        ([put(b"a", 0, 1)], [b"a"], "ok"),
        ([put(b"a", 0, 1)], [], "illegal"),
        ([put(b"a", 0, 1), put(b"b", 2, 3)], [b"b"], "ok"),
        ([put(b"a", 0, 1), put(b"b", 2, 3)], [b"a"], "illegal"),
        ([put(b"a", 0, 5), put(b"b", 2, 3)], [b"a"], "ok"),  # concurrent: either is right
        ([put(b"a", 0, 5), put(b"b", 2, 3)], [b"b"], "ok"),
        ([put(b"a", 0, 5), put(b"b", 2, 3)], [], "illegal"),
        ([put(b"a", 0, 5), put(b"b", 2, 3), put(b"c", 4, 9)], [b"b"], "illegal"),  # c followed b
        ([put(b"a", 0, 5), put(b"b", 2, 3), put(b"c", 4, 9)], [b"a"], "ok"),
        ([put(b"a", 0, 1), put(b"b", 2, 3, UNKNOWN)], [b"a"], "ok"),
        ([put(b"a", 0, 1), put(b"b", 2, 3, UNKNOWN)], [b"b"], "ok"),
        ([put(b"a", 0, 1, UNKNOWN), put(b"b", 2, 3)], [b"a"], "ok"),  # it may have arrived late
        ([put(b"a", 0, 1, UNKNOWN)], [], "ok"),
        ([put(b"a", 0, 1, FAILED)], [], "ok"),
        ([put(b"a", 0, 1, FAILED)], [b"a"], "illegal"),
        ([put(b"a", 0, 1)], [b"x"], "illegal"),
        ([put(b"a", 0, 1), delete(2, 3)], [], "ok"),
        ([put(b"a", 0, 1), delete(2, 3)], [b"a"], "illegal"),
        ([put(b"a", 0, 1), delete(2, 3, UNKNOWN)], [], "ok"),
        ([put(b"a", 0, 1), delete(2, 3, FAILED)], [], "illegal"),
        ([delete(0, 1), put(b"a", 2, 3)], [], "illegal"),
        ([mortal(b"a", 0, 1)], [], "ok"),
        ([put(b"a", 0, 1), put(b"b", 0, 1)], [b"a", b"b"], "ok"),
    ],
)
def test_the_last_acknowledged_write_is_there_or_lost(
    history: list[Operation], found: list[bytes], verdict: str
) -> None:
    assert no_lost_writes(history, {b"k": get(20, 21, *found)}).verdict == verdict


@pytest.mark.parametrize(
    ("history", "verdict"),
    [
        ([put(b"a", 0, 1, FAILED), get(2, 3)], "ok"),
        ([put(b"a", 0, 1, FAILED), get(2, 3, b"a")], "illegal"),
        ([put(b"a", 2, 3, FAILED), get(0, 1, b"a")], "illegal"),  # before it was said, or after
        ([put(b"a", 0, 1, FAILED), get(2, 3, b"a", outcome=FAILED)], "ok"),  # that read found nothing
        ([put(b"a", 0, 1, UNKNOWN), get(2, 3, b"a")], "ok"),
        ([put(b"a", 0, 1, FAILED), put(b"a", 2, 3), get(4, 5, b"a")], "ok"),  # written again, and done
        ([put(b"a", 0, 1), put(b"b", 2, 3, FAILED), get(4, 5, b"a", b"b")], "illegal"),  # as a sibling
        ([put(b"b", 2, 3, FAILED), get(4, 5, b"b"), put(b"c", 6, 7), get(8, 9, b"c")], "illegal"),
        ([put(b"a", 0, 1), delete(2, 3, FAILED), get(4, 5)], "ok"),  # lost, which is another claim
    ],
)  # fmt: skip
def test_what_was_said_to_have_failed_is_never_found(history: list[Operation], verdict: str) -> None:
    assert failed_is_failed(history).verdict == verdict


def test_a_failed_write_among_the_siblings_is_one_too_many() -> None:
    history = [put(b"a", 0, 1), put(b"b", 2, 3, FAILED)]
    last = get(20, 21, b"a", b"b")
    judgement = all_siblings(history, {b"k": last})
    assert judgement.verdict is Verdict.ILLEGAL
    assert judgement.witness == (history[1], last)


def test_a_lost_write_is_proved_by_the_write_what_was_found_and_the_read() -> None:
    history = [put(b"a", 0, 1), put(b"b", 2, 3)]
    last = get(20, 21, b"a")
    assert no_lost_writes(history, {b"k": last}).witness == (history[0], history[1], last)


def test_a_key_that_cannot_be_read_at_the_end_is_undecided() -> None:
    judgement = no_lost_writes([put(b"a", 0, 1)], {b"k": get(2, 3, outcome=UNKNOWN)})
    assert judgement.verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("history", "verdict"),
    [
        ([put(b"a", 0, 1), delete(2, 3), get(4, 5)], "ok"),
        ([put(b"a", 0, 1), delete(2, 3), get(4, 5, b"a")], "illegal"),
        ([put(b"a", 0, 2), delete(2, 3), get(4, 5, b"a")], "ok"),  # the write may have come after
        ([put(b"a", 0, 1), delete(2, 3), get(3, 5, b"a")], "ok"),  # the read may have come before
        ([put(b"a", 0, 1, UNKNOWN), delete(2, 3), get(4, 5, b"a")], "ok"),
        ([put(b"a", 0, 1), delete(2, 3, UNKNOWN), get(4, 5, b"a")], "ok"),
        ([put(b"a", 0, 1), delete(2, 3), put(b"b", 4, 5), get(6, 7, b"b")], "ok"),
        ([put(b"a", 0, 1), delete(2, 3), put(b"b", 4, 5), get(6, 7, b"a", b"b")], "illegal"),
        # With contexts a delete takes what it has seen; the later one has seen less than the earlier.
        ([put(b"a", 0, 1), took(2, 3, b"a"), put(b"b", 4, 5), took(6, 7, b"b"), get(8, 9, b"a")], "illegal"),
        ([put(b"a", 0, 1), took(2, 3), put(b"b", 4, 5), took(6, 7, b"b"), get(8, 9, b"a")], "ok"),
    ],
)
def test_what_was_deleted_stays_deleted(history: list[Operation], verdict: str) -> None:
    assert no_resurrection(history).verdict == verdict


@pytest.mark.parametrize(
    ("history", "verdict"),
    [
        ([put(b"a", 0, 1), get(2, 3, b"a")], "ok"),
        ([put(b"a", 0, 1), get(2, 3)], "illegal"),
        ([put(b"a", 0, 1), get(2, 3, via="n2")], "ok"),  # another session
        ([put(b"a", 0, 1), get(1, 3)], "ok"),  # not after it
        ([put(b"a", 0, 1, UNKNOWN), get(2, 3)], "ok"),
        ([put(b"a", 0, 1), put(b"b", 2, 3), get(4, 5, b"a")], "illegal"),
        ([put(b"a", 0, 1), put(b"b", 2, 3, via="n2"), get(4, 5, b"b")], "ok"),
        ([put(b"a", 0, 1), put(b"b", 2, 3), get(4, 5, b"a", b"b")], "ok"),
        ([put(b"a", 0, 1), delete(2, 3), get(4, 5)], "ok"),
        ([put(b"a", 0, 1), delete(2, 3), get(4, 5, b"a")], "illegal"),
        ([put(b"a", 0, 1), delete(0, 3, via="n2"), get(4, 5)], "ok"),
        ([mortal(b"a", 0, 1), get(2, 3)], "ok"),
    ],
)
def test_a_session_reads_its_own_writes(history: list[Operation], verdict: str) -> None:
    assert read_your_writes(history).verdict == verdict


@pytest.mark.parametrize(
    ("reads", "verdict"),
    [
        ([get(4, 5, b"a"), get(6, 7, b"b")], "ok"),
        ([get(4, 5, b"b"), get(6, 7, b"a")], "illegal"),
        ([get(4, 5, b"b"), get(6, 7)], "illegal"),
        ([get(4, 5, b"b"), get(5, 7, b"a")], "ok"),  # concurrent reads
        ([get(4, 5, b"b"), get(6, 7, b"a", via="n2")], "ok"),
    ],
)
def test_a_session_does_not_read_backwards(reads: list[Operation], verdict: str) -> None:
    writes = [put(b"a", 0, 1, via="n3"), put(b"b", 2, 3, via="n3")]
    assert monotonic_reads([*writes, *reads]).verdict == verdict


def test_replicas_that_hold_the_same_in_any_order_have_converged() -> None:
    copies: Copies = {b"k": {N1: (b"a", b"b"), N2: (b"b", b"a")}, b"j": {N1: (), N2: ()}}
    assert convergence(copies).verdict is Verdict.OK


def test_replicas_that_differ_are_named() -> None:
    (difference,) = differences({b"k": {N1: (b"a",), N2: (), N3: None}})
    assert str(difference) == "k: n1 holds a, n2 holds nothing"


def test_a_replica_that_cannot_be_looked_at_leaves_convergence_undecided() -> None:
    judgement = convergence({b"k": {N1: (b"a",), N2: None}})
    assert judgement.verdict is Verdict.UNDECIDED
    assert "n2" in judgement.sentence


def after(value: bytes, start: float, end: float, *seen: bytes, outcome: Outcome = OK) -> Operation:
    """A put by a client that has seen these values."""
    return Operation("put", b"k", "n1", start, end, outcome, value, replaces=seen)


def undoing(start: float, end: float, *seen: bytes, outcome: Outcome = OK) -> Operation:
    """A delete by a client that has seen these values."""
    return Operation("delete", b"k", "n1", start, end, outcome, replaces=seen)


@pytest.mark.parametrize(
    ("history", "found", "verdict"),
    [
        ([after(b"a", 0, 1), after(b"b", 2, 3)], [b"a", b"b"], "ok"),  # the second had seen nothing
        ([after(b"a", 0, 1), after(b"b", 2, 3)], [b"b"], "illegal"),
        ([after(b"a", 0, 1), after(b"b", 2, 3)], [b"b", b"a"], "ok"),
        ([after(b"a", 0, 1), after(b"b", 2, 3, b"a")], [b"b"], "ok"),
        ([after(b"a", 0, 1), after(b"b", 2, 3, b"a")], [b"a", b"b"], "illegal"),
        ([after(b"a", 0, 1), after(b"b", 2, 3, b"a"), after(b"c", 4, 5, b"b")], [b"a", b"c"], "illegal"),
        ([after(b"a", 0, 1), after(b"b", 2, 3, b"a", outcome=UNKNOWN)], [b"a"], "ok"),
        ([after(b"a", 0, 1), after(b"b", 2, 3, b"a", outcome=UNKNOWN)], [b"b"], "ok"),
        ([after(b"a", 0, 1), after(b"b", 2, 3, b"a", outcome=FAILED)], [b"a"], "ok"),
        ([after(b"a", 0, 1), after(b"b", 2, 3, b"a", outcome=FAILED)], [], "illegal"),
        ([after(b"a", 0, 1), undoing(2, 3, b"a")], [], "ok"),
        ([after(b"a", 0, 1), undoing(2, 3, b"a")], [b"a"], "illegal"),
        ([after(b"a", 0, 1), after(b"b", 2, 3), undoing(4, 5, b"a")], [b"b"], "ok"),
        ([after(b"a", 0, 1), after(b"b", 2, 3), undoing(4, 5, b"a")], [], "illegal"),
        ([after(b"a", 0, 1), delete(2, 3)], [], "ok"),  # what its coordinator found, nobody knows
        ([after(b"a", 4, 5), delete(2, 3)], [], "illegal"),
        ([after(b"a", 4, 5), delete(2, 3, UNKNOWN)], [], "ok"),
        ([after(b"a", 0, 1), after(b"a", 2, 3)], [b"a"], "undecided"),
        ([get(0, 1)], [], "ok"),
    ],
)
def test_every_write_that_nobody_replaced_is_a_sibling_and_no_other(
    history: list[Operation], found: list[bytes], verdict: str
) -> None:
    assert all_siblings(history, {b"k": get(20, 21, *found)}).verdict == verdict


def test_a_delete_takes_only_what_its_client_had_seen() -> None:
    history = [after(b"a", 0, 1), after(b"b", 2, 3), undoing(4, 5, b"b"), get(6, 7, b"a")]
    final = {b"k": get(20, 21, b"a")}
    for judgement in (no_lost_writes(history, final), no_resurrection(history), read_your_writes(history)):
        assert judgement.verdict is Verdict.OK, judgement
    back = [*history, get(8, 9, b"b")]
    assert no_resurrection(back).verdict is Verdict.ILLEGAL


def test_a_session_may_find_a_sibling_of_what_it_wrote_once_that_is_replaced() -> None:
    """Found by fuzzing stage 6: the delete is under way, and the sibling was never seen by who deletes."""
    writes = [after(b"a", 0, 1), after(b"b", 2, 3)]
    assert read_your_writes([*writes, undoing(4, 9, b"b"), get(5, 6, b"a")]).verdict is Verdict.OK
    assert read_your_writes([*writes, get(5, 6, b"a")]).verdict is Verdict.ILLEGAL
    seen = [after(b"a", 0, 1), after(b"b", 2, 3, b"a")]
    assert read_your_writes([*seen, undoing(4, 9, b"b"), get(5, 6, b"a")]).verdict is Verdict.ILLEGAL
