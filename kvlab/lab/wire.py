"""What is on the wire, as the messages tab shows it: one row a message, the newest first.

The events tell what was sent and has not arrived, in both worlds and in recordings. The simulator knows more:
when each will arrive, and that one will arrive twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kvlab.messages import NodeId, OpId
from kvlab.trace.events import MessageDropped
from kvlab.trace.model import HEARTBEATS, Model
from kvlab.world.sim.network import UnderWay

ROWS_MAX = 60
"""More than any window shows."""
AGE_MS_MAX = 8000
"""A message that has been under way for so long was lost with its sender's last words."""


class OnWire(msgspec.Struct, frozen=True):
    """A message under way. `name` is what the events call it."""

    name: str
    sender: NodeId
    to: NodeId
    kind: str
    key: bytes | None = None
    why: str = ""
    """For the sake of which operation: its kind and its name; "" for background work."""
    sent_ms: float | None = None
    due_ms: float | None = None
    """When it will arrive, where that is known."""
    copies: int = 1


class OffWire(msgspec.Struct, frozen=True):
    """A message that will never arrive, and why."""

    at_ms: float
    sender: NodeId
    to: NodeId
    kind: str
    key: bytes | None
    why: str
    reason: str


class Arrived(msgspec.Struct, frozen=True):
    """A message that has arrived."""

    at_ms: float
    sender: NodeId
    to: NodeId
    kind: str
    key: bytes | None
    why: str


def arrived(model: Model) -> tuple[Arrived, ...]:
    """The last that have arrived and were no heartbeats, the newest first."""
    return tuple(
        Arrived(
            event.at_ms, event.sender, event.node, event.kind, _key(model, event.op), _why(model, event.op)
        )
        for event in reversed(model.arrived)
    )


def on_wire(model: Model, now_ms: float, under_way: Sequence[UnderWay] | None) -> tuple[OnWire, ...]:
    """The messages under way that are no heartbeats, and then the heartbeats; of each the newest first."""
    rows = _told(model, now_ms) if under_way is None else _known(model, under_way)
    rows.sort(key=lambda row: -(row.sent_ms or 0.0))
    beats = [row for row in rows if row.kind in HEARTBEATS]
    others = [row for row in rows if row.kind not in HEARTBEATS]
    return (*others[:ROWS_MAX], *beats[:ROWS_MAX])


def off_wire(model: Model, dropped: Sequence[MessageDropped]) -> tuple[OffWire, ...]:
    """The last that were dropped, the newest first."""
    return tuple(
        OffWire(
            event.at_ms,
            event.node,
            event.to,
            event.kind,
            _key(model, event.op),
            _why(model, event.op),
            event.why,
        )
        for event in list(dropped)[: -ROWS_MAX - 1 : -1]
    )


def _told(model: Model, now_ms: float) -> list[OnWire]:
    """By the events alone."""
    rows = []
    for sent in list(model.flying.values())[-4 * ROWS_MAX :]:
        link = model.links.get((sent.node, sent.to))
        if now_ms - sent.at_ms > AGE_MS_MAX + (link.delay_ms if link is not None else 0.0):
            continue
        key = sent.key if sent.key is not None else _key(model, sent.op)
        rows.append(OnWire(sent.msg, sent.node, sent.to, sent.kind, key, _why(model, sent.op), sent.at_ms))
    return rows


def _known(model: Model, under_way: Sequence[UnderWay]) -> list[OnWire]:
    """By the simulator: one row for all copies of a message, due when the first of them is."""
    rows: dict[str, OnWire] = {}
    for message in under_way:
        if (first := rows.get(message.msg)) is not None:
            rows[message.msg] = msgspec.structs.replace(first, copies=first.copies + 1)
            continue
        sent = model.flying.get(message.msg)
        rows[message.msg] = OnWire(
            message.msg,
            message.sender,
            message.to,
            message.kind,
            message.key if message.key is not None else _key(model, message.op),
            _why(model, message.op),
            sent.at_ms if sent is not None else None,
            message.due_ms,
        )
    return list(rows.values())


def _key(model: Model, op: OpId) -> bytes | None:
    operation = model.operations.get(op)
    return operation.key if operation is not None and operation.key else None


def _why(model: Model, op: OpId) -> str:
    operation = model.operations.get(op)
    return f"{operation.kind} {op}".strip() if operation is not None else str(op)
