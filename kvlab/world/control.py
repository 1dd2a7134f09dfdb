"""What a world says to one of its nodes, and what the node answers: one typed union.

In ProcessWorld these travel over the control connection between supervisor and child; in the simulator
they are handed over directly. They are not the peers' business: no partition stops them.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from kvlab.config import ClusterConfig
from kvlab.errors import Outcome
from kvlab.messages import Key, Member, NodeId, OpId, RingSpec
from kvlab.trace.events import AnyEvent
from kvlab.world.faults import Link


class Result(msgspec.Struct, frozen=True, tag=True):
    """How a client operation ended. `values`: what a get found; siblings are several. `context`: what the
    client has seen by it, opaque, to be handed to its next write of the key; empty before stage 6."""

    op: OpId
    kind: str  # get, put or delete
    key: Key
    via: NodeId
    outcome: Outcome
    values: tuple[bytes, ...] = ()
    error: str = ""  # the name of a type in errors.py, "" if none
    text: str = ""
    took_ms: float = 0.0
    context: bytes = b""


class DoGet(msgspec.Struct, frozen=True, tag=True):
    """Coordinate a read. Answered by Result."""

    key: Key
    r: int | None = None
    op: OpId = OpId("")
    """What to call it; "": the node finds a name."""


class DoPut(msgspec.Struct, frozen=True, tag=True):
    """Coordinate a write. Answered by Result. `context`: what the writer has seen of the key; empty for
    nothing, a blind write."""

    key: Key
    value: bytes
    w: int | None = None
    expires_ms: int | None = None
    context: bytes = b""
    op: OpId = OpId("")


class DoDelete(msgspec.Struct, frozen=True, tag=True):
    """Coordinate a delete. Answered by Result."""

    key: Key
    w: int | None = None
    context: bytes = b""
    op: OpId = OpId("")


class Peek(msgspec.Struct, frozen=True, tag=True):
    """What does this node itself hold for the key? Answered by Held."""

    key: Key


class Held(msgspec.Struct, frozen=True, tag=True):
    values: tuple[bytes, ...]


class Where(msgspec.Struct, frozen=True, tag=True):
    """Which nodes hold the key, by this node's ring? Answered by Replicas, in preference order."""

    key: Key


class Replicas(msgspec.Struct, frozen=True, tag=True):
    nodes: tuple[NodeId, ...]


class Count(msgspec.Struct, frozen=True, tag=True):
    """How much does this node hold? Answered by Counted."""


class Counted(msgspec.Struct, frozen=True, tag=True):
    keys: int
    held_bytes: int
    repairs: int  # copies of others that this node has brought up to date since it was started


class AllKeys(msgspec.Struct, frozen=True, tag=True):
    """Every key this node itself holds. Answered by KeysHeld."""


class KeysHeld(msgspec.Struct, frozen=True, tag=True):
    keys: tuple[Key, ...]


class WhichRing(msgspec.Struct, frozen=True, tag=True):
    """By which ring does this node work? Answered by RingInForce."""


class RingInForce(msgspec.Struct, frozen=True, tag=True):
    ring: RingSpec


class WhatOf(msgspec.Struct, frozen=True, tag=True):
    """What do you believe of this node? Answered by Belief."""

    node: NodeId


class Belief(msgspec.Struct, frozen=True, tag=True):
    """alive, suspect, failed or left."""

    belief: str


class CountHints(msgspec.Struct, frozen=True, tag=True):
    """How many hints do you keep for others? Answered by HintsKept."""


class HintsKept(msgspec.Struct, frozen=True, tag=True):
    owners: dict[NodeId, int]


class ChangeRing(msgspec.Struct, frozen=True, tag=True):
    """Drive a change of the ring: `add` joins, `remove` leaves. Answered by Changed."""

    add: Member | None = None
    remove: NodeId | None = None
    dead: tuple[NodeId, ...] = ()  # members known to be down: they are not asked


class Changed(msgspec.Struct, frozen=True, tag=True):
    ring: RingSpec
    moved: int  # how many copies of keys travelled


class SetPeers(msgspec.Struct, frozen=True, tag=True):
    """Where the peers listen (loopback ports). Answered by Done."""

    ports: dict[NodeId, int]


class SetLinks(msgspec.Struct, frozen=True, tag=True):
    """How the network treats this node's outgoing messages, by receiver. Answered by Done."""

    links: dict[NodeId, Link]


class SetSkew(msgspec.Struct, frozen=True, tag=True):
    """Your wall clock is wrong by so much from now on. Answered by Done."""

    skew_ms: int


class Rot(msgspec.Struct, frozen=True, tag=True):
    """The value you hold under this key decays, as on a bad disk, and you do not notice. Answered by Done."""

    key: Key


class Watch(msgspec.Struct, frozen=True, tag=True):
    """Tell your events from now on, or stop telling. Answered by Done."""

    on: bool


class Done(msgspec.Struct, frozen=True, tag=True):
    """It is done."""


class Error(msgspec.Struct, frozen=True, tag=True):
    """It cannot be done: `error` names a type in errors.py."""

    error: str
    text: str


Command: TypeAlias = (
    DoGet
    | DoPut
    | DoDelete
    | Peek
    | Where
    | Count
    | AllKeys
    | WhichRing
    | WhatOf
    | CountHints
    | ChangeRing
    | SetPeers
    | SetLinks
    | SetSkew
    | Rot
    | Watch
)
Response: TypeAlias = (
    Result | Held | Replicas | Counted | KeysHeld | RingInForce | Belief | HintsKept | Changed | Done | Error
)


# -- only between supervisor and child process ---------------------------------------------------


class Attach(msgspec.Struct, frozen=True, tag=True):
    """A child's first words: which node it is, and where it listens for its peers."""

    token: str
    node: NodeId
    peer_port: int


class Begin(msgspec.Struct, frozen=True, tag=True):
    """The supervisor's answer: all that the child needs to be a node."""

    config: ClusterConfig
    ring: RingSpec
    member: Member
    generation: int
    resp_port: int
    any_port: bool  # take the next free one if that is taken, but none of `kept_ports`
    kept_ports: tuple[int, ...]  # of the other members, up or down
    epoch_ns: int  # when the world started, by time.monotonic_ns
    ports: dict[NodeId, int]
    links: dict[NodeId, Link]
    watched: bool
    disk: str = ""
    """The path of the file that outlives the node; "" if none does."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The node serves clients."""

    resp_port: int
    kept_keys: int


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The node could not be started, and why."""

    text: str


class Ask(msgspec.Struct, frozen=True, tag=True):
    """A command, numbered."""

    id: int
    command: Command


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Say what you still have to say, close the connection, and end."""


class Answer(msgspec.Struct, frozen=True, tag=True):
    """The response to the command of this number."""

    id: int
    response: Response


class Told(msgspec.Struct, frozen=True, tag=True):
    """Events, oldest first."""

    events: tuple[AnyEvent, ...]


ToChild: TypeAlias = Begin | Ask | Stop
ToSupervisor: TypeAlias = Attach | Ready | Failed | Answer | Told
