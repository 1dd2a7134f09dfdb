"""Linearizability by zones, held to brute force over every order of many small random histories."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from kvlab.check.history import WITNESS_MAX, Operation, Verdict
from kvlab.check.linear import linearizable
from kvlab.errors import Outcome

OK, FAILED, UNKNOWN = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN


def put(value: bytes, start: float, end: float, outcome: Outcome = OK) -> Operation:
    return Operation("put", b"k", "n1", start, end, outcome, value)


def get(start: float, end: float, *found: bytes, outcome: Outcome = OK) -> Operation:
    return Operation("get", b"k", "n1", start, end, outcome, found=found)


@st.composite
def histories(draw: st.DrawFn) -> list[Operation]:
    """Up to seven operations on one register, most of them reads; each value is written once."""
    operations = []
    writes = draw(st.integers(0, 3))
    for i in range(draw(st.integers(1, 7))):
        start = draw(st.integers(0, 12))
        end = start + draw(st.integers(0, 6))
        outcome = draw(st.sampled_from([OK, OK, OK, UNKNOWN, FAILED]))
        if i < writes:
            operations.append(put(b"%d" % i, start, end, outcome))
        else:
            value = draw(st.sampled_from([(), *((b"%d" % j,) for j in range(max(1, writes)))]))
            operations.append(get(start, end, *value, outcome=outcome))
    return operations


def has_an_order(history: Sequence[Operation]) -> bool:
    """Brute force: try every order that respects time; unknown writes may happen late, or never."""
    must = [op for op in history if op.outcome is OK]
    may = [op for op in history if op.outcome is UNKNOWN and op.is_write]

    def ends(op: Operation) -> float:
        return op.end_ms if op.outcome is OK else inf

    def search(value: bytes | None, left: list[Operation]) -> bool:
        if not any(op.outcome is OK for op in left):
            return True
        for op in left:
            if any(ends(other) < op.start_ms for other in left):
                continue  # another has to come first
            rest = [other for other in left if other is not op]
            if op.is_write:
                if search(op.value, rest):
                    return True
            elif op.found == (() if value is None else (value,)) and search(value, rest):
                return True
        return False

    return search(None, [*must, *may])


@settings(max_examples=600)
@given(histories())
def test_zones_and_brute_force_agree_on_every_small_history(history: list[Operation]) -> None:
    judgement = linearizable(history)
    assert (judgement.verdict is Verdict.OK) == has_an_order(history), judgement
    assert len(judgement.witness) <= WITNESS_MAX


@given(histories())
def test_what_is_illegal_is_proved_by_its_witness_and_the_writes_it_reads(history: list[Operation]) -> None:
    judgement = linearizable(history)
    if judgement.verdict is Verdict.ILLEGAL:
        read = {value for op in judgement.witness for value in op.found}
        writes = [op for op in history if op.value in read and op not in judgement.witness]
        assert not has_an_order([*judgement.witness, *writes])


def test_a_read_of_the_old_value_after_a_read_of_the_new_one_has_no_order() -> None:
    history = [put(b"a", 0, 1), put(b"b", 2, 9), get(3, 4, b"b"), get(5, 6, b"a")]
    assert linearizable(history).verdict is Verdict.ILLEGAL


def test_an_unknown_write_may_happen_long_after_its_client_gave_up() -> None:
    history = [put(b"a", 0, 1, UNKNOWN), put(b"b", 2, 3), get(4, 5, b"b"), get(6, 7, b"a")]
    assert linearizable(history).verdict is Verdict.OK
    assert linearizable([*history, get(8, 9, b"b")]).verdict is Verdict.ILLEGAL


def test_each_key_is_judged_by_itself() -> None:
    other = [Operation("get", b"other", "n1", 5, 6, found=(b"x",))]
    assert linearizable([put(b"a", 0, 1), get(2, 3, b"a")]).verdict is Verdict.OK
    assert linearizable([put(b"a", 0, 1), *other]).verdict is Verdict.ILLEGAL
