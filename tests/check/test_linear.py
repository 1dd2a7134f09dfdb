"""The search for an order, held to brute force and to zones over many small random histories.

python -m tests.check.test_linear 100000        as many of each kind; about ten seconds
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import inf
from random import Random

import pytest

from kvlab.check.history import WITNESS_MAX, Operation, Verdict
from kvlab.check.linear import by_search, linearizable
from kvlab.check.zones import by_zones, suits
from kvlab.errors import Outcome

OK, FAILED, UNKNOWN = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN
STATES = ((), (b"a",), (b"b",))


def put(value: bytes, start: float, end: float, outcome: Outcome = OK) -> Operation:
    return Operation("put", b"k", "n1", start, end, outcome, value)


def delete(start: float, end: float, outcome: Outcome = OK) -> Operation:
    return Operation("delete", b"k", "n1", start, end, outcome)


def get(start: float, end: float, *found: bytes, outcome: Outcome = OK) -> Operation:
    return Operation("get", b"k", "n1", start, end, outcome, found=found)


def cas(
    expected: tuple[bytes, ...],
    value: bytes,
    start: float,
    end: float,
    found: tuple[bytes, ...] = (),
    outcome: Outcome = OK,
) -> Operation:
    return Operation("cas", b"k", "n1", start, end, outcome, value, found, expected=expected)


def repeating(random: Random) -> list[Operation]:
    """Up to six operations on a register of three states: each is written more than once."""
    operations = []
    for _ in range(random.randint(1, 6)):
        start = random.randint(0, 9)
        end = start + random.randint(0, 6)
        outcome = random.choice([OK, OK, OK, OK, UNKNOWN, FAILED])
        found = random.choice(STATES)
        match random.choice(["put", "put", "delete", "get", "get", "cas"]):
            case "put":
                operations.append(put(random.choice([b"a", b"b"]), start, end, outcome))
            case "delete":
                operations.append(delete(start, end, outcome))
            case "get":
                operations.append(get(start, end, *found, outcome=outcome))
            case _:
                found = found if outcome is OK else ()
                value = random.choice([b"a", b"b"])
                operations.append(cas(random.choice(STATES), value, start, end, found, outcome))
    return operations


def unique(random: Random) -> list[Operation]:
    """Up to eight operations, of which no two write the same."""
    operations = []
    writes = random.randint(0, 3)
    for i in range(random.randint(1, 8)):
        start = random.randint(0, 12)
        end = start + random.randint(0, 6)
        outcome = random.choice([OK, OK, OK, UNKNOWN, FAILED])
        if i < writes:
            operations.append(put(b"%d" % i, start, end, outcome))
        else:
            value = random.choice([(), *((b"%d" % j,) for j in range(max(1, writes)))])
            operations.append(get(start, end, *value, outcome=outcome))
    return operations


def has_an_order(history: Sequence[Operation]) -> bool:
    """Brute force: try every order that respects time; unknown writes may happen late, or never."""

    def ends(op: Operation) -> float:
        return op.end_ms if op.outcome is OK else inf

    def search(state: tuple[bytes, ...], left: list[Operation]) -> bool:
        if not any(op.outcome is OK for op in left):
            return True
        for op in left:
            if any(ends(other) < op.start_ms for other in left):
                continue  # another has to come first
            if op.kind in ("get", "cas") and op.outcome is OK and op.found != state:
                continue
            if op.kind == "get" or (op.kind == "cas" and op.expected != state):
                after = state
            else:
                after = () if op.value is None else (op.value,)
            if search(after, [other for other in left if other is not op]):
                return True
        return False

    taking_part = [op for op in history if op.outcome is OK or (op.outcome is UNKNOWN and op.kind != "get")]
    return search((), taking_part)


def compare(count: int, seed: int) -> dict[bool, int]:
    """Judge so many histories of each kind both ways; returns how many had an order, and how many not."""
    random = Random(seed)
    seen = {True: 0, False: 0}
    for _ in range(count):
        history = repeating(random)
        judgement, right = by_search(history), has_an_order(history)
        assert (judgement.verdict is Verdict.OK) == right, (judgement, history)
        assert len(judgement.witness) <= WITNESS_MAX
        seen[right] += 1
        history = unique(random)
        assert suits(history)
        judgement, zones = by_search(history), by_zones(history)
        assert judgement.verdict is zones.verdict, (judgement, zones, history)
    return seen


def test_the_search_agrees_with_brute_force_and_with_zones() -> None:
    seen = compare(10_000, seed=1)
    assert min(seen.values()) > 2_000  # else half of it was not tested


@pytest.mark.parametrize(
    ("history", "verdict"),
    [
        ([put(b"a", 0, 1), put(b"a", 2, 3), get(4, 5, b"a")], "ok"),
        ([put(b"a", 0, 1), put(b"b", 2, 3), put(b"a", 4, 5), get(6, 7, b"a")], "ok"),
        ([put(b"a", 0, 1), put(b"b", 2, 3), get(4, 5, b"a")], "illegal"),
        ([put(b"a", 0, 1), delete(2, 3), get(4, 5)], "ok"),
        ([put(b"a", 0, 1), delete(2, 3), get(4, 5, b"a")], "illegal"),
        ([put(b"a", 0, 1), delete(2, 3, UNKNOWN), get(4, 5, b"a"), get(6, 7)], "ok"),
        ([put(b"a", 0, 1), delete(2, 3, UNKNOWN), get(4, 5), get(6, 7, b"a")], "illegal"),
        ([cas((), b"a", 0, 1), cas((), b"b", 0, 1, found=(b"a",)), get(2, 3, b"a")], "ok"),
        ([cas((), b"a", 0, 1), cas((), b"b", 0, 1)], "illegal"),  # both found nothing
        ([put(b"a", 0, 1), cas((b"a",), b"b", 2, 3, outcome=UNKNOWN), get(4, 5, b"b")], "ok"),
        ([put(b"c", 0, 1), cas((b"a",), b"b", 2, 3, outcome=UNKNOWN), get(4, 5, b"b")], "illegal"),
        ([put(b"c", 0, 1, UNKNOWN), cas((b"a",), b"b", 2, 3, found=(b"c",))], "ok"),
        ([put(b"a", 0, 1), delete(0, 1), get(2, 3, b"a", b"b")], "undecided"),  # siblings
    ],
)
def test_registers_whose_values_repeat(history: list[Operation], verdict: str) -> None:
    assert linearizable(history).verdict == verdict


def test_the_witness_is_the_operation_at_which_the_last_order_was_lost() -> None:
    history = [put(b"a", 0, 1), delete(2, 3), put(b"b", 4, 5), get(6, 7, b"b"), get(8, 9), get(10, 11, b"b")]
    judgement = linearizable(history)
    assert judgement.verdict is Verdict.ILLEGAL
    assert get(8, 9) in judgement.witness


def overlapping(clients: int, each: int, random: Random) -> list[Operation]:
    """A history that has an order, of clients that write, read and delete all the time."""
    operations: list[Operation] = []
    state: tuple[bytes, ...] = ()
    free = [0.0] * clients
    for i in range(clients * each):
        moment = i * 1.0
        client = random.randrange(clients)
        start = max(free[client], moment - random.uniform(0, clients))
        if start > moment:
            continue
        end = moment + random.uniform(0.1, clients)
        free[client] = end + 0.01
        kind = random.choice(["put", "get", "delete"])
        if kind == "get":
            operations.append(get(start, end, *state))
        elif kind == "put":
            value = b"%d" % random.randrange(5)
            state = (value,)
            operations.append(put(value, start, end, random.choice([OK, OK, OK, UNKNOWN])))
        else:
            state = ()
            operations.append(delete(start, end))
    return operations


def test_a_long_history_of_ten_clients_is_decided() -> None:
    history = overlapping(10, 200, Random(3))
    assert len(history) > 800
    assert by_search(history).verdict is Verdict.OK


def test_a_search_that_finds_no_end_says_so() -> None:
    hard = [put(b"%d" % (i % 3), 0, 100) for i in range(40)] + [get(101, 102)]
    judgement = by_search(hard, steps_max=50)
    assert judgement.verdict is Verdict.UNDECIDED
    assert "50 steps" in judgement.sentence


if __name__ == "__main__":
    print(compare(int(sys.argv[1]), seed=2))
