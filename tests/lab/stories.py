"""Stories: lists of events as a cluster would tell them, made by hand, so that a picture of them never
changes by itself."""

from __future__ import annotations

import msgspec

from kvlab import stages
from kvlab.config import ClusterConfig
from kvlab.lab.actions import hints
from kvlab.lab.view import View, key_rows, view_of
from kvlab.messages import Actor, Context, Dot, NodeId, OpId, Sibling, Siblings, Version
from kvlab.trace.events import (
    AnyEvent,
    Believed,
    Delivered,
    Exchanged,
    Hinted,
    Locked,
    MessageDropped,
    NodeKilled,
    NodeReady,
    NodeStarting,
    OpEnded,
    OpStarted,
    Partitioned,
    Repaired,
    ScriptLine,
    Sent,
    Stored,
    Used,
)
from kvlab.trace.model import Model

KEY = b"cart:42"
HOMES = ("n3", "n4", "n2")
"""Where the ring of five nodes with eight tokens each puts that key."""


def config(stage: int = 4, nodes: int = 5) -> ClusterConfig:
    return stages.checked(ClusterConfig(stage=stage, nodes=nodes, vnodes=8, timeout_ms=1500))


def births(nodes: int = 5) -> list[AnyEvent]:
    """The nodes of a real cluster start and answer."""
    names = [NodeId(f"n{i}") for i in range(1, nodes + 1)]
    starting: list[AnyEvent] = [NodeStarting(float(i), name, "z1", 1) for i, name in enumerate(names)]
    return starting + [NodeReady(200.0 + i, name, 0, 7001 + i, 4001 + i) for i, name in enumerate(names)]


def put(op: str = "n1.0.1", at_ms: float = 300.0, value: bytes = b"milk", silent: str = "") -> list[AnyEvent]:
    """n1 coordinates a put to its three homes; one of them may be silent, and the put then unknown."""
    me, name = NodeId("n1"), OpId(op)
    told: list[AnyEvent] = [
        ScriptLine(at_ms, NodeId(""), f"put cart:42 {value.decode()} via n1"),
        OpStarted(at_ms, me, name, "put", KEY, value),
    ]
    for i, home in enumerate(map(NodeId, HOMES)):
        asked = f"{op}.{i}"
        told.append(Sent(at_ms + 0.2, me, asked, home, "Keep", 60, name, "", KEY))
        if home == silent:
            told.append(MessageDropped(at_ms + 0.3, me, asked, home, "Keep", "no connection", name))
            continue
        kept = f"{home}.0.{op}"
        told += [
            Delivered(at_ms + 1 + i, home, asked, me, "Keep", name),
            Stored(at_ms + 1.1 + i, home, KEY, value, 1, 75, name),
            Sent(at_ms + 1.2 + i, home, kept, me, "Kept", 20, name, asked),
            Delivered(at_ms + 2 + i, me, kept, home, "Kept", name),
        ]
    if silent:
        heard = ", ".join(home for home in HOMES if home != silent)
        text = f"the write has to hear from 3 of 3 replicas and heard from {heard}; silent: {silent}"
        told.append(
            OpEnded(at_ms + 1500, me, name, "put", KEY, "unknown", 1500.0, (), "ReplicasMissing", text)
        )
    else:
        told.append(OpEnded(at_ms + 4.5, me, name, "put", KEY, "ok", 4.5))
    return sorted(told, key=lambda event: event.at_ms)


def model_of(*stories: list[AnyEvent], stage: int = 4, nodes: int = 5) -> Model:
    model = Model(config(stage, nodes))
    for story in stories:
        for event in story:
            model.apply(event)
    return model


def view(*stories: list[AnyEvent], stage: int = 4, nodes: int = 5, **changes: object) -> View:
    """A view of these stories, with the footer that belongs to it."""
    model = model_of(*stories, stage=stage, nodes=nodes)
    if changes.get("tab") == "data":
        changes.setdefault("keys", key_rows(model))
    seen = msgspec.structs.replace(view_of(model), **changes)
    return msgspec.structs.replace(seen, hints=hints(seen))


def death(node: str, at_ms: float) -> list[AnyEvent]:
    return [
        ScriptLine(at_ms, NodeId(""), f"kill {node}"),
        NodeKilled(at_ms, NodeId(node)),
    ]


def cut(at_ms: float) -> list[AnyEvent]:
    sides = ((NodeId("n1"), NodeId("n2")), (NodeId("n3"), NodeId("n4"), NodeId("n5")))
    return [
        ScriptLine(at_ms, NodeId(""), "partition n1 n2 | n3 n4 n5"),
        Partitioned(at_ms, NodeId(""), sides),
    ]


