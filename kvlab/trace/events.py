"""Everything that a cluster tells about itself: one typed union of events.

An event is a frozen struct with the time it happened (`at_ms`, milliseconds since the world started, by
one clock that no `skew` touches) and the node it happened on (`""` for the world itself). Events of one
node come in order; those of different processes may arrive a few milliseconds out of order, so whoever
folds them must not mind (trace/model.py does not).

`op` ties an event to the client operation for whose sake it happened: `""` for background work, such
as a ring change's traffic. `msg` ties the Sent of a message to its Delivered or Dropped: it is
`sender.generation.count`.

`line` is the line of the stage's file at which the node's own code was when this happened: 0 where no such
line was at work, and in what happens for no operation.

Values are cut to `PREVIEW` bytes: an event is for looking at, and a recording is not a backup.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from kvlab.messages import Copy, NodeId, OpId, RingSpec

PREVIEW = 200
"""How many bytes of a value an event shows."""


class Event(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, gc=False):
    """What they have in common. No event leads back to itself, so that the collector may pass them over."""

    at_ms: float
    node: NodeId


# -- nodes ---------------------------------------------------------------------------------------


class NodeStarting(Event, frozen=True):
    """The world is starting this node; `zone` and `weight` are what it was given."""

    zone: str
    weight: int


class NodeReady(Event, frozen=True):
    """The node answers. `port` is its Redis port and `pid` its process; both 0 in the simulator."""

    generation: int
    port: int = 0
    pid: int = 0
    kept_keys: int = 0


class NodeKilled(Event, frozen=True):
    """SIGKILL, at the world's command."""


class NodeDied(Event, frozen=True):
    """The node ended and nobody had asked it to. `log` is the path of what it said."""

    why: str
    log: str = ""


class NodePaused(Event, frozen=True):
    """SIGSTOP: it hears nothing, says nothing, and does not know that time passes."""


class NodeResumed(Event, frozen=True):
    """SIGCONT."""


class NodeLeft(Event, frozen=True):
    """The node handed over its keys and ended: a departure, not an outage."""


class NodeFault(Event, frozen=True):
    """A handler or background task raised: the node lives on, its owner has a bug to mend."""

    error: str


# -- operations ----------------------------------------------------------------------------------


class OpStarted(Event, frozen=True):
    """A client asked this node, its coordinator, to do something: kind is get, put or delete."""

    op: OpId
    kind: str
    key: bytes
    value: bytes | None = None


class OpEnded(Event, frozen=True):
    """The coordinator answered: outcome is ok, failed or unknown. `values` is what a get found."""

    op: OpId
    kind: str
    key: bytes
    outcome: str
    took_ms: float
    values: tuple[bytes, ...] = ()
    error: str = ""
    text: str = ""
    line: int = 0
    """Where the error was raised, if there was one; a method that has returned cannot be asked where."""


# -- messages ------------------------------------------------------------------------------------


class Sent(Event, frozen=True):
    """`node` sent a message. `kind` is its type (Keep, Kept, ...); `answers` the id it replies to."""

    msg: str
    to: NodeId
    kind: str
    size: int
    op: OpId = OpId("")
    answers: str = ""
    key: bytes | None = None
    line: int = 0


class Delivered(Event, frozen=True):
    """`node` received it."""

    msg: str
    sender: NodeId
    kind: str
    op: OpId = OpId("")


class MessageDropped(Event, frozen=True):
    """It will never arrive. `why`: partition, loss, no connection, receiver down, buffer full, by hand."""

    msg: str
    to: NodeId
    kind: str
    why: str
    op: OpId = OpId("")


# -- data and ring -------------------------------------------------------------------------------


class Stored(Event, frozen=True):
    """`node` now holds this; `keys` and `held_bytes` are its totals after that.

    `value` is the first of the values; `siblings` are the others. A tombstone is Removed, why=deleted.
    `copy` is what stages with versions hold: values and tombstones, with the clocks that order them.
    """

    key: bytes
    value: bytes
    keys: int
    held_bytes: int
    op: OpId = OpId("")
    siblings: tuple[bytes, ...] = ()
    copy: Copy | None = None
    tombstones: int = 0
    line: int = 0


