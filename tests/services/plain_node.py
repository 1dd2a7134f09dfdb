"""The least of a node that has anti-entropy: no quorum, no gossip, no hints, no read repair.

It is told what to hold, and anti-entropy must do the rest. A coordinator must be a replica of the key; it
writes to itself, sends its copy to the others once, and confirms without waiting for them.
"""

from __future__ import annotations

from kvlab.config import ClusterConfig
from kvlab.core.clocks import merged, written
from kvlab.core.store import Store
from kvlab.env import Env
from kvlab.errors import OperationError
from kvlab.messages import (
    NOTHING,
    AboutTrees,
    AntiEntropyReply,
    AntiEntropyRequest,
    Context,
    Item,
    Keep,
    Kept,
    Key,
    NodeId,
    RingSpec,
    Siblings,
    TransferReply,
    TransferRequest,
)
from kvlab.services.actors import Actors
from kvlab.services.anti_entropy import AntiEntropy
from kvlab.services.transfer import Transfer
from kvlab.stages import Stage

PLAIN = Stage(
    number=9,
    name="plain",
    adds="",
    fixes="",
    broken="",
    path="tests.services.plain_node:PlainNode",
)


class PlainNode:
    def __init__(self, env: Env, config: ClusterConfig, ring: RingSpec) -> None:
        self.env, self.config = env, config
        self.actors = Actors(env)
        self.store: Store[Siblings] = Store(None, self.actors.changed)
        self.transfer = Transfer(env, self.store, ring, config.n)
        self.anti_entropy = AntiEntropy(env, config, self.store, self.transfer, lambda peer: True)

    async def put(self, key: Key, item: Item, w: int | None = None, context: Context = NOTHING) -> Context:
        return self.write(key, item.value, item.expires_ms, context)

    async def delete(self, key: Key, w: int | None = None, context: Context | None = None) -> bool:
        held = self.store.peek(key, self.env.now_ms())
        self.write(key, None, None, context or (NOTHING if held is None else held.context))
        return held is not None

    def write(self, key: Key, value: bytes | None, expires_ms: int | None, seen: Context) -> Context:
        context = self.hold(key, value, expires_ms, seen)
        copy = self.store.peek(key, self.env.now_ms())
        assert copy is not None
        for replica in self.replicas(key):
            if replica != self.env.me:
                self.env.later(self.send(replica, Keep(key, copy, self.transfer.ring.epoch)))
        return context

    def hold(self, key: Key, value: bytes | None, expires_ms: int | None, seen: Context) -> Context:
        """Write here, and tell nobody."""
        held, now_ms = self.store.peek(key, self.env.now_ms()), self.env.now_ms()
        copy, context = written(held, seen, self.actors.next(key, held), value, now_ms, expires_ms)
        self.store.put(key, copy, now_ms)
        return context

    async def send(self, replica: NodeId, keep: Keep[Siblings]) -> None:
        try:
            await self.env.ask(replica, keep)
        except OperationError:
            return  # what anti-entropy is for

    async def get(self, key: Key, r: int | None = None) -> Siblings | None:
        return self.store.get(key, self.env.now_ms())

    def replicas(self, key: Key) -> list[NodeId]:
        return self.transfer.replicas(key)

    def absorb(self, key: Key, copy: Siblings) -> None:
        held = self.store.peek(key, self.env.now_ms())
        self.store.put(key, merged(held, copy), self.env.now_ms())

    async def on(
        self, sender: NodeId, request: Keep[Siblings] | TransferRequest | AntiEntropyRequest
    ) -> Kept | TransferReply | AntiEntropyReply:
        match request:
            case Keep():
                await self.transfer.admit(sender, request)
                self.absorb(request.key, request.copy)
                await self.transfer.pass_on(request.key, self.store.peek(request.key, self.env.now_ms()))
                return Kept()
            case AboutTrees():
                return await self.anti_entropy.on(sender, request)
            case _:
                return await self.transfer.on(sender, request)