def mirrored() -> list[AnyEvent]:
    """Stage 2: all three hold a key, n1 is cut off, a write comes too late for it, and all are locked."""
    n1, n2, n3 = (NodeId(name) for name in ("n1", "n2", "n3"))
    milk, bread = Version(b"milk", 1_700_000_000_000), Version(b"bread", 1_700_000_000_200)
    told: list[AnyEvent] = [held(node, milk, 300.0 + i) for i, node in enumerate((n1, n2, n3))]
    told.append(Partitioned(400.0, NodeId(""), ((n1,), (n2, n3))))
    told += [held(node, bread, 500.0 + i) for i, node in enumerate((n2, n3))]
    return [*told, Locked(1500.0, n1, (n2, n3)), Locked(1501.0, n2, (n1,)), Locked(1502.0, n3, (n1,))]


def late_put(op: str = "n1.0.1", at_ms: float = 300.0) -> list[AnyEvent]:
    """Stage 5, W=2: two replicas confirm within some ms, n2 after half a second; lines as of `CODE`."""
    me, name, told = NodeId("n1"), OpId(op), list[AnyEvent]()
    told.append(OpStarted(at_ms, me, name, "put", KEY, b"milk"))
    for i, home in enumerate(map(NodeId, HOMES)):
        travels = 250.0 if home == "n2" else 1.0 + i
        asked, kept = f"{op}.{i}", f"{home}.0.{op}"
        there = at_ms + 0.2 + travels
        told += [
            Sent(at_ms + 0.2, me, asked, home, "Keep", 60, name, "", KEY, 6),
            Delivered(there, home, asked, me, "Keep", name),
            Stored(there + 0.2, home, KEY, b"milk", 1, 75, name, line=18),
            Sent(there + 0.3, home, kept, me, "Kept", 20, name, asked),
            Delivered(there + 0.3 + travels, me, kept, home, "Kept", name),
        ]
    told.append(OpEnded(at_ms + 5, me, name, "put", KEY, "ok", 5.0))
    return sorted(told, key=lambda event: event.at_ms)


def repaired_get(op: str = "n1.0.2", at_ms: float = 300.0) -> list[AnyEvent]:
    """Stage 5, R=2: n2 holds nothing, and is repaired after the client has its answer."""
    me, name, told = NodeId("n1"), OpId(op), list[AnyEvent]()
    told.append(OpStarted(at_ms, me, name, "get", KEY))
    for i, home in enumerate(map(NodeId, HOMES)):
        asked, found = f"{op}.{i}", f"{home}.0.{op}"
        told += [
            Sent(at_ms + 0.2, me, asked, home, "Fetch", 40, name, "", KEY),
            Delivered(at_ms + 1 + i, home, asked, me, "Fetch", name),
            Sent(at_ms + 1.1 + i, home, found, me, "Fetched", 60, name, asked),
            Delivered(at_ms + 2 + i, me, found, home, "Fetched", name),
        ]
    n2 = NodeId("n2")
    told += [
        OpEnded(at_ms + 3.1, me, name, "get", KEY, "ok", 3.1, (b"milk",)),
        Sent(at_ms + 4.2, me, f"{op}.9", n2, "Keep", 60, name, "", KEY),
        Delivered(at_ms + 5, n2, f"{op}.9", me, "Keep", name),
        Stored(at_ms + 5.1, n2, KEY, b"milk", 1, 75, name),
        Sent(at_ms + 5.2, n2, f"n2.0.{op}.9", me, "Kept", 20, name, f"{op}.9"),
        Delivered(at_ms + 6, me, f"n2.0.{op}.9", n2, "Kept", name),
        Repaired(at_ms + 6.1, me, KEY, n2, "read", name),
    ]
    return sorted(told, key=lambda event: event.at_ms)


CODE = '''\
class TinyNode:
    """A quorum in twenty lines: somebody's own file, as far as the lab knows."""

    async def put(self, key, item, w=None):
        acks = Tally(w or self.w, self.replicas(key))
        async for replica, answer in self.transfer.ask_each(key, lambda epoch: Keep(key, item, epoch)):
            if acks.add(replica, answer):
                return  # enough
        raise acks.missing("the write", QuorumNotReached)

    async def on(self, sender, request):
        match request:
            case Keep():
                return await self.on_keep(sender, request)

    async def on_keep(self, sender, request):
        await self.transfer.admit(sender, request)
        self.store.put(request.key, request.copy, self.env.now_ms())
        return Kept()
'''
"""The file that `late_put` ran, for the code tab."""


def doubt(dead: str, at_ms: float, belief: str, *observers: str) -> list[AnyEvent]:
    """Stage 7: the observers come to believe it of a node, 30 ms after each other."""
    return [Believed(at_ms + 30 * i, NodeId(name), NodeId(dead), belief) for i, name in enumerate(observers)]


def found_out() -> list[list[AnyEvent]]:
    """Stage 7: n3 dies; all suspect it, two of them have found out."""
    return [
        death("n3", 1000),
        doubt("n3", 2000, "suspect", "n1", "n2", "n4", "n5"),
        doubt("n3", 3000, "failed", "n4", "n1"),
    ]


