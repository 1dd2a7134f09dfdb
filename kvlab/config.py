"""ClusterConfig: what a cluster is asked to be, checked before anything is started."""

from __future__ import annotations

import msgspec

from kvlab.errors import UserError
from kvlab.messages import Member, NodeId

NODES_MAX = 12
"""A lab on one machine, and a ring on one screen, hold no more."""


class ClusterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How many nodes of which stage, and how they treat each key.

    `n` replicas hold a key, `w` of them must confirm a write, `r` of them answer a read; None means what
    the stage takes by default. `vnodes` tokens a unit of weight; `zones` data centres, nodes dealt to them
    in turn; `memory_bytes` is the byte budget of one node's store (None: no limit).
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

    def members(self) -> tuple[Member, ...]:
        """The nodes the cluster starts with: n1, n2, ... dealt to the zones z1, z2, ... in turn."""
        return tuple(Member(NodeId(f"n{i + 1}"), zone=f"z{i % self.zones + 1}") for i in range(self.nodes))


def check_range(what: str, value: int, low: int, high: int, why: str) -> None:
    """Raise UserError unless low <= value <= high."""
    if not low <= value <= high:
        raise UserError(f"{what} must be {low} to {high}, and is {value}: {why}")
