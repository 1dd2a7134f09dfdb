"""Model: what is known of a cluster, as a pure fold over its events.

    model = Model(config)
    for event in events:
        model.apply(event)

The lab, replay and `--plain` look at a `Model` and at nothing else, so that a recording shows what the
live cluster showed. No I/O and no clock: the time is that of the events.

What it must put up with, because real processes do it: events of different nodes a few milliseconds out
of order; events that never come, because a SIGKILL took the last ones with it; `EventsLost`. So nothing
here relies on a pair of events being complete, and an operation is made by whichever of its events comes
first. Order is only restored where it is looked at (`causal_order`).

Memory is bounded: the last 200 operations with at most 500 events each, 64 items a node, 500 script lines.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, assert_never

import msgspec

from kvlab.config import ClusterConfig
from kvlab.messages import Copy, NodeId, OpId, RingSpec
from kvlab.trace.events import (
    AnyEvent,
    Believed,
    ClockSkewed,
    Delivered,
    EventsLost,
    Exchanged,
    Hinted,
    LineFailed,
    LinkChanged,
    Locked,
    MessageDropped,
    NodeDied,
    NodeFault,
    NodeKilled,
    NodeLeft,
    NodePaused,
    NodeReady,
    NodeResumed,
    NodeStarting,
    OpEnded,
    OpStarted,
    Overwritten,
    Partitioned,
    Removed,
    Repaired,
    RingChanged,
    Said,
    ScriptLine,
    Sent,
    Stored,
    Used,
)
from kvlab.trace.series import Series

State: TypeAlias = Literal["starting", "up", "paused", "down", "left"]

OPERATIONS_MAX = 200
OPERATION_EVENTS_MAX = 500
ITEMS_MAX = 64
LINES_MAX = 500
FLYING_MAX = 2000
FORGOTTEN_MAX = 2000
MENDED_MS = 3000.0
"""For so long it is told what was mended, rather than who is taken for alive again."""
DROPPED_MAX = 100
ARRIVED_MAX = 40
USED_MAX = 60
HEARTBEATS = ("Beat", "Heard", "Gossip", "Gossiped")
"""The kinds of messages that only say that somebody is alive: so many that the others are lost among them."""


class Node(msgspec.Struct, frozen=True):
    """One node, as its events tell. `port` and `pid` are 0 in the simulator."""

    node: NodeId
    zone: str = "z1"
    weight: int = 1
    state: State = "starting"
    generation: int = 0
    port: int = 0
    pid: int = 0
    keys: int = 0
    bytes: int = 0
    skew_ms: int = 0
    epoch: int = 0
    """By which ring it works."""
    since_ms: float = 0.0
    """When this life of it began: what is older was told by an earlier life."""
    trouble: str = ""
    """Why it died, or what it raised."""
    gone_ms: float | None = None
    """Since when nobody hears it: it was killed, died, left or is paused."""
    tombstones: int = 0
    missing: tuple[NodeId, ...] = ()
    """For whose sake it takes no writes; () if it does take them."""
    beliefs: dict[NodeId, str] = {}
    """What it takes each peer to be: alive, suspect, failed or left; only of those it has spoken of."""
    believed_ms: dict[NodeId, float] = {}
    """Since when it takes each of them to be that."""
    hints: dict[NodeId, int] = {}
    """How many hints it keeps, by owner."""
    repairs: int = 0
    """How many copies of others it has brought up to date."""


class KeptHint(msgspec.Struct, frozen=True):
    """What a stand-in keeps for the owner of a key: since when, and for the sake of which operation."""

    keeper: NodeId
    owner: NodeId
    key: bytes
    since_ms: float
    op: OpId = OpId("")


class Operation:
    """One client operation and its own events, in order of arrival (`causal_order` puts them right).

    `outcome` is "" while it runs. `cut` counts the events that were too many to keep.
    """

    __slots__ = (
        "cut", "ended_ms", "error", "events", "key", "kind", "op", "outcome", "started_ms", "text",
        "took_ms", "value", "values", "via",
    )  # fmt: skip

    def __init__(self, op: OpId, at_ms: float) -> None:
        self.op = op
        self.via = NodeId(op.split(".")[0])  # n1.3.17: node, generation, count
        self.kind, self.key = "", b""
        self.value: bytes | None = None
        self.started_ms = at_ms
        self.ended_ms: float | None = None
        self.took_ms = 0.0
        self.outcome, self.error, self.text = "", "", ""
        self.values: tuple[bytes, ...] = ()
        self.events: list[AnyEvent] = []
        self.cut = 0

    def copy(self) -> Operation:
        """Another, to which events can come without this one hearing of them."""
        again = Operation.__new__(Operation)
        for name in Operation.__slots__:
            setattr(again, name, getattr(self, name))
        again.events = self.events.copy()
        return again

    def holders(self) -> list[NodeId]:
        """The nodes that stored its value, in order of arrival, each once."""
        return list(dict.fromkeys(event.node for event in self.events if isinstance(event, Stored)))

    def silent(self) -> list[NodeId]:
        """The nodes that were asked and from which no answer has come back."""
        asked = [event for event in self.events if isinstance(event, Sent) and not event.answers]
        answered = {
            event.sender
            for event in self.events
            if isinstance(event, Delivered) and event.node == self.via and event.sender != self.via
        }
        return [to for to in dict.fromkeys(event.to for event in asked) if to not in answered]


class Model:
    """A cluster, as far as its events have told."""

    def __init__(self, config: ClusterConfig) -> None:
        """`config` is a checked one: it says by which ring the cluster starts."""
        self.config = config
        self.at_ms = 0.0
        self.count = 0
        self.lost = 0
        """How many events are known to be missing."""
        self.nodes: dict[NodeId, Node] = {}
        self.ring = RingSpec(0, config.members(), config.vnodes)
        self.phase = ""
        """The phase a change of the ring is in; "" when none is under way."""
        self.groups: tuple[tuple[NodeId, ...], ...] = ()
        """The sides of the partition; () when there is none."""
        self.links: dict[tuple[NodeId, NodeId], LinkChanged] = {}
        """What ails each link that is not well, by (from, to)."""
        self.operations: dict[OpId, Operation] = {}
        """The last 200, oldest first."""
        self.items: dict[NodeId, dict[bytes, bytes]] = {}
        """What each node stored last, newest last: to look at, not complete."""
        self.copies: dict[NodeId, dict[bytes, Copy]] = {}
        """The same with their versions, tombstones too, in stages that have any."""
        self.kept_hints: dict[NodeId, dict[tuple[NodeId, bytes], KeptHint]] = {}
        """The hints that each node keeps, by owner and key, as far as it has told of them one by one."""
        self.flying: dict[str, Sent] = {}
        """Messages sent of which nobody has told yet that they arrived or never will."""
        self.arrived: deque[Delivered] = deque(maxlen=ARRIVED_MAX)
        """The last messages that have arrived, and that were no heartbeats."""
        self.dropped: deque[MessageDropped] = deque(maxlen=DROPPED_MAX)
        """The last messages that will never arrive, and that were no heartbeats."""
        self.dropped_heartbeats: deque[MessageDropped] = deque(maxlen=DROPPED_MAX)
        self.ended = Series()
        """How many operations ended, how, and after how long."""
        self.used: dict[NodeId, deque[Used]] = {}
        """What each process took of the machine in the last minute."""
        self.overwritten: deque[Overwritten] = deque(maxlen=LINES_MAX)
        """Writes that were said to be done and that a reconciliation replaced."""
        self.exchanges: dict[tuple[NodeId, NodeId], Exchanged] = {}
        """The last comparison of trees of each pair."""
        self.found: Exchanged | None = None
        """The last comparison that found a difference."""
        self.log: deque[ScriptLine | LineFailed | Said] = deque(maxlen=LINES_MAX)
        """What was done and said. A line that fell short stands here as its LineFailed."""
        self.latest: AnyEvent | None = None
        """The last event that a person would tell another of."""
        self._landed: dict[str, None] = {}  # arrived before we heard that they were sent
        self._forgotten: dict[OpId, None] = {}  # operations dropped: their late events make no new ones

    def copy(self) -> Model:
        """Another that knows as much, to go on by itself. About a millisecond, when it knows a lot."""
        again = Model.__new__(Model)
        vars(again).update({name: _copied(value) for name, value in vars(self).items()})
        return again

    def apply(self, event: AnyEvent) -> None:
        """Take one event in. About a microsecond; the frequent ones come first.

        That an event is not of a type is found out ten times as slowly as that it is.
        """
        self.count += 1
        if event.at_ms > self.at_ms:
            self.at_ms = event.at_ms
        match event:
            case Sent():
                self._sent(event)
                return
            case Delivered():
                if event.kind not in HEARTBEATS:
                    self.arrived.append(event)
                self._landed_now(event)
                return
            case Stored() | Removed():
                self._stored(event)
                return
            case OpStarted() | OpEnded():
                self._operated(event)
            case MessageDropped():
                (self.dropped_heartbeats if event.kind in HEARTBEATS else self.dropped).append(event)
                self._landed_now(event)
            case NodeStarting():
                self._starting(event)
            case NodeReady() | NodeKilled() | NodeDied() | NodePaused() | NodeResumed() | NodeLeft():
                self._lived(event)
            case NodeFault():
                self._change(event.node, trouble=event.error)
            case RingChanged():
                self._ring_changed(event)
            case Locked():
                self._change(event.node, missing=event.missing)
            case Overwritten():
                self.overwritten.append(event)
            case Repaired():
                self._repaired(event)
            case Believed():
                self._believed(event)
            case Hinted():
                self._hinted(event)
            case Exchanged():
                self.exchanges[event.node, event.peer] = event
                if event.keys:
                    self.found = event
            case Used():
                self.used.setdefault(event.node, deque(maxlen=USED_MAX)).append(event)
            case Partitioned():
                self.groups = event.groups if len(event.groups) > 1 else ()
                if not self.groups:
                    self.links.clear()
            case LinkChanged():
                self._link_changed(event)
            case ClockSkewed():
                self._change(event.node, skew_ms=event.skew_ms)
            case ScriptLine() | Said():
                self.log.append(event)
            case LineFailed():
                self._line_failed(event)
            case EventsLost():
                self.lost += event.count
            case _:
                assert_never(event)
        if type(event) in _TOLD or _is_news(event, self.latest):
            self.latest = event

    # -- messages and operations -----------------------------------------------------------------

    def _sent(self, event: Sent) -> None:
        if event.msg in self._landed:
            del self._landed[event.msg]
        else:
            self.flying[event.msg] = event
            if len(self.flying) > FLYING_MAX:  # whoever was to tell of the oldest is dead
                del self.flying[next(iter(self.flying))]
        if event.op:
            self._belongs(event.op, event)

    def _landed_now(self, event: Delivered | MessageDropped) -> None:
        if self.flying.pop(event.msg, None) is None:
            self._landed[event.msg] = None
            if len(self._landed) > FLYING_MAX:
                del self._landed[next(iter(self._landed))]
        if event.op:
            self._belongs(event.op, event)

    def _belongs(self, op: OpId, event: AnyEvent) -> Operation | None:
        """Add the event to its operation, which may be new; None if that one is long forgotten."""
        operation = self.operations.get(op)
        if operation is None:
            if op in self._forgotten:
                return None
            operation = self.operations[op] = Operation(op, event.at_ms)
            if len(self.operations) > OPERATIONS_MAX:
                self._forget(next(iter(self.operations)))
        if len(operation.events) < OPERATION_EVENTS_MAX:
            operation.events.append(event)
        else:
            operation.cut += 1
        return operation

    def _forget(self, op: OpId) -> None:
        del self.operations[op]
        self._forgotten[op] = None
        if len(self._forgotten) > FORGOTTEN_MAX:
            del self._forgotten[next(iter(self._forgotten))]

    def _operated(self, event: OpStarted | OpEnded) -> None:
        if isinstance(event, OpEnded):
            self.ended.add(event.at_ms, event.outcome, event.took_ms)
        operation = self._belongs(event.op, event)
        if operation is None:
            return
        if isinstance(event, OpStarted):
            operation.started_ms, operation.value = event.at_ms, event.value
        else:
            if not operation.kind:  # its start was lost
                operation.started_ms = event.at_ms - event.took_ms
            operation.ended_ms, operation.took_ms = event.at_ms, event.took_ms
            operation.outcome, operation.values = event.outcome, event.values
            operation.error, operation.text = event.error, event.text
        operation.kind, operation.key, operation.via = event.kind, event.key, event.node

    def _repaired(self, event: Repaired) -> None:
        if event.op:
            self._belongs(event.op, event)
        self._change(event.node, repairs=self._node(event.node).repairs + 1)

    def _believed(self, event: Believed) -> None:
        node = self._node(event.node)
        self._change(
            event.node,
            beliefs={**node.beliefs, event.peer: event.belief},
            believed_ms={**node.believed_ms, event.peer: event.at_ms},
        )

    def _hinted(self, event: Hinted) -> None:
        """One hint more or less, or as many as before."""
        if event.op:
            self._belongs(event.op, event)
        if self._node(event.node).state in ("down", "left"):
            return  # told late by a life that has ended
        kept = self.kept_hints.setdefault(event.node, {})
        name = (event.owner, event.key)
        if event.what in ("kept", "merged"):
            since_ms = kept[name].since_ms if name in kept else event.at_ms
            kept[name] = KeptHint(event.node, event.owner, event.key, since_ms, event.op)
            if len(kept) > ITEMS_MAX:
                del kept[next(iter(kept))]
        elif event.what != "refused":
            kept.pop(name, None)
        hints = dict(self._node(event.node).hints)
        more = {"kept": 1, "delivered": -1, "expired": -1, "moved": -1}.get(event.what, 0)
        hints[event.owner] = hints.get(event.owner, 0) + more
        self._change(event.node, hints={owner: count for owner, count in hints.items() if count > 0})

    def _stored(self, event: Stored | Removed) -> None:
        if event.op:
            self._belongs(event.op, event)
        node = self._node(event.node)
        if node.state in ("down", "left") or event.at_ms < node.since_ms:
            return  # told late by a life that has ended: its memory is gone
        self.nodes[event.node] = msgspec.structs.replace(
            node, keys=event.keys, bytes=event.held_bytes, tombstones=event.tombstones
        )
        _hold(self.copies.setdefault(event.node, {}), event.key, event.copy)
        items = self.items.setdefault(event.node, {})
        items.pop(event.key, None)
        if isinstance(event, Stored):
            items[event.key] = event.value
            if len(items) > ITEMS_MAX:
                del items[next(iter(items))]

    # -- nodes -----------------------------------------------------------------------------------

    def _node(self, name: NodeId) -> Node:
        """The node of this name; one that nobody has introduced is surely up, since it speaks."""
        node = self.nodes.get(name)
        if node is None:
            node = self.nodes[name] = Node(name, state="up")
        return node

    def _change(self, name: NodeId, **changes: object) -> None:
        self.nodes[name] = msgspec.structs.replace(self._node(name), **changes)

    def _starting(self, event: NodeStarting) -> None:
        """A new life: nothing of the old one holds but its name."""
        before = self.nodes.get(event.node)
        generation = before.generation if before is not None else 0
        self._forget_data(event.node)
        self.nodes[event.node] = Node(
            event.node, event.zone, event.weight, generation=generation, since_ms=event.at_ms
        )

    def _lived(self, event: NodeReady | NodeKilled | NodeDied | NodePaused | NodeResumed | NodeLeft) -> None:
        name = event.node
        match event:
            case NodeReady():
                node = self._node(name)
                told = max(node.keys, event.kept_keys)  # it may have stored more before we heard
                self._change(
                    name, state="up", generation=event.generation, port=event.port, pid=event.pid, keys=told
                )
            case NodePaused():
                self._change(name, state="paused", gone_ms=event.at_ms)
            case NodeResumed():
                self._change(name, state="up", gone_ms=None)
            case NodeKilled():
                self._gone(event, "down", "it was killed")
            case NodeDied():
                self._gone(event, "down", event.why)
            case NodeLeft():
                self._gone(event, "left", "")

    def _forget_data(self, name: NodeId) -> None:
        """What was in its memory."""
        for of in (self.items, self.copies, self.kept_hints):
            of.pop(name, None)

    def _gone(self, event: NodeKilled | NodeDied | NodeLeft, state: State, why: str) -> None:
        """Its memory, its clock and its process are gone, and so is whatever it was coordinating."""
        name, node = event.node, self._node(event.node)
        gone_ms = event.at_ms if node.gone_ms is None else node.gone_ms  # it was paused before
        self.nodes[name] = Node(
            name, node.zone, node.weight, state, node.generation, node.port, epoch=node.epoch, trouble=why,
            since_ms=node.since_ms, gone_ms=gone_ms,
        )  # fmt: skip
        self._forget_data(name)
        self.used.pop(name, None)
        for operation in self.operations.values():
            if operation.via == name and not operation.outcome:
                operation.outcome, operation.error = "unknown", "NoAnswer"
                operation.text = f"{name} was gone before it answered"
                operation.took_ms = self.at_ms - operation.started_ms

    def _line_failed(self, event: LineFailed) -> None:
        """It stands where its line stood, if that is still known."""
        for i in reversed(range(len(self.log))):
            entry = self.log[i]
            if isinstance(entry, ScriptLine) and (entry.at_ms, entry.line) == (event.told_ms, event.line):
                self.log[i] = event
                return

    # -- ring and network ------------------------------------------------------------------------

    def _ring_changed(self, event: RingChanged) -> None:
        if event.phase != "installed":
            self.phase = "" if event.phase == "aborted" else event.phase
            return
        self._change(event.node, epoch=event.ring.epoch)
        if event.ring.epoch >= self.ring.epoch:
            self.ring, self.phase = event.ring, ""

    def _link_changed(self, event: LinkChanged) -> None:
        if event.delay_ms or event.jitter_ms or event.loss or event.duplication:
            self.links[event.node, event.to] = event
        else:
            self.links.pop((event.node, event.to), None)


def _copied(value: Any) -> Any:
    """What changes is copied, all the way down; what does not is shared."""
    if isinstance(value, dict):
        deep = isinstance(next(iter(value.values()), None), dict | deque | Operation)  # all are of one type
        return {key: _copied(one) for key, one in value.items()} if deep else value.copy()
    if isinstance(value, list | deque):
        return value.copy()  # of events, which never change
    return value.copy() if isinstance(value, Operation | Series) else value


def retold(model: Model) -> list[AnyEvent]:
    """Events from which a new model learns what this one knows of nodes, ring, network and data: what a
    recording begins with whose own beginning was not kept. Operations, hints and counts are not in it."""
    at_ms, nobody = model.at_ms, NodeId("")
    told: list[AnyEvent] = []
    for node in model.nodes.values():
        name = node.node
        told.append(NodeStarting(node.since_ms, name, node.zone, node.weight))
        if node.state == "starting":
            continue
        told.append(NodeReady(node.since_ms, name, node.generation, node.port, node.pid, node.keys))
        for key, value in model.items.get(name, {}).items():
            copy = model.copies.get(name, {}).get(key)
            told.append(
                Stored(at_ms, name, key, value, node.keys, node.bytes, copy=copy, tombstones=node.tombstones)
            )
        if node.missing:
            told.append(Locked(at_ms, name, node.missing))
        if node.skew_ms:
            told.append(ClockSkewed(at_ms, name, node.skew_ms))
        for peer, belief in node.beliefs.items():
            told.append(Believed(node.believed_ms.get(peer, at_ms), name, peer, belief))
        gone_ms = at_ms if node.gone_ms is None else node.gone_ms
        match node.state:
            case "paused":
                told.append(NodePaused(gone_ms, name))
            case "down":
                told.append(NodeDied(gone_ms, name, node.trouble))
            case "left":
                told.append(NodeLeft(gone_ms, name))
    told.append(RingChanged(at_ms, next(iter(model.nodes), nobody), model.ring, "installed"))
    if model.groups:
        told.append(Partitioned(at_ms, nobody, model.groups))
    return [*told, *(msgspec.structs.replace(link, at_ms=at_ms) for link in model.links.values())]


_TOLD = {
    NodeReady, NodeKilled, NodeDied, NodePaused, NodeResumed, NodeLeft, NodeFault, OpStarted, OpEnded,
    RingChanged, Locked, Overwritten, Partitioned, LinkChanged, ClockSkewed, Said, EventsLost,
}  # fmt: skip


def _is_news(event: AnyEvent, latest: AnyEvent | None) -> bool:
    """Whether a person would tell of an event of a kind that mostly is not worth a word.

    What belongs to an operation is told with it, and an exchange that finds nothing changes nothing. A node
    that is back is believed in by one after the other, while others hand it what it has missed: that is told.
    """
    match event:
        case Believed():
            mended = isinstance(latest, Hinted | Exchanged) and event.at_ms < latest.at_ms + MENDED_MS
            return not (mended and event.belief == "alive")
        case Hinted():
            return not event.op
        case Repaired():
            return event.why == "read"
        case Exchanged():
            return event.keys > 0
        case MessageDropped():
            return event.why == "by hand"
        case _:
            return False


def _hold(copies: dict[bytes, Copy], key: bytes, copy: Copy | None) -> None:
    """Put the last at the end, and keep it bounded."""
    copies.pop(key, None)
    if copy is not None:
        copies[key] = copy
        if len(copies) > ITEMS_MAX:
            del copies[next(iter(copies))]


def causal_order(events: Sequence[AnyEvent]) -> list[AnyEvent]:
    """The events so that every cause stands before its effects, and otherwise by time. O(n log n).

    Known causes: a node's own events happened in the order it told them, and a message was sent before it
    arrived. The times of two processes may contradict the second by a little; then it wins.
    """
    sent_at = {event.msg: i for i, event in enumerate(events) if isinstance(event, Sent)}
    waits = [0] * len(events)
    then: list[list[int]] = [[] for _ in events]
    before: dict[NodeId, int] = {}
    for i, event in enumerate(events):
        causes = {before[event.node]} if event.node in before else set()
        if isinstance(event, Delivered | MessageDropped) and event.msg in sent_at:
            causes.add(sent_at[event.msg])
        for cause in causes:
            then[cause].append(i)
        waits[i] = len(causes)
        before[event.node] = i
    ready = [(event.at_ms, i) for i, event in enumerate(events) if not waits[i]]
    heapq.heapify(ready)
    ordered: list[int] = []
    while ready:
        _, i = heapq.heappop(ready)
        ordered.append(i)
        for effect in then[i]:
            waits[effect] -= 1
            if not waits[effect]:
                heapq.heappush(ready, (events[effect].at_ms, effect))
    if len(ordered) < len(events):  # a circle, which only a damaged recording can hold: by time, then
        missing = set(range(len(events))) - set(ordered)
        ordered += sorted(missing, key=lambda i: (events[i].at_ms, i))
    return [events[i] for i in ordered]