def written(by: str, count: int, value: bytes | None) -> Sibling:
    """One write, named by who numbered it."""
    return Sibling(Dot(Actor(f"{by}.0.1.1"), count), value, 1_700_000_000_000 + count)


def copy_of(*siblings: Sibling, seen: str) -> Siblings:
    """What a replica holds that has seen this, such as `n1:3 n2:1`."""
    pairs = (word.split(":") for word in seen.split())
    clock = tuple((Actor(f"{node}.0.1.1"), int(count)) for node, count in pairs)
    return Siblings(Context(clock), siblings)


def held(node: str, copy: Siblings | Version, at_ms: float, op: str = "") -> AnyEvent:
    """A node now holds this copy of the key."""
    first, *others = copy.values
    size = 64 + len(KEY) + copy.size
    return Stored(at_ms, NodeId(node), KEY, first, 1, size, OpId(op), tuple(others), copy)


def behind() -> list[AnyEvent]:
    """Stage 5: n2 has missed the last write."""
    new, old = Version(b"bread", 1_700_000_000_250), Version(b"milk", 1_700_000_000_000)
    return [held("n3", new, 400), held("n4", new, 401), held("n2", old, 402)]


def conflict() -> list[AnyEvent]:
    """Stage 6: two of the home replicas have met two concurrent writes, the third one of them."""
    milk, bread = written("n3", 1, b"milk"), written("n4", 1, b"bread")
    both = copy_of(milk, bread, seen="n3:1 n4:1")
    return [
        held("n2", copy_of(milk, seen="n3:1"), 400),
        held("n3", both, 401, "n1.0.1"),
        held("n4", both, 402, "n1.0.1"),
    ]


def stood_in(at_ms: float = 600) -> list[AnyEvent]:
    """Stage 8: n3 is dead, and n5 keeps its copy of a new write."""
    me, name, n5 = NodeId("n1"), OpId("n1.0.2"), NodeId("n5")
    bread = copy_of(written("n4", 1, b"bread"), seen="n3:1 n4:1")
    return [
        *death("n3", at_ms),
        OpStarted(at_ms + 100, me, name, "put", KEY, b"bread"),
        held("n4", bread, at_ms + 101, name),
        held("n2", bread, at_ms + 102, name),
        Hinted(at_ms + 103, n5, NodeId("n3"), KEY, "kept", 1, name),
        OpEnded(at_ms + 104, me, name, "put", KEY, "ok", 4.0),
    ]


def mended(at_ms: float = 3000) -> list[AnyEvent]:
    """Stage 9: n4 walks down its tree with n3, which lacks three keys, and then all are equal."""
    n4, n3 = NodeId("n4"), NodeId("n3")
    return [
        Exchanged(at_ms, n4, n3, 4, 3, 3, 2400, (1, 2, 3, 3)),
        *(Repaired(at_ms + 1 + i, n4, key, n3, "anti-entropy") for i, key in enumerate((KEY, b"a", b"b"))),
        Exchanged(at_ms + 1000, n3, n4, 1, 0, 0, 16, (0,)),
    ]


def under_way() -> list[AnyEvent]:
    """A put of which one message was lost, one is under way, and a heartbeat too."""
    n1, n2, op = NodeId("n1"), NodeId("n2"), OpId("n1.0.5")
    return [
        OpStarted(900.0, n1, op, "put", KEY, b"tea"),
        Sent(900.2, n1, "n1.0.51", NodeId("n3"), "Keep", 60, op, "", KEY),
        MessageDropped(900.3, n1, "n1.0.51", NodeId("n3"), "Keep", "partition", op),
        Sent(900.4, n1, "n1.0.52", NodeId("n4"), "Keep", 60, op, "", KEY),
        Sent(900.5, n2, "n2.0.7", n1, "Fetch", 30, OpId(""), "", b"cart:7"),
        Sent(900.6, n2, "n2.0.8", n1, "Beat", 20),
        MessageDropped(901.0, n2, "n2.0.9", n1, "Beat", "loss"),
    ]


def loaded() -> list[AnyEvent]:
    """Five seconds of a load: slower from second to second, and in the third some fail."""
    told: list[AnyEvent] = []
    for i in range(500):
        at_ms, second = 1000.0 + 10 * i, i // 100
        outcome = "unknown" if second == 2 and i % 4 == 0 else "ok"
        op = OpId(f"n{i % 5 + 1}.0.{i + 1}")
        told.append(OpEnded(at_ms, NodeId("n1"), op, "get", b"key:%d" % (i % 100), outcome, 0.4 * 3**second))
    for second in range(5):
        for i in (1, 2, 4):
            cpu, rss = 8.0 * i * second, (30 + i) * 10**6
            told.append(Used(1500.0 + 1000 * second, NodeId(f"n{i}"), cpu, rss))
    return [*told, ScriptLine(6000.0, NodeId(""), "load 100/s for 30s")]
