"""Linearizability of registers: is there one order of all operations that explains every read?

Each operation has its place in that order somewhere between its call and its response; an unknown write may
have it at any later time, or none. With unique values zones decide that at once (check/zones.py). Where
values repeat (a delete leaves the same nothing each time) or are compared and set, the orders are searched.

Source: Wing and Gong 1993, "Testing and Verifying Concurrent Objects": take any operation that none of the
    others has to come before, and go on with the rest. Lowe 2017, "Testing for linearizability": the same
    operations taken, with the same value left, need not be tried again by another way.
Invariant: ok and illegal are certain. Who needs more than so many steps is told that it is undecided.
Deviation: a read that is possible now is taken now, and no other way is tried: it is in nobody's way.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import inf
from typing import TypeAlias

import msgspec

from kvlab.check.history import Judgement, Operation, Verdict, by_key, illegal, merged, shown
from kvlab.check.zones import CLAIM, by_zones, sourceless, suits
from kvlab.errors import Outcome

STEPS_MAX = 300_000
"""About two seconds."""

TRIED_BYTES_MAX = 200_000_000
"""What may be remembered of orders that led nowhere: each a bit for every call that overlaps."""

State: TypeAlias = "bytes | None"
"""What the register holds; None: nothing."""


def linearizable(history: Sequence[Operation]) -> Judgement:
    """Judge each key by itself: that is enough (Herlihy and Wing 1990, locality)."""
    judged = [_one_register(operations) for operations in by_key(history).values()]
    return merged(CLAIM, judged, "one order of all operations explains every read")


def _one_register(operations: Sequence[Operation]) -> Judgement:
    for op in operations:
        if len(op.found) > 1:
            return _undecided("a read found siblings, and a register has one value", op)
        if op.perhaps_done and op.mortal:
            return _undecided("a value expires at a time that is nobody's operation", op)
    return by_zones(operations) if suits(operations) else by_search(operations)


def by_search(operations: Sequence[Operation], steps_max: int = STEPS_MAX) -> Judgement:
    """Judge one register by trying orders. Exponential in how many operations overlap, at the worst."""
    calls = _calls(operations)
    verdict = _search(calls, steps_max)
    if verdict is Verdict.ILLEGAL:
        return _explained(operations, steps_max)
    if verdict is Verdict.UNDECIDED:
        return Judgement(CLAIM, verdict, f"{steps_max} steps did not find an order, nor that there is none")
    return Judgement(CLAIM, Verdict.OK)


# -- the search ----------------------------------------------------------------------------------


class Call(msgspec.Struct, frozen=True):
    """An operation as the search sees it: when it may happen, what it needs and what it leaves."""

    start: float
    end: float  # infinity: it may happen late, or never
    needs: tuple[State] | None  # the register's state; None: any
    leaves: tuple[State] | None  # None: the same

    def possible(self, state: State) -> bool:
        return self.needs is None or self.needs[0] == state


def _calls(operations: Sequence[Operation]) -> list[Call]:
    """What takes part, in the order of its start: all that was acknowledged, and writes that are unknown."""
    calls = []
    for op in operations:
        sure = op.outcome is Outcome.OK
        if sure or (op.perhaps_done and op.is_write):
            calls.append(Call(op.start_ms, op.end_ms if sure else inf, _needs(op), _leaves(op)))
    if not any(op.kind == "cas" for op in operations):
        calls = _without_unread(calls)
    return sorted(calls, key=lambda call: (call.start, call.end))


def _state(values: Sequence[bytes]) -> State:
    return values[0] if values else None


def _needs(op: Operation) -> tuple[State] | None:
    if op.kind == "cas" and op.outcome is Outcome.UNKNOWN:
        return (_state(op.expected),)  # where it finds another value it changes nothing: as if it were never
    return (_state(op.found),) if op.kind in ("get", "cas") else None


def _leaves(op: Operation) -> tuple[State] | None:
    return (op.value,) if op.is_write else None


def _without_unread(calls: Sequence[Call]) -> list[Call]:
    """Without the unknown writes of what nobody read: that they happened helps nobody. (With compare-and-set
    it may: it makes room for one that failed.)"""
    read = {call.needs for call in calls if call.leaves is None}
    return [call for call in calls if call.end < inf or call.leaves in read]


class Reached(msgspec.Struct, frozen=True):
    """How far one order has come: all calls before `low` are taken, and of those from there on the ones
    whose bit is set in `taken`. Equal for all orders of the same calls that leave the same state."""

    low: int
    taken: int
    state: State
    left: int  # how many are not taken of those that must be

    def after(self, at: int, call: Call) -> Reached:
        """One call further."""
        taken = self.taken | 1 << (at - self.low)
        whole = (~taken & (taken + 1)).bit_length() - 1  # so many from `low` on are all taken now
        state = self.state if call.leaves is None else call.leaves[0]
        return Reached(self.low + whole, taken >> whole, state, self.left - (call.end < inf))


def _search(calls: Sequence[Call], steps_max: int) -> Verdict:
    """Depth first, without recursion: an order may be 10,000 calls long."""
    begun = Reached(0, 0, None, sum(call.end < inf for call in calls))
    if not begun.left:
        return Verdict.OK
    tried = {begun}
    ways = [_next(calls, begun)]
    for _ in range(min(steps_max, TRIED_BYTES_MAX // (len(calls) // 8 + 200))):
        reached = next(ways[-1], None)
        if reached is None:
            ways.pop()
            if not ways:
                return Verdict.ILLEGAL
        elif not reached.left:
            return Verdict.OK
        elif reached not in tried:
            tried.add(reached)
            ways.append(_next(calls, reached))
    return Verdict.UNDECIDED


def _next(calls: Sequence[Call], reached: Reached) -> Iterator[Reached]:
    """Where the calls that can come next lead; one alone if it is a read."""
    possible = [at for at in _may_come_next(calls, reached) if calls[at].possible(reached.state)]
    reads = [at for at in possible if calls[at].leaves is None]
    for at in reads[:1] or possible:
        yield reached.after(at, calls[at])


def _may_come_next(calls: Sequence[Call], reached: Reached) -> list[int]:
    """The calls not taken that started before any other of them ended."""
    found: list[int] = []
    earliest_end = inf
    at, free = reached.low, ~reached.taken  # its bits are the calls not taken, without end
    while True:
        skipped = (free & -free).bit_length() - 1
        at, free = at + skipped, free >> (skipped + 1)
        if at >= len(calls) or calls[at].start > earliest_end:
            return found
        earliest_end = min(earliest_end, calls[at].end)
        found.append(at)
        at += 1


# -- saying why ----------------------------------------------------------------------------------


def _explained(operations: Sequence[Operation], steps_max: int) -> Judgement:
    """The operation at whose response the last order was lost: what has an order has one at every moment
    before, so that halving finds it."""
    ends = sorted({op.end_ms for op in operations if op.outcome is Outcome.OK})
    at = bisect_left(
        ends, True, key=lambda end: _search(_calls(_until(operations, end)), steps_max) is Verdict.ILLEGAL
    )
    moment = ends[min(at, len(ends) - 1)]
    lost_at = [op for op in operations if op.end_ms == moment and op.outcome is Outcome.OK]
    culprit = next((op for op in lost_at if op.kind != "put"), lost_at[0])
    writes = [op for op in operations if op.perhaps_done and op is not culprit]
    sources = [op for op in writes if op.value == _state(culprit.found)]
    if culprit.found and not sources:
        return sourceless(operations, culprit.found[0], culprit)
    past = sorted((op for op in writes if op.before(culprit)), key=lambda op: op.end_ms)
    sentence = f"with {_told(culprit)} no order of the operations is left that explains every read"
    return illegal(CLAIM, sentence, culprit, *sources[-1:], *past[-2:])


def _told(op: Operation) -> str:
    return (
        f"this {op.kind} of {shown(op.found)}"
        if op.kind != "put"
        else f"this put of {shown([op.value or b''])}"
    )


def _until(operations: Sequence[Operation], moment: float) -> list[Operation]:
    """The history as it was known then: what had not ended yet is unknown."""
    known = []
    for op in operations:
        if op.end_ms <= moment:
            known.append(op)
        elif op.start_ms <= moment and op.kind != "get":
            known.append(msgspec.structs.replace(op, outcome=Outcome.UNKNOWN, found=()))
    return known


def _undecided(why: str, operation: Operation) -> Judgement:
    return Judgement(CLAIM, Verdict.UNDECIDED, why, (operation,))
