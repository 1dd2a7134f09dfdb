"""What became of writes: is every acknowledged one still there, does no deleted one come back, and is what
was said to have failed never found?

Invariant: of the acknowledged writes to a key, only those count that no other acknowledged write followed;
when several are left they were concurrent, and a store may keep any of them. An unknown write may be found,
or not.
Deviation: we ask for one of the concurrent writes, not for all of them as siblings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from kvlab.check.history import Judgement, Operation, Verdict, by_key, denied, illegal, merged, shown
from kvlab.check.siblings import covered
from kvlab.errors import Outcome
from kvlab.messages import Key

LOST = "no-lost-writes"
RESURRECTED = "no-resurrection"
DENIED = "failed-is-failed"


def no_lost_writes(history: Sequence[Operation], final: Mapping[Key, Operation]) -> Judgement:
    """Judge the history by what a last read of each key (`final`) finds. O(n²) in the writes to one key."""
    judged = [_last_write_is_there(ops, final.get(key)) for key, ops in by_key(history).items()]
    return merged(LOST, judged, f"every last acknowledged write is there (keys: {len(judged)})")


def stale_reads(history: Sequence[Operation]) -> list[Operation]:
    """The reads that find neither the last write acknowledged before they began nor a later one. O(n³) a key.

    A read that was late for a write, and not a write that is gone: the next may find it.
    """
    stale = []
    for operations in by_key(history).values():
        for read in operations:
            if read.kind == "get" and read.outcome is Outcome.OK:
                known = [_as_known_to(read, op) for op in operations if op.start_ms < read.end_ms]
                if _last_write_is_there(known, read).verdict is Verdict.ILLEGAL:
                    stale.append(read)
    return stale


def _as_known_to(read: Operation, op: Operation) -> Operation:
    """A write that had not ended when the read began may be found or not, as an unknown one may."""
    if op.outcome is Outcome.OK and op.is_write and not op.before(read):
        return msgspec.structs.replace(op, outcome=Outcome.UNKNOWN)
    return op


def latest_acknowledged(operations: Sequence[Operation]) -> list[Operation]:
    """The acknowledged writes that no other acknowledged write followed: more than one were concurrent."""
    writes = [op for op in operations if op.is_write and op.outcome is Outcome.OK]
    newest_start = max((op.start_ms for op in writes), default=0.0)
    return [op for op in writes if op.end_ms >= newest_start]


def _last_write_is_there(operations: Sequence[Operation], last: Operation | None) -> Judgement:
    """Judge one key."""
    latest = latest_acknowledged(operations)
    perhaps = [op for op in operations if op.is_write and op.outcome is Outcome.UNKNOWN]
    if last is None or last.outcome is not Outcome.OK:
        if not latest:
            return Judgement(LOST, Verdict.OK)
        return Judgement(
            LOST,
            Verdict.UNDECIDED,
            f"{shown([operations[0].key])} could not be read at the end",
            (latest[0],),
        )
    allowed = [*latest, *perhaps]
    if not last.found:
        may_be_gone = not latest or any(op.kind == "delete" or op.mortal for op in allowed)
        if may_be_gone:
            return Judgement(LOST, Verdict.OK)
        return illegal(LOST, f"{_name(latest[0])} was acknowledged, and the key is missing", latest[0], last)
    if any(op.value in last.found for op in allowed) or _deleted_by_context(operations, latest):
        return Judgement(LOST, Verdict.OK)
    older = [op for op in operations if op.value in last.found]
    if done := [op for op in older if op.outcome is Outcome.OK]:
        return illegal(
            LOST,
            f"{_name(latest[0])} was acknowledged, and {shown(last.found)} is found",
            done[-1],
            latest[0],
            last,
        )
    if older:
        return illegal(LOST, f"{_name(older[0])} was said to have failed, and is found", older[0], last)
    return illegal(LOST, f"{shown(last.found)} is found, and nobody here wrote it", *latest[:1], last)


def _deleted_by_context(operations: Sequence[Operation], latest: Sequence[Operation]) -> bool:
    """Whether the last writes are deletes that take only what was seen: what is found then is a sibling, or
    has come back, and that is the other claim's business."""
    contexts = any(op.replaces is not None for op in operations)
    return contexts and bool(latest) and all(op.kind == "delete" for op in latest)


def _name(write: Operation) -> str:
    value = f" {shown([write.value])}" if write.value is not None else ""
    return f"{write.kind} {shown([write.key])}{value}"


def no_resurrection(history: Sequence[Operation], final: Iterable[Operation] | None = None) -> Judgement:
    """No read finds a value that was deleted, for certain, after all its writes. O(n²) a key.

    With `final`, only those reads are judged: where a quorum is sloppy, a read meanwhile may be stale.
    """
    judge = None if final is None else list(final)
    judged = [_stays_deleted(operations, judge) for operations in by_key(history).values()]
    return merged(RESURRECTED, judged, "nothing that was deleted came back")


def _stays_deleted(operations: Sequence[Operation], final: Sequence[Operation] | None) -> Judgement:
    """Judge one key."""
    deletes = [op for op in operations if op.kind == "delete" and op.outcome is Outcome.OK]
    deletes.sort(key=lambda delete: delete.start_ms)
    took = [None if delete.replaces is None else covered(operations, delete) for delete in deletes]
    for read in operations:
        if read.kind != "get" or read.outcome is not Outcome.OK:
            continue
        if final is not None and read not in final:
            continue
        for value in read.found:
            writes = [op for op in operations if op.value == value and op.perhaps_done]
            gone = [
                delete
                for delete, seen in zip(deletes, took, strict=True)
                if delete.before(read)
                and (seen is None or value in seen)  # else who deleted had not seen it
                and all(write.before(delete) for write in writes)
            ]
            if writes and gone:
                sentence = f"{shown([value])} was deleted, and is found again"
                return illegal(RESURRECTED, sentence, writes[-1], gone[-1], read)
    return Judgement(RESURRECTED, Verdict.OK)


def failed_is_failed(history: Sequence[Operation]) -> Judgement:
    """No read ever finds what a client was told is certainly not written. O(n).

    Who hears "failed" does something else, or writes again: if the first write was there all the same, it is
    done twice. A write of which nobody knows what became is unknown, and it is no shame to say so.
    """
    judged = [_nothing_denied_is_found(operations) for operations in by_key(history).values()]
    return merged(DENIED, judged, "nothing that was said to have failed was found")


def _nothing_denied_is_found(operations: Sequence[Operation]) -> Judgement:
    """Judge one key."""
    failed = denied(operations)
    for read in operations:
        for value in read.found if read.outcome is Outcome.OK else ():
            if value in failed:
                sentence = f"{_name(failed[value])} was said to have failed, and is found"
                return illegal(DENIED, sentence, failed[value], read)
    return Judgement(DENIED, Verdict.OK)
