"""View: what the screen shows, as one immutable value.

The lab folds events into a `Model` as they come, and ten times a second takes a `View` of it if anything
has changed. Drawing, the sentences and the actions look at a view alone, so that they can be tested
without a cluster, and a replay draws as the live run did.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePath
from typing import Literal, TypeAlias

import msgspec

from kvlab import stages
from kvlab.core.placement import preference_list
from kvlab.core.ring import Ring
from kvlab.lab.keys import KeyRow, in_conflict, keys_of, known_keys
from kvlab.lab.source import Source
from kvlab.lab.wire import Arrived, OffWire, OnWire, arrived, off_wire, on_wire
from kvlab.messages import Copy, Key, NodeId, OpId, RingSpec
from kvlab.script.help import Page
from kvlab.stages import Stage
from kvlab.trace.events import (
    AnyEvent,
    Exchanged,
    Hinted,
    LineFailed,
    LinkChanged,
    Repaired,
    Said,
    ScriptLine,
    Stored,
    Used,
)
from kvlab.trace.model import HEARTBEATS, KeptHint, Model, Node, Operation, causal_order
from kvlab.trace.series import Quarter

Tab: TypeAlias = Literal["cluster", "operation", "data", "messages", "load", "code"]

UNMERGED = ("siblings", "newest")
"""Ways to resolve after which a value read is one that was written."""
ENDED_MAX = 120
"""Of so many operations that have ended it is shown how long they took."""
FLIGHTS_MAX = 24
FLIGHT_MS_MAX = 8000
"""A message that has been under way for so long was lost with its sender's last words."""


class Shot(msgspec.Struct, frozen=True):
    """One operation as it stands, its events in causal order."""

    op: OpId
    kind: str
    key: Key
    value: bytes | None
    via: NodeId
    started_ms: float
    took_ms: float
    outcome: str
    values: tuple[bytes, ...]
    error: str
    text: str
    events: tuple[AnyEvent, ...]
    cut: int
    holders: tuple[NodeId, ...]
    silent: tuple[NodeId, ...]
    place: int
    """Which of the operations known it is, counting from 1."""
    of: int
    hinted: tuple[tuple[NodeId, NodeId], ...] = ()
    """Who keeps a hint for whom because of it."""
    repaired: tuple[NodeId, ...] = ()
    """Whose copies it has mended."""
    in_conflict: tuple[NodeId, ...] = ()
    """Who holds siblings since."""
    missed: bytes | None = None
    """What a read should have found and did not."""


class Held(msgspec.Struct, frozen=True):
    """What one node holds of the key shown. `place` counts its home replicas from 1; 0 is none of them."""

    node: NodeId
    place: int
    values: tuple[bytes, ...]
    copy: Copy | None = None
    owner: NodeId | None = None
    """For whom it keeps this as a hint, if that is all it does."""
    told: bool = True
    """Whether it is known: a node tells of what it stores, and not of what it found on its disk."""

    @property
    def nothing(self) -> bool:
        """No value, and no tombstone either."""
        return not self.values and self.copy is None


class Took(msgspec.Struct, frozen=True):
    """How long an operation took that has ended, and how it did."""

    ms: float
    outcome: str


class Brief(msgspec.Struct, frozen=True):
    """One operation in the list of the last ones."""

    op: OpId
    kind: str
    key: Key
    value: bytes | None
    via: NodeId
    outcome: str
    took_ms: float


class Flight(msgspec.Struct, frozen=True):
    """A message under way: `progress` is 0 at its sender and 1 at its receiver."""

    sender: NodeId
    to: NodeId
    kind: str
    progress: float


class Hint(msgspec.Struct, frozen=True):
    """A key in the footer: `action` is what it does, `why_not` why it cannot be used now, "" if it can."""

    key: str
    label: str
    help: str
    why_not: str = ""
    action: str = ""