class Removed(Event, frozen=True):
    """`node` no longer holds the key. `why`: deleted, expired, evicted, moved, flushed, reaped, rotten.

    `copy` is the tombstone that it holds instead, if there is one; `tombstones` how many it holds in all.
    """

    key: bytes
    why: str
    keys: int
    held_bytes: int
    op: OpId = OpId("")
    copy: Copy | None = None
    tombstones: int = 0
    line: int = 0


class RingChanged(Event, frozen=True):
    """`node` works by this ring (phase installed), or a change to it has reached another phase."""

    ring: RingSpec
    phase: str


# -- what a node finds out and mends ---------------------------------------------------------------


class Locked(Event, frozen=True):
    """`node` takes no writes while these are missing; with none, it takes them again."""

    missing: tuple[NodeId, ...]


class Overwritten(Event, frozen=True):
    """A write that a client was told is done has been replaced at `node` by one that never saw it."""

    key: bytes
    values: tuple[bytes, ...]
    by: tuple[bytes, ...]


class Repaired(Event, frozen=True):
    """`node` brought the copy of `peer` up to date. `why`: read, anti-entropy."""

    key: bytes
    peer: NodeId
    why: str
    op: OpId = OpId("")


class Believed(Event, frozen=True):
    """`node` now takes `peer` to be alive, suspect, failed or left."""

    peer: NodeId
    belief: str


class Hinted(Event, frozen=True):
    """What became of a hint for `owner`; `node` holds `hints` in all now.

    `what`: kept, merged (with the one that was there), delivered, expired, moved (to other owners, after a
    change of the ring) or refused (there is no room).
    """

    owner: NodeId
    key: bytes
    what: str
    hints: int
    op: OpId = OpId("")


class Exchanged(Event, frozen=True):
    """`node` compared trees with `peer`, so many levels deep; so many buckets and keys differed, and the
    hashes took `size` bytes. `walk` is how many buckets differed at each level, the root first."""

    peer: NodeId
    levels: int
    buckets: int
    keys: int
    size: int
    walk: tuple[int, ...] = ()


# -- what it costs -----------------------------------------------------------------------------------


class Used(Event, frozen=True):
    """What the process of `node` takes of the machine: told once a second, of real processes only."""

    cpu: float  # percent of one core, since it was last told
    rss: int  # resident memory, in bytes


# -- faults and the script -----------------------------------------------------------------------


class Partitioned(Event, frozen=True):
    """The network is cut: only nodes of one group hear each other. One group or none: healed."""

    groups: tuple[tuple[NodeId, ...], ...]


class LinkChanged(Event, frozen=True):
    """Messages from `node` to `to` are delayed, lost or duplicated from now on."""

    to: NodeId
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0  # a share, 0 to 1
    duplication: float = 0.0  # a share, 0 to 1


class ClockSkewed(Event, frozen=True):
    """The node's clock is wrong by so much."""

    skew_ms: int


class ScriptLine(Event, frozen=True):
    """Somebody did this, by key, by hand or from a file: a line of the scenario language."""

    line: str


class LineFailed(Event, frozen=True):
    """The ScriptLine told at `told_ms` fell short of what it says. `how`: failed or unknown (the outcome of
    an operation), does not hold (an expectation), or not done: then the line changed nothing at all."""

    line: str
    told_ms: float
    how: str


class Said(Event, frozen=True):
    """The script's narration."""

    text: str


class EventsLost(Event, frozen=True):
    """The node told more than the watcher could take; so many events are missing here."""

    count: int


AnyEvent: TypeAlias = (
    NodeStarting
    | NodeReady
    | NodeKilled
    | NodeDied
    | NodePaused
    | NodeResumed
    | NodeLeft
    | NodeFault
    | OpStarted
    | OpEnded
    | Sent
    | Delivered
    | MessageDropped
    | Stored
    | Removed
    | RingChanged
    | Locked
    | Overwritten
    | Repaired
    | Believed
    | Hinted
    | Exchanged
    | Used
    | Partitioned
    | LinkChanged
    | ClockSkewed
    | ScriptLine
    | LineFailed
    | Said
    | EventsLost
)
