"""What can go wrong, told apart by whose it is and by what became of the write.

Two roots. A `UserError` is a mistake in what was asked: a name, a flag, a line of a script. An
`OperationError` is the cluster's bad luck, and its `outcome` says what may be claimed:

    failed     certainly not written; the client may try again without a second thought
    unknown    perhaps written: a time-out, or a quorum missed after some replica accepted

The difference is the subject of half the course, so it is a type and not a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvlab.messages import RingSpec


class Outcome(StrEnum):
    """What became of an operation, as far as its client may know."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


class KvlabError(Exception):
    """The root of every error that kvlab raises on purpose. Its text is written for a person."""


class UserError(KvlabError):
    """What was asked cannot be done: the text says what was expected, what came, and what to do."""


class NoSuchNode(UserError):
    def __init__(self, node: str, known: Sequence[str]) -> None:
        super().__init__(f"there is no node {node!r}; the nodes are {', '.join(known) or 'none'}")


class NotInThisStage(UserError):
    """An honest refusal: this stage cannot do it, and the text says which can, or why none."""


class OwnCodeFailed(UserError):
    """The reader's own piece has: the text names its file and the line."""


class PortTaken(UserError):
    """Another program listens on the port."""


class BadContext(UserError):
    """What came as a context is not one that a read or write of this cluster has returned."""


class ItemTooLarge(UserError):
    """A value that does not fit the byte budget even with everything else evicted."""


class BadFrame(UserError):
    """A peer or a client sent bytes that are not a frame of ours."""


class OperationError(KvlabError):
    """The cluster could not do what it was asked; `outcome` says what a client may assume."""

    outcome = Outcome.FAILED


class FrameTooLong(OperationError):
    """A message that no receiver would take: it was not sent, and whoever sent it goes on."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"a message of {size} bytes is above the limit of {limit}, and was not sent; store smaller values"
        )


class PeerSilent(OperationError):
    """No answer in time. The peer may be dead, slow or cut off: from here they look the same."""

    outcome = Outcome.UNKNOWN

    def __init__(self, peer: str, timeout_ms: float) -> None:
        super().__init__(f"{peer} did not answer within {timeout_ms:g} ms")
        self.peer = peer


class PeerRefused(OperationError):
    """The peer answered, and its answer was no."""

    def __init__(self, peer: str, error: str, text: str, outcome: Outcome = Outcome.FAILED) -> None:
        super().__init__(f"{peer} refused: {text}")
        self.peer, self.error, self.outcome = peer, error, outcome


class RingMoved(OperationError):
    """The peer works by another ring, a newer one, and has done nothing; `ring` is it."""

    def __init__(self, ring: RingSpec) -> None:
        super().__init__(f"the ring has changed (it is at epoch {ring.epoch})")
        self.ring = ring


class Busy(OperationError):
    """Not now: something else must end first. Nothing was done."""


class NodeDown(OperationError):
    """The node asked is not running, so it has certainly done nothing."""


class NoAnswer(OperationError):
    """The node asked broke off, or said nothing in time. It may have acted before that."""

    outcome = Outcome.UNKNOWN


class ReplicasMissing(OperationError):
    """Fewer replicas answered than the operation has to wait for."""

    def __init__(
        self,
        doing: str,
        need: int,
        of: int,
        got: Sequence[str],
        silent: Sequence[str],
        refusals: Sequence[str],
        perhaps: bool,
        failed: Sequence[str] = (),
    ) -> None:
        self.outcome = Outcome.UNKNOWN if perhaps else Outcome.FAILED
        parts = [
            f"{doing} has to hear from {need} of {of} replicas and heard from {', '.join(got) or 'none'}"
        ]
        parts += [f"silent: {', '.join(silent)}"] if silent else []
        parts += refusals
        if failed:
            parts.append(
                f"believed failed, and not asked: {', '.join(failed)} (restart them or heal the network)"
            )
        ending = "it is perhaps done" if perhaps else "nothing was done"
        if doing != "the read" and not parts[-1].endswith(ending):  # as a refusal may that says the same
            parts.append(ending)
        super().__init__("; ".join(parts))


class QuorumNotReached(ReplicasMissing):
    """As ReplicasMissing, where a number between one and all of the replicas would have done."""


class NotKept(OperationError):
    """A durable node's disk would not take a change: the node's next life may not know of it."""

    outcome = Outcome.UNKNOWN


class HintsFull(OperationError):
    """The node keeps as many hints for others as it may, and has not taken this one."""


class MergeFailed(OperationError):
    """The reader's own function could not make one value of siblings; they are all still there."""


class WritesLocked(OperationError):
    """Some node is missing, and the cluster would rather refuse a write than let copies differ."""


class InDoubt(OperationError):
    """The last write of the key has perhaps not reached all nodes: any answer could be contradicted."""

    def __init__(self, node: str, missing: Sequence[str]) -> None:
        super().__init__(
            f"{node} holds a write of this key that was under way when {' and '.join(missing)} fell silent. "
            "Whether they have it, it cannot know: the new value and the old one could each be contradicted "
            "by another node. It will be settled when all can be reached; other keys can be read"
        )


class RingChangeFailed(OperationError):
    """A node could not join or leave; the ring is as it was, unless the text says otherwise."""
