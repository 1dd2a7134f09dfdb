"""Stages with a bug, for the fuzzer to find. Where each is planted, the docstring says."""

from __future__ import annotations

import msgspec

from kvlab.config import ClusterConfig
from kvlab.errors import Outcome, QuorumNotReached
from kvlab.fuzz.judge import MakeWorld
from kvlab.messages import Item, Keep, Kept, Key, NodeId, Siblings
from kvlab.stages.s04_replication import ReplicationNode
from kvlab.stages.s07_gossip import GossipNode
from kvlab.world.sim import SimWorld


class Hasty(ReplicationNode):
    """Acknowledges a write when one replica has it, whatever was asked for."""

    async def put(self, key: Key, item: Item, w: int | None = None) -> None:
        await super().put(key, item, w=1)


class Forgetful(ReplicationNode):
    """Confirms a value that ends in 3 and does not store it."""

    async def on_keep(self, sender: NodeId, request: Keep[Item]) -> Kept:
        return Kept() if request.copy.value.endswith(b"3") else await super().on_keep(sender, request)


class Raising(ReplicationNode):
    """Stumbles over a value that ends in 7."""

    async def on_keep(self, sender: NodeId, request: Keep[Item]) -> Kept:
        if request.copy.value.endswith(b"7"):
            raise KeyError("seven")
        return await super().on_keep(sender, request)


class Circling(ReplicationNode):
    """Waits for what can only come while it waits."""

    async def on_keep(self, sender: NodeId, request: Keep[Item]) -> Kept:
        while request.copy.value.endswith(b"7"):
            await self.env.sleep(0)
        return await super().on_keep(sender, request)


class Denying(GossipNode):
    """Says that a write has failed when too few have confirmed it, whoever has kept it."""

    async def write(self, key: Key, copy: Siblings, w: int) -> None:
        try:
            await super().write(key, copy, w)
        except QuorumNotReached as error:
            error.outcome = Outcome.FAILED
            raise


def with_node(node: type[ReplicationNode | GossipNode]) -> MakeWorld:
    """A simulator whose stage is this class."""

    def make(config: ClusterConfig) -> SimWorld:
        world = SimWorld(config)
        world.stage = msgspec.structs.replace(world.stage, path=f"{node.__module__}:{node.__qualname__}")
        return world

    return make
