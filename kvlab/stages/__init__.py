"""The nine stages: each a complete, short node in a file of its own.

`STAGES` is the table of those that are built. A stage is a class that follows `StageNode`; consecutive
files keep their methods in one order and under one name, so that their difference is the lesson.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Iterable
from typing import Protocol

import msgspec

from kvlab.config import NODES_MAX, ClusterConfig, check_range
from kvlab.core.store import Store
from kvlab.env import Env
from kvlab.errors import NotInThisStage, UserError
from kvlab.messages import AnyReply, AnyRequest, Item, Key, NodeId, RingSpec


class StageNode(Protocol):
    """What every stage offers to the world it runs in. Any node can coordinate any operation."""

    store: Store
    """What this node itself holds."""

    def __init__(self, env: Env, config: ClusterConfig, ring: RingSpec) -> None: ...

    async def put(self, key: Key, item: Item, w: int | None = None) -> None:
        """Coordinate a write. Raises OperationError, whose `outcome` says what became of it."""

    async def get(self, key: Key, r: int | None = None) -> Item | None:
        """Coordinate a read; None if there is no such key. Raises OperationError."""

    async def delete(self, key: Key, w: int | None = None) -> bool:
        """Coordinate a delete; True if the key was there. Raises OperationError."""

    def replicas(self, key: Key) -> list[NodeId]:
        """The nodes that hold the key, in preference order."""

    def on(self, sender: NodeId, request: AnyRequest) -> Awaitable[AnyReply]:
        """Answer a peer."""


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

    @property
    def title(self) -> str:
        return f"stage {self.number}, {self.name}"

    def load(self) -> type[StageNode]:
        """The class of its node."""
        module, name = self.path.split(":")
        node: type[StageNode] = getattr(importlib.import_module(module), name)
        return node

    def require_ring_changes(self, doing: str) -> None:
        """Raise NotInThisStage where nodes cannot come and go."""
        if not self.ring:
            raise NotInThisStage(
                f"cannot {doing}: {self.title} has no ring to join or leave; stage 3 adds it"
            )


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
)


def find(number: int, stages: Iterable[Stage] = STAGES) -> Stage:
    """The stage of this number. Raises UserError, which lists those that exist."""
    for stage in stages:
        if stage.number == number:
            return stage
    built = ", ".join(f"{stage.number} {stage.name}" for stage in stages)
    raise UserError(f"there is no stage {number} yet; choose one of: {built}")


def checked(config: ClusterConfig) -> ClusterConfig:
    """The configuration, with what the stage fixes filled in. Raises UserError for what makes no sense."""
    stage = find(config.stage)
    if stage.nodes_max == 1:
        config = msgspec.structs.replace(config, nodes=1)
    check_range(
        f"the number of nodes of {stage.title},", config.nodes, stage.nodes_min, stage.nodes_max,
        "three show what one cannot, and twelve fit one machine and one screen",
    )  # fmt: skip
    check_range("zones", config.zones, 1, config.nodes, "a zone holds at least one node")
    check_range("vnodes", config.vnodes, 1, 512, "tokens on the ring for each unit of weight")
    check_range("the time-out (ms)", config.timeout_ms, 10, 60_000, "how long a silent peer is waited for")
    if config.memory_bytes is not None and config.memory_bytes < 1024:
        raise UserError(f"a node's memory must be 1024 bytes or more, and is {config.memory_bytes}")
    if not stage.replicated:
        return msgspec.structs.replace(config, n=1, r=None, w=None)
    check_range("n, the replicas of a key,", config.n, 1, config.nodes, "each copy needs a node of its own")
    for name, value in (("r", config.r), ("w", config.w)):
        if value is not None:
            check_range(f"{name}, of n={config.n} replicas,", value, 1, config.n, "nobody else could answer")
    if stage.number == 4:
        if config.w not in (None, 1, config.n):
            raise UserError(
                f"stage 4 waits for all {config.n} replicas or trusts 1, so w={config.w} is not to be had: "
                "a number between them is a quorum, which stage 5 adds"
            )
        if config.r not in (None, 1):
            raise UserError(f"stage 4 reads one replica; r={config.r} comes with stage 5")
    return config
