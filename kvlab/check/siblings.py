"""Siblings: is every write that nobody has replaced among the values found, and no other?

From stage 6 on a write replaces what its writer had seen, and nothing else: its place in time does not
matter. `Operation.replaces` says what that was, as far as the client knows: the values it last found, or the
one it wrote last.

Source: DeCandia et al. 2007, section 4.4; Preguica et al. 2010, "Dotted Version Vectors".
Invariant: `illegal` names a value that is missing or found in excess, whatever the unknown writes did.
Deviation: a delete without a context deletes what its coordinator finds, which no client learns; what it may
have found is not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kvlab.check.history import Judgement, Operation, Verdict, by_key, denied, illegal, merged, shown
from kvlab.errors import Outcome
from kvlab.messages import Key

CLAIM = "all-siblings"


def covered(operations: Sequence[Operation], write: Operation) -> set[bytes]:
    """The values that this write replaces: those its writer had seen, and what these had replaced."""
    writers = {op.value: op for op in operations if op.is_write and op.value is not None}
    values: set[bytes] = set()
    ahead = list(write.replaces or ())
    while ahead:
        value = ahead.pop()
        if value not in values:
            values.add(value)
            ahead += (writers[value].replaces or ()) if value in writers else ()
    return values


def all_siblings(history: Sequence[Operation], final: Mapping[Key, Operation]) -> Judgement:
    """Judge the history by what a last read of each key (`final`) finds. O(n²) in the writes to one key."""
    judged = [_one_key(ops, final.get(key)) for key, ops in by_key(history).items()]
    return merged(CLAIM, judged, f"every sibling is there, and nothing else (keys: {len(judged)})")


def _one_key(operations: Sequence[Operation], last: Operation | None) -> Judgement:
    writes = [op for op in operations if op.perhaps_done]
    failed = denied(operations)
    for value in () if last is None else last.found:
        if value in failed:
            return illegal(
                CLAIM, f"put {shown([value])} was said to have failed, and is found", failed[value], last
            )
    if not writes:
        return Judgement(CLAIM, Verdict.OK)
    if last is None or last.outcome is not Outcome.OK:
        return Judgement(CLAIM, Verdict.UNDECIDED, f"{shown([writes[0].key])} could not be read at the end")
    if len({op.value for op in writes if op.value is not None}) < sum(op.value is not None for op in writes):
        return Judgement(CLAIM, Verdict.UNDECIDED, "a value was written twice: a read does not tell which")
    certain_last = sorted(writes, key=lambda op: op.outcome is Outcome.OK)  # so that they are named
    replaced = {value: op for op in certain_last for value in covered(operations, op)}
    for op in writes:
        if _must_be_there(op, writes, replaced) and op.value not in last.found:
            return illegal(
                CLAIM,
                f"put {shown([op.value or b''])} was acknowledged and nobody replaced it, and "
                f"{shown(last.found)} is found",
                op,
                last,
            )
    for value in last.found:
        by = replaced.get(value)
        if by is not None and by.outcome is Outcome.OK:
            write = next((op for op in writes if op.value == value), None)
            return illegal(
                CLAIM, f"{shown([value])} was replaced by who had seen it, and is found", write, by, last
            )
    return Judgement(CLAIM, Verdict.OK)


def _must_be_there(op: Operation, writes: Sequence[Operation], replaced: Mapping[bytes, Operation]) -> bool:
    """Whether nothing can have replaced this write."""
    if op.value is None or op.outcome is not Outcome.OK or op.mortal or op.value in replaced:
        return False
    blind = [other for other in writes if other.replaces is None and other is not op]
    return not any(other.outcome is Outcome.UNKNOWN or op.start_ms <= other.end_ms for other in blind)