class Narration(msgspec.Struct, frozen=True, kw_only=True):
    """What the presenter shows below the panels: one step of a talk."""

    place: int
    """Which of its steps it is, counting from 1."""
    of: int
    said: tuple[str, ...] = ()
    question: str = ""
    answer: str = ""
    """"" until the room may see it."""
    busy: bool = False
    """Whether its lines are under way."""
    failed: tuple[str, str] | None = None
    """What was expected and what was found, where the two differ."""
    again: bool = False
    """Whether the cluster is being brought to this step from the first."""
    why_not_next: str = ""
    past: bool = False
    """Whether what is shown above is not the present."""


def clock(at_ms: float) -> str:
    """Minutes, seconds and tenths: 00:12.4; with hours, if there are any."""
    tenths = int(at_ms // 100)
    hours, minutes = divmod(tenths // 600, 60)
    seconds = f"{minutes:02}:{tenths // 10 % 60:02}.{tenths % 10}"
    return f"{hours}:{seconds}" if hours else seconds


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Where in time the screen is: a cursor in the log of all that was told."""

    kind: Literal["live", "sim", "replay"] = "live"
    held: bool = False
    """Whether what is shown stands still."""
    behind: bool = False
    """Whether it is not the present."""
    at_ms: float = 0.0
    first_ms: float = 0.0
    """From when on one can look back."""
    end_ms: float = 0.0
    place: int = 0
    """After so many events of the log."""
    first: int = 0
    end: int = 0
    step: int = 0
    """Of the simulator, as are the next two."""
    steps: int = 0
    again: int | None = None
    """How many steps have been done again, while a branch is being made."""
    speed: float = 1.0

    @property
    def badge(self) -> str:
        """What the screen always says of time."""
        speed = f" x{self.speed:g}" if self.speed != 1.0 else ""
        match self.kind:
            case "live":
                return f"PAUSED +{self.end - self.place}" if self.held else "LIVE"
            case "sim" if self.again is not None:
                return f"SIM again {self.again} of {self.step}, Esc: stop"
            case "sim" if self.behind:
                return f"SIM step {self.step} of {self.steps}"
            case "sim":
                return f"SIM step {self.steps}{speed}{' PAUSED' if self.held else ''}"
            case "replay":
                how = "" if not self.held else " END" if self.place == self.end else " PAUSED"
                return f"REPLAY {clock(self.at_ms)}{speed}{how}"


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is drawn."""

    stage: Stage
    n: int
    mine: str = ""
    """The name of the reader's file, if a piece of the reader's is at work."""
    simulated: bool = False
    ready: bool = True
    moment: Moment = Moment()
    why_not_do: str = ""
    """Why nothing can be done to the cluster where the cursor is."""
    now_ms: float = 0.0
    nodes: tuple[Node, ...] = ()
    ring: RingSpec
    phase: str = ""
    groups: tuple[tuple[NodeId, ...], ...] = ()
    links: tuple[LinkChanged, ...] = ()
    r: int | None = None
    w: int | None = None
    """How many replicas have to answer, where the cluster says so."""
    choice: str = "cp"
    """What mirrors do while the network is cut: cp or ap."""
    op: Shot | None = None
    chosen: int = -1
    """Which event of the operation is looked at; -1 is the last."""
    briefs: tuple[Brief, ...] = ()
    """The operations known, oldest first."""
    source: Source | None = None
    """The file that runs, where its code is looked at."""
    key: Key = b"cart:42"
    """The key of the operation shown; what w writes and g reads."""
    homes: tuple[NodeId, ...] = ()
    flights: tuple[Flight, ...] = ()
    items: tuple[tuple[bytes, bytes], ...] = ()
    mirrors: tuple[tuple[tuple[bytes, bytes], ...], ...] = ()
    """What each node of `nodes` has stored last, where all hold the same keys."""
    holdings: tuple[Held, ...] = ()
    """Who holds what of the key shown: its home replicas in order, then whoever else does."""
    kept_hints: tuple[KeptHint, ...] = ()
    """Oldest first."""
    keys: tuple[KeyRow, ...] = ()
    """All keys known, where they are looked at: first those that differ from replica to replica."""
    conflicts: int = 0
    """How many keys have siblings somewhere."""
    compared: Exchanged | None = None
    """The last exchange of Merkle trees."""
    found: Exchanged | None = None
    """The last one that found a difference."""
    ended: tuple[Took, ...] = ()
    """The last operations that have ended, oldest first."""
    memory_bytes: int | None = None
    durable: bool = False
    log: tuple[ScriptLine | LineFailed | Said, ...] = ()
    latest: AnyEvent | None = None
    lost: int = 0
    notice: str = ""
    """What the lab itself has to say, before anything else."""
    said: tuple[str, ...] = ()
    """The last notices, newest first."""
    page: Page | None = None
    """What is read in place of the panels."""
    narration: Narration | None = None
    """What is presented; None outside of a demo."""
    prompt: str = ""
    """A question that is to be answered with the next keys."""
    hints: tuple[Hint, ...] = ()
    help: int = 0
    """Which page of the keys is read, from 1; 0 if none."""
    tab: Tab = "cluster"
    moving: bool = True
    """Whether messages under way are drawn."""

    wire: tuple[OnWire, ...] = ()
    """The messages under way, heartbeats too."""
    arrived: tuple[Arrived, ...] = ()
    """The last messages that have arrived, the newest first."""
    dropped: tuple[OffWire, ...] = ()
    dropped_heartbeats: tuple[OffWire, ...] = ()
    heartbeats: bool = False
    """Whether heartbeats are shown among the messages."""
    picked: str = ""
    """The message that was chosen last; it may have arrived."""
    in_hand: bool = False
    """Whether it can be decided what becomes of the messages under way."""
    quarters: tuple[Quarter, ...] = ()
    """What became of the operations, a quarter of a second each."""
    used: dict[NodeId, tuple[Used, ...]] = {}
    """What each process took of the machine in the last minute."""
    loading: str = ""
    """The load under way, as its line; "" if there is none."""
    load_left_ms: float = 0.0
    load_rate: int = 200
    """How many operations a second the next load does."""

    @property
    def wire_shown(self) -> tuple[OnWire, ...]:
        """The rows of the messages tab."""
        return tuple(row for row in self.wire if self.heartbeats or row.kind not in HEARTBEATS)

    @property
    def message(self) -> str:
        """The message that a key would decide about: the one picked, or the newest; "" if there is none."""
        names = [row.name for row in self.wire_shown]
        return self.picked if self.picked in names else next(iter(names), "")

    def node(self, name: str) -> Node | None:
        return next((node for node in self.nodes if node.node == name), None)

    def trouble_of(self, op: Shot) -> str:
        """What the reader's piece has raised, as a node tells it, if that is why this operation has come to
        nothing; "" if not."""
        raised = (node.trouble for node in self.nodes if node.state == "up")
        return next((text for text in raised if self.is_mine(text) and text in op.text), "")

    def is_mine(self, trouble: str) -> bool:
        """Whether the reader's piece has raised this, and not what kvlab itself is made of."""
        return bool(self.mine) and trouble.startswith((f"{self.mine},", f"{self.mine}:"))

    def chosen_event(self) -> AnyEvent | None:
        """The event that is looked at."""
        if self.op is None or not self.op.events:
            return None
        last = len(self.op.events) - 1
        return self.op.events[last if self.chosen < 0 else min(self.chosen, last)]

    def zone(self, name: str) -> str:
        """The zone of a node; "" where all are in one, for then it says nothing."""
        if len({node.zone for node in self.nodes}) < 2:
            return ""
        found = self.node(name)
        return found.zone if found is not None else ""

    def in_state(self, *states: str) -> list[NodeId]:
        """The nodes in one of these states, in order."""
        return [node.node for node in self.nodes if node.state in states]


def counted(number: int, what: str) -> str:
    """1 node, 2 nodes."""
    return f"{number} {what}{'s'[: number != 1]}"


@lru_cache(maxsize=8)
def ring_of(spec: RingSpec) -> Ring:
    """The ring of a spec; made once, since every frame asks for it."""
    return Ring(spec)


def homes_of(stage: Stage, n: int, spec: RingSpec, key: Key) -> tuple[NodeId, ...]:
    """The key's home replicas in preference order; () where the stage has no ring."""
    if not stage.ring:
        return ()
    ring = ring_of(spec)
    return tuple(preference_list(ring, ring.slot(key), n))


def key_rows(model: Model) -> tuple[KeyRow, ...]:
    """All keys known, and who holds what of each; () where there is no ring to place them."""
    stage = stages.find(model.config.stage)
    if not stage.ring:
        return ()
    return keys_of(
        model, {key: homes_of(stage, model.config.n, model.ring, key) for key in known_keys(model)}
    )


def view_of(
    model: Model, shown: OpId | None = None, now_ms: float | None = None, chosen: Key | None = None
) -> View:
    """A view of the model: of this operation, or else of the last; at this moment, or else its latest; with
    the key that was chosen, or else that of the operation."""
    config = model.config
    stage = stages.find(config.stage)
    now = model.at_ms if now_ms is None else now_ms
    op = _shot(model, shown)
    view = View(stage=stage, n=config.n, ring=model.ring)
    key = chosen or (op.key if op is not None and op.key else view.key)
    nodes = tuple(node for node in model.nodes.values() if node.state != "left")
    items: tuple[tuple[bytes, bytes], ...] = ()
    if not stage.ring and nodes:
        items = tuple(model.items.get(nodes[0].node, {}).items())
    homes = homes_of(stage, config.n, model.ring, key)
    mirrors = tuple(tuple(model.items.get(node.node, {}).items()) for node in nodes)
    return msgspec.structs.replace(
        view,
        mine=PurePath(config.mine).name if config.mine else "",
        now_ms=now,
        nodes=nodes,
        phase=model.phase,
        groups=model.groups,
        links=tuple(model.links.values()),
        r=config.r,
        w=config.w,
        choice=config.choice,
        op=op,
        briefs=tuple(_brief(one) for one in model.operations.values()),
        key=key,
        homes=homes,
        flights=_flights(model, now, op.op if op is not None else OpId("")),
        items=items,
        mirrors=mirrors if stage.mirrored else (),
        holdings=_holdings(model, key, homes, [node.node for node in nodes]),
        kept_hints=tuple(sorted(_kept_hints(model), key=lambda hint: hint.since_ms)),
        conflicts=in_conflict(model) if stage.contexts else 0,
        compared=max(model.exchanges.values(), key=lambda event: event.at_ms, default=None),
        found=model.found,
        ended=_ended(model),
        memory_bytes=config.memory_bytes,
        durable=config.durable,
        log=tuple(model.log)[-12:],
        latest=model.latest,
        wire=on_wire(model, now, None),
        arrived=arrived(model),
        dropped=off_wire(model, model.dropped),
        dropped_heartbeats=off_wire(model, model.dropped_heartbeats),
        quarters=model.ended.quarters(),
        used={node: tuple(used) for node, used in model.used.items()},
        lost=model.lost,
    )


def _shot(model: Model, shown: OpId | None) -> Shot | None:
    """The operation of this name, or else the last that was begun."""
    if not model.operations:
        return None
    names = list(model.operations)
    name = shown if shown in model.operations else names[-1]
    assert name is not None
    op: Operation = model.operations[name]
    hinted = [(event.node, event.owner) for event in op.events if isinstance(event, Hinted)]
    siblings = {event.node: event.siblings for event in op.events if isinstance(event, Stored)}
    return Shot(
        op=op.op,
        kind=op.kind or "?",
        key=op.key,
        value=op.value,
        via=op.via,
        started_ms=op.started_ms,
        took_ms=op.took_ms,
        outcome=op.outcome,
        values=op.values,
        error=op.error,
        text=op.text,
        events=tuple(causal_order(op.events)),
        cut=op.cut,
        holders=tuple(op.holders()),
        silent=tuple(op.silent()),
        place=names.index(name) + 1,
        of=len(names),
        hinted=tuple(dict.fromkeys(hinted)),
        repaired=tuple(dict.fromkeys(event.peer for event in op.events if isinstance(event, Repaired))),
        in_conflict=tuple(node for node, others in siblings.items() if others),
        missed=_missed(model, op),
    )


def _brief(op: Operation) -> Brief:
    return Brief(op.op, op.kind or "?", op.key, op.value, op.via, op.outcome, op.took_ms)


def _missed(model: Model, get: Operation) -> bytes | None:
    """The value of the last put that was acknowledged before this read began, if the read has found an older
    one; None also where that cannot be told, because a write was under way beside it or its end is unknown.
    """
    if get.kind != "get" or get.outcome != "ok" or not get.values or model.config.resolve not in UNMERGED:
        return None
    writes = [
        op
        for op in model.operations.values()
        if op.key == get.key and op.kind in ("put", "delete") and op.outcome != "failed"
    ]
    writes = [op for op in writes if op.started_ms < get.started_ms + get.took_ms]
    if not writes:
        return None
    *before, last = sorted(writes, key=lambda op: op.started_ms)
    ends = [(op.outcome, op.started_ms + op.took_ms) for op in before]
    alone = all(outcome == "ok" and end_ms < last.started_ms for outcome, end_ms in ends)
    acknowledged = last.outcome == "ok" and last.started_ms + last.took_ms < get.started_ms
    if not (alone and acknowledged) or last.value is None or last.value in get.values:
        return None
    return last.value


def _holdings(model: Model, key: Key, homes: tuple[NodeId, ...], nodes: list[NodeId]) -> tuple[Held, ...]:
    """Who holds what under this key."""
    places = {home: place for place, home in enumerate(homes, start=1)} or dict.fromkeys(nodes, 0)
    strangers = [node for node in nodes if node not in places and _held(model, key, node, 0).values]
    held = [_held(model, key, node, place) for node, place in places.items()]
    held += [_held(model, key, node, 0) for node in strangers]
    for hint in _kept_hints(model):
        if hint.key == key:
            write = model.operations.get(hint.op)
            values = () if write is None or write.value is None else (write.value,)
            held.append(Held(hint.keeper, 0, values, owner=hint.owner, told=write is not None))
    return tuple(held)


def _held(model: Model, key: Key, node: NodeId, place: int) -> Held:
    items, copies = model.items.get(node, {}), model.copies.get(node, {})
    copy, value = copies.get(key), items.get(key)
    values = copy.values if copy is not None else () if value is None else (value,)
    known = model.nodes.get(node)
    told = bool(values) or copy is not None or known is None or known.keys <= len(items)
    return Held(node, place, values, copy, told=told)


def _kept_hints(model: Model) -> list[KeptHint]:
    return [hint for hints in model.kept_hints.values() for hint in hints.values()]


def _ended(model: Model) -> tuple[Took, ...]:
    """How long the last operations took, in the order in which they began."""
    ended = [op for op in model.operations.values() if op.outcome]
    return tuple(Took(op.took_ms, op.outcome) for op in ended[-ENDED_MAX:])


def _flights(model: Model, now_ms: float, op: OpId) -> tuple[Flight, ...]:
    """Messages still under way that can be followed: those of the operation shown, and those on slow links.

    On a healthy link a message takes a fraction of a frame: all of them at once would only flicker.
    """
    flights = []
    for sent in list(model.flying.values())[-FLIGHTS_MAX:]:
        age_ms = now_ms - sent.at_ms
        link = model.links.get((sent.node, sent.to))
        delay_ms = link.delay_ms if link is not None else 0.0
        if age_ms > FLIGHT_MS_MAX + delay_ms or not (delay_ms or (sent.op and sent.op == op)):
            continue
        progress = min(0.97, max(0.0, age_ms / (2.0 + delay_ms)))
        flights.append(Flight(sent.node, sent.to, sent.kind, progress))
    return tuple(flights)
