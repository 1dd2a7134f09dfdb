"""SimWorld: the whole cluster in one process, on virtual time, with a seeded network.

    world = SimWorld(ClusterConfig(stage=4, seed=17))

    async def main():
        async with world:
            await world.put(b"k", b"v", via="n1")

    world.run(main())

Same seed, same run, to the byte. Time passes only when everybody waits, so that a second costs what
happens in it and nothing else. Where a person decides when time goes on (the lab, a debugger), use
`submit`, `step` and `run_to` in place of `run`; what was submitted is remembered, and `rewound` makes the
same world again as it was at an earlier step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import nullcontext
from contextvars import Context
from random import Random
from typing import Any, TypeVar

from kvlab.config import ClusterConfig
from kvlab.errors import NoAnswer, NodeDown, OperationError, OwnCodeFailed, UserError
from kvlab.messages import NodeId, OpId
from kvlab.trace import events
from kvlab.world.control import Command, Done, Response
from kvlab.world.faults import Fate
from kvlab.world.guard import Guard
from kvlab.world.host import Host
from kvlab.world.sim.loop import SimLoop, life
from kvlab.world.sim.network import Life, NamedPort, Names, Network, Port, UnderWay
from kvlab.world.world import NodeInfo, Watcher, World

T = TypeVar("T")
Action = Callable[["SimWorld"], Coroutine[Any, Any, T]]

START_MS = 1_192_320_000_000
"""What the simulated wall clocks show at the start: 14 October 2007, when the Dynamo paper was presented."""


class MemoryDisk:
    """The disk of one simulated node: it outlives the node, and nothing else."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[bytes, bytes]] = {}

    def keep(self, table: str, key: bytes, data: bytes | None) -> None:
        rows = self._tables.setdefault(table, {})
        if data is None:
            rows.pop(key, None)
        else:
            rows[key] = data

    def kept(self, table: str) -> dict[bytes, bytes]:
        return dict(self._tables.get(table, {}))

    def row(self, table: str, key: bytes) -> bytes | None:
        return self._tables.get(table, {}).get(key)


