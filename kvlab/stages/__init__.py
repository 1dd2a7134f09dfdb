"""The nine stages: each a complete, short node in a file of its own.

`STAGES` is the table of them. A stage is a class that follows `StageNode`; consecutive
files keep their methods in one order and under one name, so that their difference is the lesson.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from kvlab.config import NODES_MAX, ClusterConfig, check_range
from kvlab.core import resolution
from kvlab.core.store import Store
from kvlab.env import Env
from kvlab.errors import NotInThisStage, UserError
from kvlab.messages import NOTHING, AnyReply, AnyRequest, Context, Copy, Item, Key, NodeId, RingSpec
from kvlab.stages import pieces


class StageNode(Protocol):
    """What every stage offers to the world it runs in. Any node can coordinate any operation."""

    store: Store[Any]
    """What this node itself holds."""

    def __init__(self, env: Env, config: ClusterConfig, ring: RingSpec) -> None: ...

    def put(self, key: Key, item: Item, w: int | None = None) -> Coroutine[Any, Any, Any]:
        """Coordinate a write. Raises OperationError, whose `outcome` says what became of it."""

    def get(self, key: Key, r: int | None = None) -> Coroutine[Any, Any, Copy | None]:
        """Coordinate a read; None if there is no such key. Raises OperationError."""

    def delete(self, key: Key, w: int | None = None) -> Coroutine[Any, Any, bool]:
        """Coordinate a delete; True if the key was there. Raises OperationError."""

    def replicas(self, key: Key) -> list[NodeId]:
        """The nodes that hold the key, in preference order."""

    def on(self, sender: NodeId, request: AnyRequest) -> Awaitable[AnyReply]:
        """Answer a peer."""


class AnswersAtOnce(Protocol):
    """Stage 1: nobody has to be asked and nothing to be waited for, so many can be answered in one call."""

    def get_all(self, keys: Sequence[Key]) -> Sequence[Item | None]:
        """Read each of these."""

    def put_all(self, items: Sequence[tuple[Key, Item]]) -> None:
        """Write these, of which none expires, one after the other."""


class ContextualNode(Protocol):
    """From stage 6 on a write says what its writer has seen: nothing is replaced unseen."""

    def put(
        self, key: Key, item: Item, w: int | None = None, context: Context = NOTHING
    ) -> Coroutine[Any, Any, Context]:
        """Coordinate a write; returns what the writer has seen by it. Raises OperationError."""

    def delete(
        self, key: Key, w: int | None = None, context: Context | None = None
    ) -> Coroutine[Any, Any, tuple[bytes, ...]]:
        """Coordinate a delete of what the context has seen, of what is found without one; returns the values
        that are gone now."""


class KnowsMembers(Protocol):
    """From stage 7 on a node knows who is alive; in stage 2, whom it hears itself."""

    def belief(self, peer: NodeId) -> str:
        """alive, suspect, failed or left."""


class KeepsHints(Protocol):
    """From stage 8 on a node keeps hints."""

    def hints(self) -> dict[NodeId, int]:
        """How many, by owner."""


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a stage without importing it."""

    number: int
    name: str
    adds: str
    fixes: str
    broken: str
    path: str
    """Where its class is: `module:class`."""
    nodes_min: int = 3
    nodes_max: int = NODES_MAX
    ring: bool = True
    """Keys are placed on a ring, which nodes can join and leave."""
    replicated: bool = True
    """A key has n copies."""
    atomic: bool = False
    """A read followed by a write can be made one step, because all data is in one process."""
    mirrored: bool = False
    """Every node holds every key."""

    @property
    def versioned(self) -> bool:
        """A copy says when it was written, so that two of them can be brought to agree."""
        return self.mirrored or self.quorum

    @property
    def quorum(self) -> bool:
        """Any number of replicas may be asked to confirm."""
        return self.number >= 5

    @property
    def contexts(self) -> bool:
        """A write says what its writer has seen (ContextualNode)."""
        return self.number >= 6

    @property
    def watches(self) -> bool:
        """A node has a belief about who is alive (KnowsMembers)."""
        return self.mirrored or self.gossip

    @property
    def gossip(self) -> bool:
        """Nodes tell each other who is alive."""
        return self.number >= 7

    @property
    def hints(self) -> bool:
        """A node keeps hints (KeepsHints)."""
        return self.number >= 8

    @property
    def title(self) -> str:
        return f"stage {self.number}, {self.name}"

    def load(self, mine: str | None = None) -> type[StageNode]:
        """The class of its node; with the reader's own piece in it, if that file is named.

        Raises PieceError for what is wrong with the file.
        """
        if mine is not None:
            return _with_piece(self, mine, _state(mine))
        module, name = self.path.split(":")
        node: type[StageNode] = getattr(importlib.import_module(module), name)
        return node

    def require_ring_changes(self, doing: str) -> None:
        """Raise NotInThisStage where nodes cannot come and go."""
        if not self.ring:
            raise NotInThisStage(
                f"cannot {doing}: {self.title} has no ring to join or leave; stage 3 adds it"
            )


