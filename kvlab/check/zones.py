"""Zones: linearizability of a register to which no value is written twice, at once.

Source: Gibbons and Korach 1997, "Testing Shared Memories": each written value has a zone, from the first
response to the last call among its write and its reads.
Invariant: with unique written values, a history is linearizable exactly if no read lacks or precedes its
write and no two zones are in each other's way. O(n log n): 10,000 operations take milliseconds.
Deviation: an unknown write that was read returns at infinity; one never read is dropped, as is an unknown
read. Where a value repeats, check/linear.py searches instead.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from math import inf
from operator import attrgetter

import msgspec

from kvlab.check.history import Judgement, Operation, Verdict, illegal, shown
from kvlab.errors import Outcome

CLAIM = "linearizable"


class Zone(msgspec.Struct, frozen=True):
    """One value's operations: `first` is the earliest response among them, `last` the latest call.

    first < last: a forward zone, in which the register certainly held the value all the time.
    Otherwise a backward zone: there is a moment, from `last` to `first`, at which they can all happen.
    """

    first: float
    last: float
    ended_first: Operation | None  # None: the register's beginning, missing
    called_last: Operation | None

    @property
    def forward(self) -> bool:
        return self.first < self.last


def suits(operations: Sequence[Operation]) -> bool:
    """Whether each state of this register has one source: no value is written twice, none is deleted."""
    written = [op.value for op in operations if op.perhaps_done]
    return (
        None not in written
        and len(set(written)) == len(written)
        and not any(op.kind == "cas" for op in operations)
    )


def by_zones(operations: Sequence[Operation]) -> Judgement:
    """Judge one register that `suits`, and of which no read found siblings."""
    writes = {op.value: op for op in operations if op.perhaps_done}
    reads: dict[bytes | None, list[Operation]] = defaultdict(list)
    for op in operations:
        if op.kind == "get" and op.outcome is Outcome.OK:
            reads[op.found[0] if op.found else None].append(op)
    zones = []
    for value, found in reads.items():
        write = writes.get(value)
        if value is not None and write is None:
            return sourceless(operations, value, found[0])
        early = next((read for read in found if write and read.end_ms < write.start_ms), None)
        if early:
            return illegal(CLAIM, f"{shown(early.found)} was read before it was written", early, write)
        zones.append(_zone(write, found))
    unread = (op for value, op in writes.items() if value not in reads and op.outcome is Outcome.OK)
    zones += [_zone(write, []) for write in unread]
    return _apart(zones)


def sourceless(operations: Sequence[Operation], value: bytes, read: Operation) -> Judgement:
    """The judgement on a read of what no write can have left."""
    failed = next((op for op in operations if op.value == value), None)
    why = "whose write had failed" if failed else "that nobody here wrote"
    return illegal(CLAIM, f"a read found {shown([value])}, {why}", failed, read)


def _zone(write: Operation | None, reads: Sequence[Operation]) -> Zone:
    """The zone of a write and its reads; no write: of the beginning, which came before everything."""
    if write is None:
        called_last = max(reads, key=_start)
        return Zone(-inf, called_last.start_ms, None, called_last)
    certain = reads if write.outcome is Outcome.UNKNOWN else (*reads, write)
    ended_first = min(certain, key=_end)  # an unknown write returns at infinity, and has been read
    called_last = max((*reads, write), key=_start)
    return Zone(ended_first.end_ms, called_last.start_ms, ended_first, called_last)


_start, _end = attrgetter("start_ms"), attrgetter("end_ms")


def _apart(zones: Sequence[Zone]) -> Judgement:
    """No two forward zones overlap, and no backward zone lies strictly inside a forward one."""
    forward = sorted((zone for zone in zones if zone.forward), key=lambda zone: zone.first)
    for one, next_one in itertools.pairwise(forward):
        if next_one.first < one.last:
            return _in_the_way(one, next_one)
    starts = [zone.first for zone in forward]
    for zone in zones:
        if not zone.forward:
            at = bisect_left(starts, zone.last) - 1  # the last forward zone that begins before this one
            if at >= 0 and zone.first < forward[at].last:
                return _in_the_way(forward[at], zone)
    return Judgement(CLAIM, Verdict.OK)


def _in_the_way(one: Zone, other: Zone) -> Judgement:
    sentence = "two values would each have to come before the other: no order explains these reads"
    return illegal(CLAIM, sentence, one.ended_first, one.called_last, other.ended_first, other.called_last)
