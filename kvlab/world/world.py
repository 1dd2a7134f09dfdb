"""World: a cluster of nodes, and everything that can be done to it.

The lab, the script runner, the grader, the fuzzer and the benchmarks drive a `World`; none knows whether
its nodes are processes (world/process) or objects on virtual time (world/sim). What both worlds share is
here: the table of nodes, the network's faults, the checks of what was asked, and the stream of events.
A world adds six primitives: launch a node, end it, pause it, resume it, call it, and push the faults to it.

Every method that acts raises a UserError, before anything is done, when what was asked makes no sense.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TypeVar

import msgspec

from kvlab import stages
from kvlab.config import NODES_MAX, ClusterConfig, check_range
from kvlab.errors import NoSuchNode, OperationError, Outcome, OwnCodeFailed, RingChangeFailed, UserError
from kvlab.messages import UNKNOWN_EPOCH, Key, Member, NodeId, OpId, RingSpec
from kvlab.trace import events
from kvlab.trace.events import AnyEvent
from kvlab.world.control import (
    AllKeys,
    Belief,
    Changed,
    ChangeRing,
    Command,
    Count,
    Counted,
    CountHints,
    DoDelete,
    DoGet,
    DoPut,
    Error,
    Held,
    HintsKept,
    KeysHeld,
    Peek,
    Replicas,
    Response,
    Result,
    RingInForce,
    Rot,
    SetSkew,
    WhatOf,
    Where,
    WhichRing,
)
from kvlab.world.faults import Fate, Faults

T = TypeVar("T")
Watcher = Callable[[AnyEvent], None]

ZONE_NAMES_MAX = 20
NO_NAME = OpId("")


class NodeState(StrEnum):
    """What the world has done to a node: what its peers believe of it is another matter."""

    STARTING = "starting"
    UP = "up"
    PAUSED = "paused"
    DOWN = "down"
    LEFT = "left"


class NodeInfo(msgspec.Struct):
    """One node as its world sees it. `port` is the Redis port; 0 in the simulator, as is `pid`."""

    member: Member
    state: NodeState = NodeState.STARTING
    generation: int = 0
    port: int = 0
    pid: int = 0
    skew_ms: int = 0

    @property
    def node(self) -> NodeId:
        return self.member.node


class World(ABC):
    """A cluster under a person's hands. `async with` starts it and leaves nothing behind."""

    def __init__(self, config: ClusterConfig) -> None:
        self.config = stages.checked(config)
        self.stage = stages.find(config.stage)
        self.nodes: dict[NodeId, NodeInfo] = {}
        self._joining: set[NodeId] = set()
        self._leaving: set[NodeId] = set()
        self.faults = Faults()
        self.ring = RingSpec(0, self.config.members(), config.vnodes)
        self.call_timeout_ms = 4.0 * self.config.timeout_ms
        self._watchers: list[Watcher] = []
        self._traced_by: list[Watcher] = []  # those of them who want the nodes' own events

    # -- what each world does in its own way -----------------------------------------------------

    @abstractmethod
    async def _launch(self, info: NodeInfo) -> None:
        """Bring a node up; on return it answers, and `info` says where."""

    @abstractmethod
    async def _end(self, info: NodeInfo) -> None:
        """End it at once, without a word to it; on return it is gone."""

    @abstractmethod
    async def _suspend(self, info: NodeInfo) -> None:
        """Stop it where it stands."""

    @abstractmethod
    async def _wake(self, info: NodeInfo) -> None:
        """Let it go on."""

    @abstractmethod
    async def _push_faults(self) -> None:
        """Make the network behave as `self.faults` says."""

    @abstractmethod
    async def _forget(self, info: NodeInfo) -> None:
        """Throw away what the node kept on its disk."""

    @abstractmethod
    async def call(self, node: NodeId, command: Command, timeout_ms: float | None = None) -> Response:
        """Give one node a command. Raises NodeDown (nothing happened) or NoAnswer (who knows)."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Let so much of this world's time pass."""

    @abstractmethod
    def at_ms(self) -> float:
        """Milliseconds since this world started."""

    @abstractmethod
    def now_ms(self) -> int:
        """This world's wall clock, milliseconds since 1970, never skewed."""

    @abstractmethod
    async def close(self) -> None:
        """End every node and leave nothing behind. May be called twice."""

    # -- life of the cluster ---------------------------------------------------------------------

    async def start(self) -> None:
        """Start every node of the ring; on return all of them answer."""
        infos = [NodeInfo(member, generation=self._generation(member.node)) for member in self.ring.members]
        for info in infos:
            self.nodes[info.node] = info
            self.tell(events.NodeStarting(self.at_ms(), info.node, info.member.zone, info.member.weight))
        try:
            await self._launch_all(infos)
            await self._push_faults()
        except BaseException:
            await self.close()
            raise

    def _generation(self, node: NodeId) -> int:
        """The first generation of a node: above those of its lives in another world, if it had any."""
        return 0

    def _told(self, info: NodeInfo) -> RingSpec:
        """The ring that a node is given at its start.

        Where nodes gossip, a newcomer is told of one member only, its seed, and learns the rest from it.
        """
        if not self.stage.gossip or any(member.node == info.node for member in self.ring.members):
            return self.ring
        running = self.up()
        seeds = tuple(member for member in self.ring.members if member.node in running)
        if not seeds:
            raise UserError("no member is up to be the newcomer's seed; restart one first")
        return RingSpec(UNKNOWN_EPOCH, seeds[:1], self.ring.vnodes)

    @staticmethod
    def _ready(info: NodeInfo) -> None:
        info.state = NodeState.UP

    async def _launch_all(self, infos: Sequence[NodeInfo]) -> None:
        for info in infos:
            await self._launch(info)

    async def __aenter__(self) -> World:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # -- nodes -----------------------------------------------------------------------------------

    def info(self, node: str) -> NodeInfo:
        """The node of this name. Raises NoSuchNode."""
        info = self.nodes.get(NodeId(node))
        if info is None or info.state is NodeState.LEFT:
            raise NoSuchNode(node, self.members())
        return info

    def members(self) -> list[NodeId]:
        """Every node that has not left, whatever its state, in the order n1, n2, ..."""
        return [name for name, info in self.nodes.items() if info.state is not NodeState.LEFT]

    def up(self) -> list[NodeId]:
        """The nodes that run."""
        return [name for name, info in self.nodes.items() if info.state is NodeState.UP]

    def _in_state(self, node: str, doing: str, *wanted: NodeState) -> NodeInfo:
        info = self.info(node)
        if info.state not in wanted:
            raise UserError(f"cannot {doing} {node}: it is {info.state}, not {' or '.join(wanted)}")
        return info

    async def kill(self, node: str) -> None:
        """SIGKILL. What the node had only in memory is gone."""
        info = self._in_state(node, "kill", NodeState.UP, NodeState.PAUSED)
        info.state = NodeState.DOWN
        self.tell(events.NodeKilled(self.at_ms(), info.node))
        await self._end(info)

    async def pause(self, node: str) -> None:
        """SIGSTOP: to its peers the same silence as death, but it will be back."""
        info = self._in_state(node, "pause", NodeState.UP)
        info.state = NodeState.PAUSED
        self.tell(events.NodePaused(self.at_ms(), info.node))
        await self._suspend(info)

    async def resume(self, node: str) -> None:
        """SIGCONT."""
        info = self._in_state(node, "resume", NodeState.PAUSED)
        info.state = NodeState.UP
        self.tell(events.NodeResumed(self.at_ms(), info.node))
        await self._wake(info)

    async def restart(self, node: str, *, empty: bool = False) -> None:
        """Start a killed node again, under its old name and ports; `empty` also wipes its disk.

        Where nodes are not durable (`ClusterConfig.durable`), what it held is gone either way.
        """
        info = self._in_state(node, "restart", NodeState.DOWN)
        if info.node in self._joining | self._leaving:
            raise UserError(f"the ring is about to take {node} in, or to let it go; wait for that to end")
        info.state = NodeState.STARTING  # from now on a second restart is refused
        info.generation += 1
        self.tell(events.NodeStarting(self.at_ms(), info.node, info.member.zone, info.member.weight))
        try:
            if empty:
                await self._forget(info)
            await self._learn_ring()
            await self._launch(info)
        except BaseException as error:
            info.state = NodeState.DOWN
            why = str(error).partition("\n")[0] or "its start was broken off"
            self.tell(events.NodeDied(self.at_ms(), info.node, why))
            raise
        await self._push_faults()

    # -- the network -----------------------------------------------------------------------------

    async def partition(self, groups: Sequence[Sequence[str]]) -> None:
        """Cut the network: only nodes of one group hear each other."""
        named = [[self.info(node).node for node in group] for group in groups]
        everyone = [node for group in named for node in group]
        if len(named) < 2 or not all(named):
            raise UserError("a partition needs two groups or more, as in: partition n1 n2 | n3 n4 n5")
        for node in everyone:
            if everyone.count(node) > 1:
                raise UserError(f"{node} stands in two groups; a node is on one side of a cut")
        if left_out := [node for node in self.members() if node not in everyone]:
            raise UserError(f"a partition names every node; {', '.join(left_out)} stands in no group")
        self.faults.partition(named)
        self.tell(events.Partitioned(self.at_ms(), NodeId(""), self.faults.groups))
        await self._push_faults()

    async def heal(self) -> None:
        """Mend the network: no partition, delay, loss or duplication is left."""
        self.faults.heal()
        self.tell(events.Partitioned(self.at_ms(), NodeId(""), ()))  # now: a `slow` may come meanwhile
        await self._push_faults()

    async def slow(self, a: str, b: str | None, delay_ms: float, jitter_ms: float = 0.0) -> None:
        """Delay what a and b send each other; without b, all that a sends and receives."""
        if delay_ms < 0 or jitter_ms < 0:
            raise UserError(f"a delay cannot be negative, and {min(delay_ms, jitter_ms):g}ms is")
        await self._ail(a, b, delay_ms=delay_ms, jitter_ms=jitter_ms)

    async def lose(self, a: str, b: str | None, share: float) -> None:
        """Lose this share (0 to 1) of what a and b send each other; without b, of all a's traffic."""
        await self._ail(a, b, loss=self._share(share))

    async def lose_message(self, kind: str, op: OpId, sender: str, receiver: str) -> None:
        """Lose what `sender` sends `receiver` of this type for the sake of this operation, and nothing else.

        Raises UserError where messages have no names.
        """
        raise UserError(f"a real network cannot be told to lose the {kind} of {op}; use --world sim")

    async def decide(self, message: str, fate: Fate) -> None:
        """Deliver a message under way now, lose it, or deliver it twice. It is called as the events call it.

        Raises UserError if it is not under way, and where messages are out of everybody's hands.
        """
        raise UserError(f"{message} is in the hands of the operating system; --world sim holds its messages")

    async def duplicate(self, a: str, b: str | None, share: float) -> None:
        """Deliver this share (0 to 1) of the messages twice."""
        await self._ail(a, b, duplication=self._share(share))

    @staticmethod
    def _share(share: float) -> float:
        if not 0 <= share <= 1:
            raise UserError(f"a share of messages is 0% to 100%, and {share:.0%} is not")
        return share

    async def _ail(self, a: str, b: str | None, **ailments: float) -> None:
        first = self.info(a).node
        others = [self.info(b).node] if b is not None else [n for n in self.members() if n != first]
        if first in others:
            raise UserError(f"{a} has no link to itself; name two nodes")
        for other in others:
            for sender, receiver in ((first, other), (other, first)):
                link = self.faults.set(sender, receiver, **ailments)
                self.tell(
                    events.LinkChanged(
                        self.at_ms(),
                        sender,
                        receiver,
                        link.delay_ms,
                        link.jitter_ms,
                        link.loss,
                        link.duplication,
                    )
                )
        await self._push_faults()

    async def skew(self, node: str, skew_ms: int) -> None:
        """Set a node's clock wrong by so much; 0 sets it right."""
        info = self._in_state(node, "skew", NodeState.UP)
        self._expect(await self.call(info.node, SetSkew(skew_ms)))
        info.skew_ms = skew_ms
        self.tell(events.ClockSkewed(self.at_ms(), info.node, skew_ms))

    async def rot(self, node: str, key: Key) -> None:
        """Let the value that a node holds under a key decay, without the node's knowing."""
        info = self._in_state(node, "let a value decay at", NodeState.UP)
        self._expect(await self.call(info.node, Rot(key)))

    # -- joining and leaving ---------------------------------------------------------------------

    async def add(self, node: str, *, zone: str | None = None, weight: int = 1) -> Changed:
        """Start a new node and let it join the ring; returns when its keys have moved to it."""
        name = NodeId(node)
        self.stage.require_ring_changes("add a node")
        if not (node[:1] == "n" and node[1:].isdecimal() and node[1:] == str(int(node[1:]))):
            raise UserError(f"nodes are called n1, n2, ...; {node!r} is not such a name")
        if name in self.members():
            raise UserError(f"{node} is there already; the next free name is {self.next_name()}")
        check_range("the number of nodes", len(self.members()) + 1, 1, NODES_MAX, "one machine, one screen")
        check_range("a weight", weight, 1, 16, "a node of weight 2 takes twice the keys")
        if zone is not None and not (zone.isalnum() and len(zone) <= ZONE_NAMES_MAX):
            raise UserError(f"a zone is a short word such as z1, and {zone!r} is not")
        info = NodeInfo(Member(name, zone or f"z{len(self.members()) % self.config.zones + 1}", weight))
        if old := self.nodes.get(name):
            info.generation = old.generation + 1
        self.nodes[name] = info
        self.tell(events.NodeStarting(self.at_ms(), name, info.member.zone, weight))
        self._joining.add(name)
        try:
            await self._forget(info)  # an earlier node of this name may have left something
            await self._learn_ring()
            await self._launch(info)
            await self._push_faults()
            return await self._change_ring(name, ChangeRing(add=info.member))
        except BaseException as error:
            await self._end(info)
            await self._learn_ring()
            if name not in [member.node for member in self.ring.members]:
                info.state = NodeState.LEFT
                self.tell(events.NodeLeft(self.at_ms(), name))
                raise
            info.state = NodeState.DOWN
            self.tell(events.NodeKilled(self.at_ms(), name))
            raise RingChangeFailed(
                f"{error}. The others had taken {name} in before that: it is a member now, and down. "
                f"Restart it or remove it"
            ) from error
        finally:
            self._joining.discard(name)

    async def remove(self, node: str) -> Changed:
        """Let a node hand over its keys and go; a node that is down is struck off the ring."""
        info = self.info(node)
        self.stage.require_ring_changes("remove a node")
        if info.state is NodeState.PAUSED:
            raise UserError(f"{node} is paused and cannot hand over its keys; resume it, or kill it first")
        if info.state is NodeState.STARTING or info.node in self._joining:
            raise UserError(f"{node} is still joining and has no keys to hand over; wait for that to end")
        driver = info.node
        dead: tuple[NodeId, ...] = ()
        if info.state is NodeState.DOWN:
            dead, driver = (info.node,), self._any_up()
        self._leaving.add(info.node)
        try:
            changed = await self._change_ring(driver, ChangeRing(remove=info.node, dead=dead))
            if not dead:  # who asked it by the old ring shall still have its answer
                await self.sleep(self.config.timeout_ms / 1000)
            info.state = NodeState.LEFT
            await self._end(info)
            await self._forget(info)
        finally:
            self._leaving.discard(info.node)
        await self._push_faults()
        self.tell(events.NodeLeft(self.at_ms(), info.node))
        return changed

    def next_name(self) -> str:
        """The name the next node would get."""
        taken = set(self.members())
        return next(f"n{i}" for i in range(1, NODES_MAX + 2) if f"n{i}" not in taken)

    async def _learn_ring(self) -> None:
        """Ask the running nodes for the ring: one of them may know of a change whose driver died."""
        for node in self.up():
            try:
                response = await self.call(node, WhichRing(), timeout_ms=self.config.timeout_ms)
            except OperationError:
                continue  # it is up and does not answer: the others will do
            ring = self._expect(response, RingInForce).ring
            if ring.epoch > self.ring.epoch:
                self.ring = ring

    async def _change_ring(self, driver: NodeId, change: ChangeRing) -> Changed:
        response = await self.call(driver, change, timeout_ms=60_000)
        if isinstance(response, Error):
            raise RingChangeFailed(response.text)
        assert isinstance(response, Changed)
        if response.ring.epoch > self.ring.epoch:  # a driver that was cut off may answer after a later one
            self.ring = response.ring
        return response

    def _any_up(self) -> NodeId:
        if not (running := self.up()):
            raise UserError("no node is up; restart one first")
        return running[0]

    # -- operations ------------------------------------------------------------------------------

    async def put(
        self,
        key: Key,
        value: bytes,
        *,
        via: str | None = None,
        w: int | None = None,
        context: bytes = b"",
        expires_ms: int | None = None,
        op: OpId = NO_NAME,
    ) -> Result:
        """Write through a coordinator (the first node that is up, if not said). Never raises for the
        cluster's bad luck: that is in the Result.

        `context` is that of the Result by which the writer last saw the key; without one, the write is blind.
        `op` is what its messages are called by; "": the node finds a name.
        """
        return await self._operate("put", key, via, DoPut(key, value, w, expires_ms, context, op))

    async def get(
        self, key: Key, *, via: str | None = None, r: int | None = None, op: OpId = NO_NAME
    ) -> Result:
        """Read through a coordinator."""
        return await self._operate("get", key, via, DoGet(key, r, op))

    async def delete(
        self,
        key: Key,
        *,
        via: str | None = None,
        w: int | None = None,
        context: bytes = b"",
        op: OpId = NO_NAME,
    ) -> Result:
        """Delete through a coordinator. Without a context, it deletes what the coordinator finds."""
        return await self._operate("delete", key, via, DoDelete(key, w, context, op))

    async def _operate(
        self, kind: str, key: Key, via: str | None, command: DoGet | DoPut | DoDelete
    ) -> Result:
        """Have it coordinated by `via`; what the node cannot say any more, say for it."""
        node = self.info(via).node if via is not None else self._any_up()
        started = self.at_ms()
        try:
            response = await self.call(node, command)
        except OperationError as error:
            outcome, name, text = error.outcome, type(error).__name__, str(error)
        else:
            if not isinstance(response, Error):
                return self._expect(response, Result)
            outcome, name, text = Outcome.UNKNOWN, response.error, response.text  # a bug of the node's
        took = round(self.at_ms() - started, 3)
        return Result(command.op, kind, key, node, outcome, (), name, text, took)

    # -- looking in ------------------------------------------------------------------------------

    async def peek(self, node: str, key: Key) -> tuple[bytes, ...]:
        """The values that this node itself holds for the key; () for none."""
        return self._expect(await self.call(self._looked_at(node), Peek(key)), Held).values

    async def replicas(self, key: Key) -> tuple[NodeId, ...]:
        """The key's preference list, by the ring of the first node that is up."""
        return self._expect(await self.call(self._any_up(), Where(key)), Replicas).nodes

    async def count(self, node: str) -> Counted:
        """How many keys and bytes this node holds."""
        return self._expect(await self.call(self._looked_at(node), Count()), Counted)

    async def keys(self, node: str) -> tuple[Key, ...]:
        """Every key this node itself holds."""
        return self._expect(await self.call(self._looked_at(node), AllKeys()), KeysHeld).keys

    async def belief(self, node: str, other: str) -> str:
        """What this node believes of another: alive, suspect, failed or left."""
        asked = WhatOf(self.info(other).node)
        return self._expect(await self.call(self._looked_at(node), asked), Belief).belief

    async def hints(self, node: str) -> dict[NodeId, int]:
        """How many hints this node keeps, by owner."""
        return self._expect(await self.call(self._looked_at(node), CountHints()), HintsKept).owners

    def _looked_at(self, node: str) -> NodeId:
        return self._in_state(node, "look into", NodeState.UP).node

    @staticmethod
    def _expect(response: Response, kind: type[T] | None = None) -> T:
        if isinstance(response, Error):
            own = response.error == OwnCodeFailed.__name__
            raise OwnCodeFailed(response.text) if own else UserError(response.text)
        if kind is not None and not isinstance(response, kind):
            raise TypeError(f"expected {kind.__name__}, got {response!r}")
        return response  # type: ignore[return-value]  # checked above; without a kind nobody looks

    # -- events ----------------------------------------------------------------------------------

    def watch(self, watcher: Watcher, *, traffic: bool = True) -> Callable[[], None]:
        """Call `watcher` with every event from now on; returns what ends that.

        Without `traffic` the nodes need not tell what they do, which costs them time: it hears what
        happens to nodes and network, and what the nodes tell if somebody else asked for it.
        """
        self._watchers.append(watcher)
        if traffic:
            self._traced_by.append(watcher)
            self._trace_nodes()

        def leave() -> None:
            self._watchers.remove(watcher)
            if traffic:
                self._traced_by.remove(watcher)
                self._trace_nodes()

        return leave

    @property
    def traced(self) -> bool:
        """Whether the nodes are to tell what they do."""
        return bool(self._traced_by)

    @abstractmethod
    def _trace_nodes(self) -> None:
        """Let the running nodes know whether they are `traced`."""

    def tell(self, event: AnyEvent) -> None:
        """Hand an event to every watcher."""
        for watcher in self._watchers:
            watcher(event)