@lru_cache(maxsize=16)
def _with_piece(stage: Stage, mine: str, state: object) -> type[StageNode]:
    chapter = pieces.chapter(stage.number)
    return pieces.put_in(stage.path, chapter, pieces.load_piece(chapter, mine))


def _state(file: str) -> object:
    """Something else once the file has been changed."""
    try:
        stat = Path(file).stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


STAGES = (
    Stage(
        number=1,
        name="hashmap",
        adds="one server, one dict; TTL, and LRU eviction under a byte budget",
        fixes="it is fast",
        broken="dies with its data; one CPU; one RAM",
        path="kvlab.stages.s01_hashmap:HashmapNode",
        nodes_min=1,
        nodes_max=1,
        ring=False,
        replicated=False,
        atomic=True,
    ),
    Stage(
        number=2,
        name="cap",
        adds="three mirrored nodes, heartbeats, and the choice at a cut: cp locks writes, ap goes on",
        fixes="one machine may die",
        broken="all data is everywhere; cp stops writing at one dead node, ap loses an acknowledged write",
        path="kvlab.stages.s02_cap:CapNode",
        nodes_max=3,
        ring=False,
        mirrored=True,
    ),
    Stage(
        number=3,
        name="ring",
        adds="consistent hashing, virtual nodes, weights; nodes join and leave while it runs",
        fixes="data and load larger than one machine",
        broken="each key has one copy",
        path="kvlab.stages.s03_ring:RingNode",
        replicated=False,
    ),
    Stage(
        number=4,
        name="replication",
        adds="the next N distinct nodes clockwise, in distinct zones",
        fixes="a node, then a whole zone, may die",
        broken="writes wait for all N, or trust one",
        path="kvlab.stages.s04_replication:ReplicationNode",
    ),
    Stage(
        number=5,
        name="quorum",
        adds="N, R, W per cluster and per request; last-writer-wins versions; read repair",
        fixes="one slow or dead replica no longer blocks",
        broken="clocks lie: an acknowledged write is silently lost; W replicas must be up",
        path="kvlab.stages.s05_quorum:QuorumNode",
    ),
    Stage(
        number=6,
        name="vector clocks",
        adds="versions, concurrent siblings, contexts, and ways to resolve what was kept",
        fixes="conflicts are seen, not lost",
        broken="a dead node is found out only by time-outs, again on every request",
        path="kvlab.stages.s06_clocks:ClocksNode",
    ),
    Stage(
        number=7,
        name="gossip",
        adds="heartbeat tables told to a few others each period: suspected, then failed; joining by one seed",
        fixes="the living are known, cheaply: nobody waits for the dead",
        broken="a write needs w home replicas that are up",
        path="kvlab.stages.s07_gossip:GossipNode",
    ),
    Stage(
        number=8,
        name="sloppy quorum",
        adds="the first N healthy nodes; a stand-in keeps a hint and hands it back",
        fixes="writes go on through failures",
        broken="a hint can die with its keeper; a node can come back empty",
        path="kvlab.stages.s08_sloppy:SloppyNode",
    ),
    Stage(
        number=9,
        name="merkle",
        adds="a tree per key range; replicas compare and walk down to the difference; tombstones reaped",
        fixes="every replica converges, whatever was lost on the way",
        broken="the reader's turn",
        path="kvlab.stages.s09_merkle:MerkleNode",
    ),
)


