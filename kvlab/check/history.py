"""What clients did and saw, and the verdict on it.

A history is a list of `Operation`s. One operation came before another only if it had ended when the other
started; otherwise they are concurrent, and either order is right. An `unknown` write has perhaps happened,
at any time after its start; a `failed` one has certainly not.

Invariant: a judgement of `illegal` is a proof. Where the history does not prove it, the verdict is ok, or
undecided when it cannot be told at all, and then `sentence` says why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from kvlab.errors import KvlabError, Outcome
from kvlab.messages import Key

WITNESS_MAX = 4
"""No proof shown to a person needs more operations."""


class Operation(msgspec.Struct, frozen=True):
    """One operation of one client. Times are milliseconds since the world started."""

    kind: str  # get, put, delete or cas
    key: Key
    session: str  # the node it went through: a client has one session with each
    start_ms: float
    end_ms: float
    outcome: Outcome = Outcome.OK
    value: bytes | None = None  # what a put wrote
    found: tuple[bytes, ...] = ()  # what a get found: siblings are several, () is missing
    mortal: bool = False  # a put with a time to live: that it is gone later proves nothing
    expected: tuple[bytes, ...] = ()
    """What a cas (compare-and-set) writes over; () is missing. `found` is what it found: if that is another,
    it has written nothing."""
    replaces: tuple[bytes, ...] | None = None
    """Of a write that carries a context: the values that its client had seen. None: there are no contexts
    here, and a write replaces whatever came before it."""

    def __str__(self) -> str:
        value = f" {_shown(self.value)}" if self.value is not None else ""
        found = f" = {' '.join(map(_shown, self.found)) or 'missing'}"
        found = found if self.kind in ("get", "cas") and self.outcome is Outcome.OK else ""
        when = f"{self.start_ms:8.0f} to {self.end_ms:.0f} ms"
        return f"{when}  {self.kind} {_shown(self.key)}{value} via {self.session}{found}  {self.outcome}"

    @property
    def is_write(self) -> bool:
        if self.kind == "cas":
            return self.outcome is not Outcome.OK or self.found == self.expected
        return self.kind != "get"

    @property
    def perhaps_done(self) -> bool:
        """A write that has happened, or may have."""
        return self.is_write and self.outcome is not Outcome.FAILED

    def before(self, other: Operation) -> bool:
        """Whether it had certainly taken effect before the other started."""
        return self.outcome is Outcome.OK and self.end_ms < other.start_ms


class CheckerFailed(KvlabError):
    """The checker has a bug: it could not judge this history, and nothing follows for who made it."""

    def __init__(self, claim: str, history: Sequence[Operation], error: Exception) -> None:
        super().__init__(f"the checker of {claim} failed: {type(error).__name__}: {error}")
        self.claim, self.history = claim, list(history)


class Verdict(StrEnum):
    OK = "ok"
    ILLEGAL = "illegal"
    UNDECIDED = "undecided"


class Judgement(msgspec.Struct, frozen=True):
    """What may be said of a claim: one sentence, and at most four operations that prove it."""

    claim: str
    verdict: Verdict
    sentence: str = ""
    witness: tuple[Operation, ...] = ()


def by_key(history: Iterable[Operation]) -> dict[Key, list[Operation]]:
    """The operations on each key, in the order given; keys in the order they first occur."""
    keys: dict[Key, list[Operation]] = defaultdict(list)
    for operation in history:
        keys[operation.key].append(operation)
    return dict(keys)


def denied(operations: Sequence[Operation]) -> dict[bytes, Operation]:
    """The values that nobody can have left: each with the write of it that was said to have failed."""
    writes = [op for op in operations if op.is_write and op.value is not None]
    perhaps = {op.value for op in writes if op.perhaps_done}
    return {op.value: op for op in writes if op.value is not None and op.value not in perhaps}


def certainly_older(operations: Sequence[Operation], value: bytes | None, than: Operation) -> bool:
    """Whether every write that can have left this value (None: no value) was over before `than` started.

    A value that no write can have left is not older: it is another claim's business.
    """
    if value is None:
        if any(op.mortal and op.perhaps_done for op in operations):
            return False
        sources = [op for op in operations if op.kind == "delete" and op.perhaps_done]
        return all(source.before(than) for source in sources)
    sources = [op for op in operations if op.value == value and op.perhaps_done]
    return bool(sources) and all(source.before(than) for source in sources)


def merged(claim: str, judgements: Iterable[Judgement], sentence: str) -> Judgement:
    """One judgement of many: the first that is illegal, else the first undecided, else ok."""
    undecided = None
    for judgement in judgements:
        if judgement.verdict is Verdict.ILLEGAL:
            return judgement
        if judgement.verdict is Verdict.UNDECIDED and undecided is None:
            undecided = judgement
    return undecided or Judgement(claim, Verdict.OK, sentence)


def illegal(claim: str, sentence: str, *witness: Operation | None) -> Judgement:
    """A proof, told once each and in the order of time."""
    shown: list[Operation] = []
    for operation in witness:
        if operation is not None and operation not in shown:
            shown.append(operation)
    shown.sort(key=lambda operation: (operation.start_ms, operation.end_ms))
    return Judgement(claim, Verdict.ILLEGAL, sentence, tuple(shown[:WITNESS_MAX]))


def _shown(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def shown(values: Sequence[bytes]) -> str:
    """Values as a sentence names them: `milk`, `milk and bread`, `nothing`."""
    return " and ".join(map(_shown, values)) or "nothing"
