"""Session guarantees: what one client may rely on, whatever others see.

Source: Terry et al. 1994, "Session Guarantees for Weakly Consistent Replicated Data".
    read-your-writes   a read does not find something older than what the session itself wrote
    monotonic-reads    a read does not find something older than what the session has already read
Deviation: "older" is taken from the order in time, which proves a violation without looking at versions:
every write that can have left the value found was over before the write that the session knows of began.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from kvlab.check.history import (
    Judgement,
    Operation,
    by_key,
    certainly_older,
    illegal,
    merged,
    shown,
)
from kvlab.check.siblings import covered
from kvlab.errors import Outcome

Known = Callable[[Sequence[Operation], Operation], Operation | None]
"""Of one key's operations, and one of the session: the write that the session knows once that has ended."""


def read_your_writes(history: Sequence[Operation]) -> Judgement:
    """Each session finds its own acknowledged writes, or something later. O(n²) a key and session."""

    def written(_: Sequence[Operation], own: Operation) -> Operation | None:
        return own if own.is_write and not own.mortal else None

    return _judge("read-your-writes", history, written, "wrote")


def monotonic_reads(history: Sequence[Operation]) -> Judgement:
    """No session reads backwards: what it finds is as new as what it found before, or newer."""

    def read(operations: Sequence[Operation], own: Operation) -> Operation | None:
        if own.kind != "get" or len(own.found) != 1:
            return None
        writes = [op for op in operations if op.value == own.found[0] and op.perhaps_done]
        return writes[0] if len(writes) == 1 and not writes[0].mortal else None

    return _judge("monotonic-reads", history, read, "had read")


def _judge(claim: str, history: Sequence[Operation], known: Known, how: str) -> Judgement:
    judged = [
        judgement
        for operations in by_key(history).values()
        for judgement in _violations(claim, operations, known, how)
    ]
    return merged(claim, judged, "every session saw what it had a right to")


def _violations(claim: str, operations: Sequence[Operation], known: Known, how: str) -> Iterator[Judgement]:
    """The reads of one key that find something older than what their session knew when they began."""
    sessions: dict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        if operation.outcome is Outcome.OK:
            sessions[operation.session].append(operation)
    for session, own in sessions.items():
        knowledge = [(op, write) for op in own if (write := known(operations, op)) is not None]
        for read in own:
            if read.kind != "get":
                continue
            past = [(op, write) for op, write in knowledge if op.before(read)]
            if not past:
                continue
            source, newest = max(past, key=lambda pair: pair[1].start_ms)
            if newest.replaces is not None and not _replaced(operations, newest, read):
                continue
            if all(certainly_older(operations, value, newest) for value in read.found or (None,)):
                what = shown([newest.value] if newest.value is not None else [])
                yield illegal(
                    claim, f"{session} {how} {what}, and then finds {shown(read.found)}", newest, source, read
                )


def _replaced(operations: Sequence[Operation], newest: Operation, read: Operation) -> bool:
    """Where writes carry contexts: whether this read had to find `newest` in place of what it found.

    It had not if that is a sibling of it, and `newest` itself is a delete or was perhaps replaced by then.
    """
    if covered(operations, newest) & set(read.found):
        return True
    others = [op for op in operations if op.perhaps_done and op is not newest and op.start_ms <= read.end_ms]
    return newest.value is not None and not any(
        op.replaces is None or newest.value in covered(operations, op) for op in others
    )
