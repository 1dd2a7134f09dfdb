"""ClusterConfig: what a cluster is asked to be, checked before anything is started."""

from __future__ import annotations

import msgspec

from kvlab.errors import UserError
from kvlab.messages import Member, NodeId

NODES_MAX = 12
"""A lab on one machine, and a ring on one screen, hold no more."""


class ClusterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How many nodes of which stage, and how they treat each key.

    Times are in ms. `n` replicas hold a key, `w` of them must confirm a write, `r` of them answer a read;
    None means what the stage takes by default. `vnodes` tokens a unit of weight; `zones` data centres,
    nodes dealt to them in turn; `memory_bytes` is the byte budget of one node's store (None: no limit).
    """

    stage: int
    nodes: int = 5
    n: int = 3
    r: int | None = None
    w: int | None = None
    seed: int = 1
    zones: int = 1
    vnodes: int = 16
    memory_bytes: int | None = None
    timeout_ms: int = 500  # how long a node waits for a peer before it counts as silent
    durable: bool = False  # what a node has confirmed survives its kill
    mine: str | None = None  # the file with the reader's own piece of the stage

    # Stage 2
    choice: str = "cp"
    """cp: no writes while anybody is missing; ap: writes go on, and are reconciled at heal."""

    # Stage 5
    preset: str | None = None
    """strong, weak or eventual: r, w and what follows the read, by the name of what they promise."""
    read_repair: bool = True
    read_write_back: bool = False  # a read returns only what a write quorum is known to hold

    # Stage 6
    resolve: str = "siblings"
    """What a read makes of concurrent writes: siblings, newest, union, or a function, `module:name`."""
    prune: int | None = None  # a version names at most so many actors; None: all of them

    # Stage 7; stage 2 has the heartbeats without the gossip
    gossip_ms: int = 200
    fanout: int = 2
    detector: str = "heartbeat"
    """heartbeat or phi."""
    suspect_ms: int = 1000  # not heard for so long, a node is suspected ...
    fail_ms: int = 2000  # ... and is failed when nobody has heard it for so long

    # Stage 8
    hints: bool = True
    hints_max: int = 10_000  # that one node keeps for others
    hint_ttl_ms: int = 60_000

    # Stage 9
    antientropy: bool = True
    antientropy_ms: int = 1000  # between two exchanges
    rebuild_ms: int = 60_000  # between two rebuilds of a node's trees
    grace_ms: int = 120_000  # a tombstone is kept for so long at least, and longer than any hint

    # The simulator
    chance: str = "stream"
    """stream, or named: what becomes of a message depends on whose it is, and not on those sent before it
    (world/sim/network.py). Real networks have no such thing."""

    def members(self) -> tuple[Member, ...]:
        """The nodes the cluster starts with: n1, n2, ... dealt to the zones z1, z2, ... in turn."""
        return tuple(Member(NodeId(f"n{i + 1}"), zone=f"z{i % self.zones + 1}") for i in range(self.nodes))


def check_range(what: str, value: int, low: int, high: int, why: str) -> None:
    """Raise UserError unless low <= value <= high."""
    if not low <= value <= high:
        raise UserError(f"{what} must be {low} to {high}, and is {value}: {why}")