SINCE = {
    "read_repair": 5,
    "read_write_back": 5,
    "preset": 5,
    "resolve": 6,
    "prune": 6,
    "detector": 7,
    "fanout": 7,
    "hints": 8,
    "hint_ttl_ms": 8,
    "antientropy": 9,
    "antientropy_ms": 9,
    "grace_ms": 9,
}
"""Which stage adds which setting of ClusterConfig, if not all have it."""


def require_settings(stage: Stage, given: Mapping[str, str]) -> None:
    """Raise NotInThisStage if the stage has no such setting: {field of ClusterConfig: what it was called}."""
    for field, called in given.items():
        since = SINCE.get(field, 1)
        if stage.number < since:
            raise NotInThisStage(f"{stage.title}, has no {called}; stage {since} adds it")
        if field == "choice" and stage.number != 2:
            raise NotInThisStage(f"{stage.title}, makes no choice between CP and AP; stage 2 does")


NO_NUMBERS = (
    "writes to all nodes or to one, as the choice (cp or ap) has it, and reads one; leave out r and w, which "
    "come with stage 4"
)
"""What a stage that mirrors says to a number of replicas."""


def find(number: int) -> Stage:
    """The stage of this number. Raises UserError, which lists all nine."""
    for stage in STAGES:
        if stage.number == number:
            return stage
    names = ", ".join(f"{stage.number} {stage.name}" for stage in STAGES)
    raise UserError(f"there is no stage {number}; there are {names}")


def checked(config: ClusterConfig) -> ClusterConfig:
    """The configuration, with what the stage fixes filled in. Raises UserError for what makes no sense."""
    stage = find(config.stage)
    if config.mine is not None:
        stage.load(config.mine)
    if stage.nodes_min == stage.nodes_max:
        config = replace(config, nodes=stage.nodes_max)
    check_range(
        f"the number of nodes of {stage.title},", config.nodes, stage.nodes_min, stage.nodes_max,
        "three show what one cannot, and twelve fit one machine and one screen",
    )  # fmt: skip
    check_range("zones", config.zones, 1, config.nodes, "a zone holds at least one node")
    check_range("vnodes", config.vnodes, 1, 512, "tokens on the ring for each unit of weight")
    check_range("the time-out (ms)", config.timeout_ms, 10, 60_000, "how long a silent peer is waited for")
    _check_memory(config, stage)
    _check_choice(config)
    _check_times(config)
    if stage.contexts:
        resolution.load(config.resolve)
    if config.prune is not None:
        check_range("prune", config.prune, 1, 1000, "a version names one actor at the least")
    if stage.mirrored:
        if config.r or config.w:
            raise UserError(f"{stage.title}, {NO_NUMBERS}")
        return replace(config, n=config.nodes)
    if not stage.replicated:
        return replace(config, n=1, r=None, w=None)
    check_range("n, the replicas of a key,", config.n, 1, config.nodes, "each copy needs a node of its own")
    if stage.quorum:
        config = _by_preset(config)
    for name, value in (("r", config.r), ("w", config.w)):
        if value is not None:
            check_range(f"{name}, of n={config.n} replicas,", value, 1, config.n, "nobody else could answer")
    if not stage.quorum:
        _check_all_or_one(config)
    elif config.read_write_back and (config.r or 0) + (config.w or 0) <= config.n:
        raise UserError(
            "to write back what is read makes a register of a key only if r + w > n, "
            f"and {config.r} + {config.w} is not above {config.n}"
        )
    return config