class SimWorld(World):
    """A cluster on virtual time."""

    def __init__(self, config: ClusterConfig) -> None:
        super().__init__(config)
        self.loop = SimLoop()  # type: ignore[abstract]  # it has no sockets, processes or signals to offer
        self._network = Network(self.loop, self.faults, Random(f"{config.seed}/network"))
        self._names = Names(config.seed) if config.chance == "named" else None
        self._calls: dict[NodeId, list[asyncio.Future[Response]]] = {}
        self._disks: dict[NodeId, MemoryDisk] = {}
        self._actions: list[tuple[int, float, Action[Any]]] = []  # with the step and the time of each
        self._guard = nullcontext() if config.mine is None else Guard(config.mine)

    # -- time under somebody's hand --------------------------------------------------------------

    @property
    def steps(self) -> int:
        """How many steps this world has made: messages delivered and timers fired."""
        return self.loop.steps

    @property
    def moves(self) -> int:
        """How many steps it has made and how many actions were begun between them, together."""
        return self.steps + len(self._actions)

    def counted(self, moves: int) -> tuple[int, int]:
        """Of so many moves, how many were steps and how many were actions."""
        begun = 0
        while begun < len(self._actions) and self._actions[begun][0] + begun < moves:
            begun += 1
        return moves - begun, begun

    @property
    def messages(self) -> int:
        """How many messages have been sent."""
        return self._network.messages

    def host(self, node: str) -> Host:
        """The running node itself, to look into. Raises NoSuchNode, or KeyError if it is down."""
        host = self._network.lives[self.info(node).node].host
        assert host is not None
        return host

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run this on virtual time until it is done; returns or raises what it did."""
        with self._guard:
            result: T = self.loop.run_until_complete(main)
        return result

    def submit(self, action: Action[T]) -> asyncio.Future[T]:
        """Begin something between two steps: `action` is called with the world, and what it returns runs
        on virtual time, as far as it goes without time passing. The future belongs to the virtual loop.
        """
        self._actions.append((self.steps, self.loop.time(), action))
        task = self.loop.create_task(action(self))
        with self._guard:
            self.loop.settle()
        return task

    def step(self) -> bool:
        """Deliver the next message or fire the next timer; False if nothing is left to happen."""
        with self._guard:
            return self.loop.step()

    def run_to(self, at_ms: float) -> None:
        """Let time pass up to this moment."""
        with self._guard:
            self.loop.run_to(at_ms / 1000)

    def rewound(self, to_step: int, watcher: Watcher | None = None) -> SimWorld:
        """The same world as it was after `to_step` steps: a new one, in which all that was submitted by
        then is submitted again at the same steps. Costs what those steps cost. This one is left alone.
        """
        again = SimWorld(self.config)
        if watcher is not None:
            again.watch(watcher)
        for _ in self.rewinding(again, to_step):
            pass
        return again

    def rewinding(self, again: SimWorld, to_step: int, begun: int | None = None) -> Iterator[None]:
        """The same a little at a time: brings `again`, a new world, to that step, and lets somebody else have
        a turn every 100 steps, some milliseconds. `begun` is how many actions are submitted again; None for
        all that were by then."""
        if not 0 <= to_step <= self.steps:
            raise ValueError(f"this world has made {self.steps} steps, so there is no step {to_step}")
        for step, at_s, action in [done for done in self._actions[:begun] if done[0] <= to_step]:
            yield from again._step_to(step)
            again.loop.pass_to(at_s)
            again.submit(action)
        yield from again._step_to(to_step)

    def _step_to(self, step: int) -> Iterator[None]:
        while self.steps < step:
            self.step()
            if self.steps % 100 == 0:
                yield

    # -- World -----------------------------------------------------------------------------------

    async def _launch(self, info: NodeInfo) -> None:
        context = Context()
        lived = Life(context)
        context.run(life.set, lived)
        if self._names is None:
            port = Port(self._network, info.node, info.generation)
        else:
            port = NamedPort(self._network, info.node, info.generation, self._names)
        host = context.run(self._host, info, port)
        lived.host = host
        self._network.lives[info.node] = lived
        if self.stage.gossip:
            await self._settled(lived, host)
        self._ready(info)
        self.tell(events.NodeReady(self.at_ms(), info.node, info.generation, kept_keys=len(host.node.store)))

    async def _settled(self, lived: Life, host: Host) -> None:
        """Let the node get to know the cluster. Raises what that raises."""
        settled: asyncio.Future[Response] = self.loop.create_future()

        async def settle() -> None:
            try:
                await host.settle()
            except OperationError as error:
                settled.set_exception(error)
            else:
                settled.set_result(Done())

        self.loop.call_soon(lambda: host.later(settle()), context=lived.context.copy())
        await self._answered(host.me, settled)

    async def _answered(self, node: NodeId, answer: asyncio.Future[Response]) -> Response:
        """The answer, once the node has given it. Raises NoAnswer if it ends before."""
        calls = self._calls.setdefault(node, [])
        calls.append(answer)
        try:
            return await answer
        finally:
            calls.remove(answer)

    def _host(self, info: NodeInfo, port: Port) -> Host:
        return Host(
            info.member,
            self.stage,
            self.config,
            self._told(info),
            generation=info.generation,
            transport=port,
            clocks=self,
            random=Random(f"{self.config.seed}/{info.node}/{info.generation}"),
            tell=self.tell,
            watched=self.traced,
            disk=self._disks.setdefault(info.node, MemoryDisk()) if self.config.durable else None,
        )

    async def _end(self, info: NodeInfo) -> None:
        lived = self._network.lives.pop(info.node, None)
        if lived is None or lived.host is None:
            return
        lived.host.die()
        self.loop.discard(lived)
        for call in self._calls.get(info.node, ()):
            if not call.done():
                call.set_exception(NoAnswer(f"{info.node} broke off: it died before it answered"))

    async def _suspend(self, info: NodeInfo) -> None:
        self.loop.suspend(self._network.lives[info.node])

    async def _wake(self, info: NodeInfo) -> None:
        self.loop.wake(self._network.lives[info.node])

    async def lose_message(self, kind: str, op: OpId, sender: str, receiver: str) -> None:
        if self._names is None:
            raise UserError("messages have names only in `cluster ... chance=named`")
        self._names.doomed.add((op, self.info(sender).node, self.info(receiver).node, kind))

    def under_way(self) -> list[UnderWay]:
        """The messages that have been sent and have not arrived, the next to arrive first."""
        return self._network.under_way()

    async def decide(self, message: str, fate: Fate) -> None:
        match fate:
            case "now":
                self._network.hasten(message)
            case "lost":
                self._network.drop(message)
            case "twice":
                self._network.double(message)
        await asyncio.sleep(0)  # what is delivered now has arrived on return

    @property
    def traced(self) -> bool:
        """Where messages are named, the nodes have to say whose each is, whoever listens."""
        return self._names is not None or super().traced

    async def _push_faults(self) -> None:
        """The network looks at `self.faults` itself."""

    async def _forget(self, info: NodeInfo) -> None:
        self._disks.pop(info.node, None)

    async def call(self, node: NodeId, command: Command, timeout_ms: float | None = None) -> Response:
        lived = self._network.lives.get(node)
        if lived is None or lived.host is None:
            raise NodeDown(f"{node} is not running")
        answer: asyncio.Future[Response] = self.loop.create_future()
        host = lived.host

        async def carry_out() -> None:
            try:
                response = await host.command(command)
            except Exception as error:
                told = host.plainly(error)
                if not isinstance(told, OwnCodeFailed):
                    raise
                host.fault(told)
                if not answer.done() and not host.dead:
                    answer.set_exception(told)
                return
            if not answer.done() and not host.dead:
                answer.set_result(response)

        limit_ms = timeout_ms or self.call_timeout_ms
        self.loop.call_soon(lambda: host.later(carry_out()), context=lived.context.copy())
        alarm = self.loop.call_later(limit_ms / 1000, _no_answer, answer, node, limit_ms)
        try:
            return await self._answered(node, answer)
        finally:
            alarm.cancel()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def at_ms(self) -> float:
        return round(self.loop.time() * 1000, 3)

    def now_ms(self) -> int:
        return self.wall_ns() // 1_000_000

    def wall_ns(self) -> int:
        """The same in nanoseconds: the nodes' clocks, before they are skewed."""
        return (START_MS + int(self.loop.time() * 1000)) * 1_000_000

    def _trace_nodes(self) -> None:
        for lived in self._network.lives.values():
            if lived.host is not None:
                lived.host.watched = self.traced

    async def close(self) -> None:
        for info in self.nodes.values():
            await self._end(info)


def _no_answer(answer: asyncio.Future[Response], node: NodeId, limit_ms: float) -> None:
    if not answer.done():
        answer.set_exception(NoAnswer(f"{node} did not answer within {limit_ms:g} ms"))