def _check_memory(config: ClusterConfig, stage: Stage) -> None:
    if config.memory_bytes is None:
        return
    if stage.versioned:
        raise UserError(
            f"{stage.title}, has no byte budget: what one replica evicts the others still hold, and a repair "
            "would bring it back. Stages 1, 3 and 4 evict"
        )
    if config.memory_bytes < 1024:
        raise UserError(f"a node's memory must be 1024 bytes or more, and is {config.memory_bytes}")


def _check_choice(config: ClusterConfig) -> None:
    if config.choice == "ca":
        raise UserError(
            "CA cannot be chosen. It says: consistent and available as long as the network is whole. But a "
            "network is cut when it is cut, nobody is asked; and when a write arrives on one side, the node "
            "either takes it, and the other side does not know of it (that is AP), or refuses it (that is "
            "CP). There is no third answer. Choose cp or ap"
        )
    if config.choice not in ("cp", "ap"):
        raise UserError(f"the choice is cp or ap, and not {config.choice!r}")


def _check_times(config: ClusterConfig) -> None:
    check_range("the gossip period (ms)", config.gossip_ms, 10, 60_000, "how often a node tells of itself")
    check_range("fanout", config.fanout, 1, NODES_MAX, "how many others a node tells at a time")
    check_range(
        "suspect_ms", config.suspect_ms, 2 * config.gossip_ms, 600_000,
        "a node that missed one heartbeat is not suspect yet: twice the gossip period at the least",
    )  # fmt: skip
    check_range(
        "fail_ms", config.fail_ms, config.suspect_ms, 600_000, "one is suspected before one is failed"
    )
    if config.stage >= SINCE["grace_ms"]:  # before, no tombstone is ever reaped
        check_range(
            "the grace of tombstones (ms)",
            config.grace_ms,
            config.hint_ttl_ms + 4 * config.timeout_ms,
            10**9,
            "it must be longer than any hint lives: an old value that a hint brings would come back to life",
        )


PRESETS = {
    "strong": "a read returns the last acknowledged write: r + w > n, and what is read is written back",
    "weak": "a read returns some acknowledged write, perhaps an old one, and nothing mends the difference",
    "eventual": "a read may be old; what is read is repaired, so that all replicas come to agree in the end",
}
"""What each preset promises."""


def _by_preset(config: ClusterConfig) -> ClusterConfig:
    """r, w and what follows a read: by name, or the majority of n where nothing is said."""
    majority = config.n // 2 + 1
    named = replace(config, preset=None)
    match config.preset:
        case None:
            return replace(config, r=config.r or majority, w=config.w or majority)
        case _ if config.r is not None or config.w is not None:
            raise UserError(f"preset={config.preset} says what r and w are; leave them out, or the preset")
        case "strong":
            return replace(
                config, preset=None, r=majority, w=majority, read_repair=True, read_write_back=True
            )
        case "weak":
            return replace(named, r=1, w=1, read_repair=False, read_write_back=False)
        case "eventual":
            return replace(named, r=1, w=1, read_repair=True, read_write_back=False)
        case _:
            raise UserError(f"there is no preset {config.preset!r}; the presets are {', '.join(PRESETS)}")


def _check_all_or_one(config: ClusterConfig) -> None:
    """What stage 4 can wait for."""
    if config.w not in (None, 1, config.n):
        raise UserError(
            f"stage 4 waits for all {config.n} replicas or trusts 1, so w={config.w} is not to be had: "
            "a number between them is a quorum, which stage 5 adds"
        )
    if config.r not in (None, 1):
        raise UserError(f"stage 4 reads one replica; r={config.r} comes with stage 5")
