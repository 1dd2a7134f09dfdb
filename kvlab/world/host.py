"""Host: one running node, in whichever world. It is the Env of its stage.

It numbers messages and ties answers to questions, keeps the time-outs, tells what happens as events, and
carries out what the world commands. What differs between worlds comes in from outside: a transport that
takes bytes to a peer, a clock, and the asyncio loop it runs on (a real one, or one of virtual time).

A host is one life of a node. A restarted node is a new Host of the next generation, and a dead one stays
dead: whatever of it still unwinds can neither send nor tell anything.
"""

from __future__ import annotations

import asyncio
import sys
import typing
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextvars import ContextVar, copy_context
from functools import partial
from random import Random
from types import FrameType
from typing import Any, Protocol, TypeVar, assert_never, cast

import msgspec
from msgspec.structs import replace

from kvlab import messages
from kvlab.config import ClusterConfig
from kvlab.core.clocks import sound
from kvlab.core.store import Store
from kvlab.env import Answer
from kvlab.errors import (
    BadContext,
    BadFrame,
    FrameTooLong,
    KvlabError,
    NotInThisStage,
    NotKept,
    OperationError,
    Outcome,
    PeerRefused,
    PeerSilent,
    RingMoved,
    UserError,
)
from kvlab.messages import (
    NOTHING,
    AnyReply,
    Context,
    Copy,
    Frame,
    Item,
    Key,
    Member,
    Message,
    NodeId,
    OpId,
    R,
    Refused,
    Request,
    RingSpec,
    Row,
    Siblings,
    StaleRing,
    Version,
    decode,
    encode,
    kind,
)
from kvlab.services import ring_change
from kvlab.services.handoff import Handoff
from kvlab.services.members import Members
from kvlab.services.transfer import Transfer
from kvlab.stages import ContextualNode, KeepsHints, KnowsMembers, Stage, StageNode, pieces
from kvlab.stages.pieces import NotWritten, PieceFailed
from kvlab.trace import events
from kvlab.trace.events import PREVIEW, AnyEvent
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
    Done,
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
    SetLinks,
    SetPeers,
    SetSkew,
    Watch,
    WhatOf,
    Where,
    WhichRing,
)

T = TypeVar("T")

TOLD_OF_DISK_MAX = 64
"""Of so many keys found on the disk a node tells one by one; it says of how many there are."""

FRAMES_A_LIFE = 1 << 32
"""How many numbers for its messages each life of a node has to itself."""

NO_OP = OpId("")
current_op: ContextVar[OpId] = ContextVar("current_op", default=NO_OP)
"""The client operation for whose sake the running code runs; tasks and timers inherit it."""


class Transport(Protocol):
    """Takes frames to peers. It may lose them, and then says why to `dropped`, if there is one."""

    @property
    def address(self) -> int:
        """Where the peers reach this end of it; 0 where a name is address enough."""

    def reach(self, peer: NodeId, address: int) -> None:
        """From now on the peer is to be found there."""

    def send(self, to: NodeId, data: bytes, dropped: Callable[[str], None] | None) -> None: ...


class Clocks(Protocol):
    """The world's two clocks."""

    def at_ms(self) -> float:
        """Milliseconds since the world started; never skewed."""

    @property
    def wall_ns(self) -> Callable[[], int]:
        """What tells the time of day, in nanoseconds since 1970: asked for every operation."""


class Disk(Protocol):
    """What a durable node has in common with its next life: tables of bytes."""

    def keep(self, table: str, key: bytes, data: bytes | None) -> None:
        """On return this survives a kill; None forgets the key. Raises NotKept."""

    def kept(self, table: str) -> dict[bytes, bytes]:
        """All that the table holds."""

    def row(self, table: str, key: bytes) -> bytes | None:
        """What it holds under this key."""


class Past(msgspec.Struct, frozen=True, array_like=True):
    """What a disk says of the cluster that its node was in (table `node`, key `past`), beside the ring."""

    stage: int
    n: int
    generation: int


class Host:
    """One life of one node. Implements `Env` for its stage."""

    def __init__(
        self,
        member: Member,
        stage: Stage,
        config: ClusterConfig,
        ring: RingSpec,
        *,
        generation: int,
        transport: Transport,
        clocks: Clocks,
        random: Random,
        tell: Callable[[AnyEvent], None],
        watched: bool,
        disk: Disk | None = None,
    ) -> None:
        self.member, self.stage, self.config, self.generation = member, stage, config, generation
        self.me = member.node
        self.random = random
        self.watched = watched
        self.skew_ms = 0
        self.repairs = 0  # told so far
        self.dead = False
        self._transport, self._tell = transport, tell
        self.at_ms = clocks.at_ms  # milliseconds since the world started; never skewed
        self._wall_ns = clocks.wall_ns
        self._loop = asyncio.get_running_loop()
        # The answer to a question of an earlier life may come late, and must not be taken for one of ours.
        self._frames = generation * FRAMES_A_LIFE
        self._ops = 0
        self._changes = 0
        self._pending: dict[int, asyncio.Future[Message]] = {}
        self._deadlines: deque[tuple[float, asyncio.Future[Message], NodeId, float]] = deque()
        self._collect_at_ms: int | None = None
        self._disk = disk
        self._taking_back = False  # what the disk has not taken
        self.life = self._begun_with_nothing()
        ring = self._last_ring(ring)
        node_class = stage.load(config.mine)
        self._source = config.mine or sys.modules[node_class.__module__].__file__
        self._understood = _request_types(node_class)
        try:
            self.node: StageNode = node_class(self, config, ring)
        except Exception as error:
            raise self.plainly(error) from error
        self._first_ring = ring
        for key, data in self.kept("store").items():
            self.node.store.restore(key, _copy_decoder.decode(data))
        if (transfer := getattr(self.node, "transfer", None)) is not None:
            transfer.forget_foreign()  # the ring may have changed while everybody was down
        if (expires_ms := self.node.store.next_expiry()) is not None:
            self._collect_by(expires_ms)
        if watched and disk is not None:
            self._tell_of_disk()

    @property
    def at_once(self) -> bool:
        """Whether the node can answer many plain reads or writes in one call: it is all alone with a store in
        which nothing has to be made room for, and of which no disk has to know."""
        store, budget_bytes = self.node.store, self.config.memory_bytes
        return hasattr(self.node, "put_all") and type(store) is Store and not (self._disk or budget_bytes)

    @property
    def ring(self) -> RingSpec:
        """The ring by which the node works now; where no node can join or leave, the one it began with."""
        transfer = getattr(self.node, "transfer", None)
        return self._first_ring if transfer is None else cast(RingSpec, transfer.ring)

    # -- Env: what outlives me ---------------------------------------------------------------------

    def _begun_with_nothing(self) -> int:
        """The generation in which this disk was empty; without a disk, this one."""
        found = self.kept("node").get(b"life")
        if found is not None:
            return int(found)
        self.keep("node", b"life", b"%d" % self.generation)
        return self.generation

    def _last_ring(self, ring: RingSpec) -> RingSpec:
        """The later of the ring that I am given and the one that I worked by before; it is kept, with what
        else has to be known to start this cluster again."""
        if self._disk is None:
            return ring
        if (found := self.kept("node").get(b"ring")) is not None:
            ring = max(ring, _ring_decoder.decode(found), key=lambda known: known.epoch)
        past = Past(self.config.stage, self.config.n, self.generation)
        self.keep("node", b"past", msgspec.msgpack.encode(past))
        self.keep("node", b"ring", msgspec.msgpack.encode(ring))
        return ring

    def keep(self, table: str, key: bytes, data: bytes | None) -> None:
        if self._disk is not None and not self.dead:
            self._disk.keep(table, key, data)

    def kept(self, table: str) -> dict[bytes, bytes]:
        return {} if self._disk is None else self._disk.kept(table)

    @property
    def _members(self) -> Members | None:
        """The node's heartbeat table, from stage 7 on."""
        return getattr(self.node, "members", None)

    async def settle(self) -> None:
        """Be ready to serve: a newcomer that was given only a seed learns from it who is there."""
        if self._members is not None:
            await self._members.meet()

    def table(self) -> Sequence[Row]:
        """The heartbeat table, the node's own row first; empty before stage 7."""
        return () if self._members is None else self._members.table()

    def belief(self, peer: NodeId) -> str:
        """What the node believes of another. Raises NotInThisStage where it believes nothing."""
        return self._watcher().belief(peer)

    # -- Env: time -------------------------------------------------------------------------------

    def now_ms(self) -> int:
        return self._wall_ns() // 1_000_000 + self.skew_ms

    async def sleep(self, ms: float) -> None:
        await asyncio.sleep(ms / 1000)

    # -- Env: peers ------------------------------------------------------------------------------

    @property
    def address(self) -> int:
        return self._transport.address

    def reach(self, peer: NodeId, address: int) -> None:
        self._transport.reach(peer, address)

    async def ask(self, peer: NodeId, request: Request[R], timeout_ms: float | None = None) -> R:
        if peer == self.me:
            try:
                return await self.node.on(self.me, request)  # type: ignore[arg-type,return-value]
            except OperationError:
                raise
            except Exception as error:
                raise self._refused_here(error) from error
        self._frames += 1
        number = self._frames
        answer: asyncio.Future[Message] = self._loop.create_future()
        # All requests are AnyRequest. Sent first: if it is too long, nothing is to wait for an answer.
        self._send(peer, Frame(number, 0, current_op.get(), request))  # type: ignore[arg-type]
        self._pending[number] = answer
        self._await_until(answer, peer, timeout_ms or self.config.timeout_ms)
        try:
            reply = await answer
        finally:
            del self._pending[number]
        if isinstance(reply, StaleRing):
            raise RingMoved(reply.ring)
        if isinstance(reply, Refused):
            raise PeerRefused(peer, reply.error, reply.text, reply.outcome)
        return reply  # type: ignore[return-value]  # the peer's stage answers each request by its own reply

    def _await_until(self, answer: asyncio.Future[Message], peer: NodeId, limit_ms: float) -> None:
        """Fail this answer with PeerSilent after so long, if it has not come.

        Nearly all questions have the same limit, so their deadlines come in the order of asking, and one
        timer for the first of them serves for all: a timer each would cost more than the message.
        """
        deadline = self._loop.time() + limit_ms / 1000
        if self._deadlines and deadline < self._deadlines[-1][0]:
            self._loop.call_at(deadline, self._silence, answer, peer, limit_ms)
            return
        self._deadlines.append((deadline, answer, peer, limit_ms))
        if len(self._deadlines) == 1:
            self._loop.call_at(deadline, self._ring_alarm)

    def _ring_alarm(self) -> None:
        """The first deadline has come: those answers are late; set the alarm for the next."""
        if self.dead:
            return
        now = self._loop.time()
        while self._deadlines and (self._deadlines[0][0] <= now or self._deadlines[0][1].done()):
            _, answer, peer, limit_ms = self._deadlines.popleft()
            self._silence(answer, peer, limit_ms)
        if self._deadlines:
            self._loop.call_at(self._deadlines[0][0], self._ring_alarm)

    def _silence(self, answer: asyncio.Future[Message], peer: NodeId, limit_ms: float) -> None:
        if not answer.done() and not self.dead:
            answer.set_exception(PeerSilent(peer, limit_ms))

    async def each(
        self, peers: Sequence[NodeId], ask: Callable[[NodeId], Coroutine[object, object, R]]
    ) -> AsyncIterator[tuple[NodeId, Answer[R]]]:
        answers: deque[tuple[NodeId, Answer[R]]] = deque()
        waiting: asyncio.Future[None] | None = None

        async def one(peer: NodeId) -> None:
            answer: Answer[R]
            try:
                answer = await ask(peer)
            except OperationError as error:
                answer = error
            except Exception as error:  # a bug on this side of the question; nobody may wait for its answer
                answer = self._refused_here(error)
            answers.append((peer, answer))
            if waiting is not None and not waiting.done():
                waiting.set_result(None)

        for peer in peers:
            self.later(one(peer))
        for _ in peers:
            if not answers:
                waiting = self._loop.create_future()
                await waiting
            yield answers.popleft()

    def later(self, work: Coroutine[object, object, None]) -> None:
        if self.dead:
            work.close()  # it has not begun, and never will
        else:
            self._advance(work)

    def _advance(self, work: Coroutine[Any, object, None], _: object = None) -> None:
        """Run it until it has to wait, and again when that has come, until it ends.

        No task: most work here never waits, and a task would cost more than all the rest of a message.
        It also makes a crash what it should be: the work of the dead is not cancelled, which it could
        catch, but does not go on; what its `finally` still does reaches nobody.
        """
        if self.dead:
            return
        try:
            waits_for = work.send(None)
        except StopIteration:
            return
        except Exception as error:
            self._failed(error)
            return
        if waits_for is None:  # a bare yield, as of sleep(0): let the others have a turn
            self._loop.call_soon(self._advance, work)
        else:
            waits_for._asyncio_future_blocking = False  # as a task does: the future knows it is waited for
            waits_for.add_done_callback(partial(self._advance, work))

    def _failed(self, error: Exception) -> None:
        if not self.dead:
            self.fault(error)

    def _send(self, to: NodeId, frame: Frame, question: str = "") -> None:
        """Raises FrameTooLong."""
        if self.dead:
            return
        data = encode(frame)
        if len(data) > messages.FRAME_BYTES_MAX:
            raise FrameTooLong(len(data), messages.FRAME_BYTES_MAX)
        if not self.watched:
            self._transport.send(to, data, None)
            return
        msg, name = f"{self.me}.{self.generation}.{frame.id}", kind(frame.body)
        key = getattr(frame.body, "key", None)
        line = self._stage_line() if frame.op and not question else 0  # whoever answers has left the stage
        self._tell(
            events.Sent(self.at_ms(), self.me, msg, to, name, len(data), frame.op, question, key, line)
        )

        def dropped(why: str) -> None:
            self._tell(events.MessageDropped(self.at_ms(), self.me, msg, to, name, why, frame.op))

        self._transport.send(to, data, dropped)

    def receive(self, sender: NodeId, sender_generation: int, data: bytes | memoryview) -> None:
        """A frame has arrived. Raises BadFrame if it is none."""
        if self.dead:
            return
        try:
            frame = decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:  # the latter for a string not in UTF-8
            raise BadFrame(
                f"{self.me} expected a frame from {sender} and got something else: {error}"
            ) from error
        if self.watched:
            self._tell(
                events.Delivered(
                    self.at_ms(),
                    self.me,
                    f"{sender}.{sender_generation}.{frame.id}",
                    sender,
                    kind(frame.body),
                    frame.op,
                )
            )
        if frame.answers:
            answer = self._pending.get(frame.answers)
            if answer is not None and not answer.done():
                answer.set_result(frame.body)
            return
        work = self._answer(sender, f"{sender}.{sender_generation}.{frame.id}" if self.watched else "", frame)
        if frame.op:
            context = copy_context()
            context.run(current_op.set, frame.op)
            context.run(self.later, work)
        else:
            self.later(work)

    async def _answer(self, sender: NodeId, question: str, frame: Frame) -> None:
        """Let the stage answer a request, and send its reply, or the reason why there is none."""
        reply: AnyReply
        try:
            if not isinstance(frame.body, self._understood):
                raise NotInThisStage(f"{self.stage.title}, does not understand {kind(frame.body)}")
            reply = await self.node.on(sender, frame.body)  # type: ignore[arg-type]
        except RingMoved as moved:
            reply = StaleRing(moved.ring)
        except Exception as error:
            reply = self._refusal(error)
        self._frames += 1
        try:
            self._send(sender, Frame(self._frames, frame.id, frame.op, reply), question)
        except FrameTooLong as error:
            reply = Refused(type(error).__name__, str(error), Outcome.UNKNOWN)  # it was done; only the reply
            self._send(sender, Frame(self._frames, frame.id, frame.op, reply), question)  # does not fit

    def _refusal(self, error: Exception) -> Refused:
        """What to answer instead: whose fault it is, and whether anything was done."""
        error = self.plainly(error)
        if isinstance(error, PieceFailed):
            self.fault(error)
        if isinstance(error, KvlabError):
            return Refused(type(error).__name__, str(error), outcome_of(error))
        self.fault(error)
        return Refused(type(error).__name__, f"{self.me} has a bug: {error!r}", Outcome.UNKNOWN)

    def _refused_here(self, error: Exception) -> PeerRefused:
        """The same, as if it had come from a peer."""
        refused = self._refusal(error)
        return PeerRefused(self.me, refused.error, refused.text, refused.outcome)

    # -- Env: what happened ----------------------------------------------------------------------

    def changed(self, key: Key, copy: Copy | None, why: str) -> None:
        self._changes += 1
        if copy is not None and copy.expires_ms is not None:
            self._collect_by(copy.expires_ms)
        if self._disk is not None and not self._taking_back:
            try:
                self.keep("store", key, None if copy is None else msgspec.msgpack.encode(copy))
            except NotKept:
                self._take_back(key, self._disk)
                raise
        if not self.watched or self.dead:
            return
        self._tell_of(key, copy, why, self._stage_line() if current_op.get() else 0)

    def _take_back(self, key: Key, disk: Disk) -> None:
        """Hold what the disk holds: were the copy held, it would be confirmed as known when it comes again,
        and a kill would lose it."""
        data = disk.row("store", key)
        if data is not None:
            self.node.store.restore(key, _copy_decoder.decode(data))
            return
        self._taking_back = True
        try:
            self.node.store.remove(key)
        finally:
            self._taking_back = False

    def _tell_of(self, key: Key, copy: Copy | None, why: str, line: int) -> None:
        """What is held under this key now."""
        store, at_ms, op = self.node.store, self.at_ms(), current_op.get()
        if copy is not None and copy.alive:
            first, *others = _preview(copy.values)
            event: AnyEvent = events.Stored(
                at_ms, self.me, key, first, len(store), store.bytes, op, tuple(others), _cut(copy),
                store.tombstones, line,
            )  # fmt: skip
        else:
            why = why if copy is None or why != "put" else "deleted"
            rest = None if copy is None else _cut(copy)
            event = events.Removed(
                at_ms, self.me, key, why, len(store), store.bytes, op, rest, store.tombstones, line
            )
        self._tell(event)

    def _tell_of_disk(self) -> None:
        """What was found there, the last if it is much: else nobody who watches would know what is held."""
        for key, copy in list(self.node.store.items(self.now_ms()))[-TOLD_OF_DISK_MAX:]:
            self._tell_of(key, copy, "put", 0)

    def _stage_line(self) -> int:
        """The line of the stage's file that is at work, or that has called what is; 0 if there is none."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename == self._source:
                return frame.f_lineno
            frame = frame.f_back
        return 0

    def _raised_at(self, error: Exception) -> int:
        """The innermost line of the stage's file that this error has passed; 0 if it passed none."""
        line, trace = 0, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self._source:
                line = trace.tb_lineno
            trace = trace.tb_next
        return line

    def ring_changed(self, ring: RingSpec, phase: str) -> None:
        if self._disk is not None and phase == "installed":
            self.keep("node", b"ring", msgspec.msgpack.encode(ring))
        if self.watched and not self.dead:
            self._tell(events.RingChanged(self.at_ms(), self.me, ring, phase))

    def locked(self, missing: Sequence[NodeId]) -> None:
        if self.watched and not self.dead:
            self._tell(events.Locked(self.at_ms(), self.me, tuple(missing)))

    def overwritten(self, key: Key, copy: Copy, by: Copy) -> None:
        if not self.dead:  # watched or not: somebody's write is gone, and somebody should hear of it
            self._tell(
                events.Overwritten(self.at_ms(), self.me, key, _preview(copy.values), _preview(by.values))
            )

    def repaired(self, key: Key, peer: NodeId, why: str) -> None:
        self.repairs += 1
        if self.watched and not self.dead:
            self._tell(events.Repaired(self.at_ms(), self.me, key, peer, why, current_op.get()))

    def believes(self, peer: NodeId, belief: str) -> None:
        if self.watched and not self.dead:
            self._tell(events.Believed(self.at_ms(), self.me, peer, belief))

    def hinted(self, owner: NodeId, key: Key, what: str, hints: int) -> None:
        if self.watched and not self.dead:
            self._tell(events.Hinted(self.at_ms(), self.me, owner, key, what, hints, current_op.get()))

    def exchanged(
        self, peer: NodeId, levels: int, buckets: int, keys: int, size: int, walk: Sequence[int] = ()
    ) -> None:
        if self.watched and not self.dead:
            self._tell(
                events.Exchanged(self.at_ms(), self.me, peer, levels, buckets, keys, size, tuple(walk))
            )

    def plainly(self, error: Exception) -> Exception:
        """What a piece of the reader's has raised, in the reader's terms."""
        if self.config.mine is None or isinstance(error, KvlabError):
            return error
        return pieces.failed(error, self.config.mine)

    def fault(self, error: Exception) -> None:
        """Note an exception that nobody expected. If it is the reader's, all others go on."""
        error = self.plainly(error)
        if isinstance(error, PieceFailed):
            self._tell(events.NodeFault(self.at_ms(), self.me, str(error)))
            return
        self._tell(events.NodeFault(self.at_ms(), self.me, f"{type(error).__name__}: {error}"))
        self._loop.call_exception_handler({"message": f"{self.me}: {error!r}", "exception": error})

    def _collect_by(self, expires_ms: int) -> None:
        """See to it that what expires then is collected, with one timer for all keys."""
        if self._collect_at_ms is None or expires_ms < self._collect_at_ms:
            self._collect_at_ms = expires_ms
            delay_s = max(0, expires_ms - self.now_ms()) / 1000
            self._loop.call_later(delay_s, self._collect, expires_ms)

    def _collect(self, expires_ms: int) -> None:
        if self.dead or self._collect_at_ms != expires_ms:
            return
        self._collect_at_ms = None
        self.node.store.collect(self.now_ms())
        if (following := self.node.store.next_expiry()) is not None:
            # A reader's store may have left what was due; it must not be asked again at the same moment.
            self._collect_by(max(following, self.now_ms() + 1))

    # -- the world's commands --------------------------------------------------------------------

    async def command(self, command: Command) -> Response:
        """Carry out a command; whatever goes wrong is in the response."""
        try:
            match command:
                case DoGet():
                    return await self._result("get", command, lambda: self.get(command.key, command.r))
                case DoPut(key, value, w, expires_ms, context):
                    item = Item(value, expires_ms)
                    return await self._result("put", command, lambda: self.put(key, item, w, context), value)
                case DoDelete(key, w, context):
                    return await self._result("delete", command, lambda: self.delete(key, w, context))
                case Peek():
                    copy = self.node.store.peek(command.key, self.now_ms())
                    return Held(() if copy is None else copy.values)
                case Where():
                    return Replicas(tuple(self.node.replicas(command.key)))
                case Count():
                    self.node.store.collect(self.now_ms())
                    return Counted(len(self.node.store), self.node.store.bytes, self.repairs)
                case AllKeys():
                    return KeysHeld(tuple(self.node.store.living(self.now_ms())))
                case WhichRing():
                    return RingInForce(self.ring)
                case WhatOf():
                    return Belief(self.belief(command.node))
                case CountHints():
                    return HintsKept(self.keeper().hints())
                case ChangeRing():
                    return await self._change_ring(command)
                case SetSkew():
                    self.skew_ms = command.skew_ms
                    return Done()
                case Rot():
                    self._rot(command.key)
                    return Done()
                case Watch():
                    self.watched = command.on
                    return Done()
                case SetPeers() | SetLinks():
                    raise AssertionError("the world's transport sees to these")
        except KvlabError as error:
            return Error(type(error).__name__, str(error))

    def _rot(self, key: Key) -> None:
        """Let the value decay where it lies; the node itself is not told. Raises UserError."""
        copy = self.node.store.peek(key, self.now_ms())
        if copy is None or not copy.alive:
            raise UserError(f"{self.me} holds no value of {key.decode(errors='backslashreplace')} to decay")
        rotten = _decayed(copy)
        self.node.store.restore(key, rotten)
        self.changed(key, rotten, "put")

    def get(self, key: Key, r: int | None) -> Coroutine[Any, Any, Copy | None]:
        """A client's read."""
        return self.node.get(key, r)

    def put(self, key: Key, item: Item, w: int | None, context: bytes) -> Coroutine[Any, Any, Context | None]:
        """A client's write; returns what the client has seen by it, from stage 6 on. Raises BadContext."""
        if not self.stage.contexts:
            return self.node.put(key, item, w)
        return cast(ContextualNode, self.node).put(key, item, w, context_of(context))

    def delete(
        self, key: Key, w: int | None, context: bytes
    ) -> Coroutine[Any, Any, bool | tuple[bytes, ...]]:
        """A client's delete; returns whether there was a value, or which. Raises BadContext."""
        if not self.stage.contexts:
            return self.node.delete(key, w)
        return cast(ContextualNode, self.node).delete(key, w, context_of(context) if context else None)

    def _watcher(self) -> KnowsMembers:
        if not self.stage.watches:
            raise NotInThisStage(f"{self.stage.title}, does not know who is alive; stage 7 adds that")
        return cast(KnowsMembers, self.node)

    def keeper(self) -> KeepsHints:
        """The node as one that keeps hints. Raises NotInThisStage."""
        if not self.stage.hints:
            raise NotInThisStage(f"{self.stage.title}, has no hints; stage 8 adds them")
        return cast(KeepsHints, self.node)

    async def _result(
        self,
        name: str,
        command: DoGet | DoPut | DoDelete,
        work: Callable[[], Coroutine[Any, Any, object]],
        value: bytes | None = None,
    ) -> Result:
        started, key = self.at_ms(), command.key
        op = command.op or self.new_op()
        values: tuple[bytes, ...] = ()
        context = b""
        outcome, error, text = Outcome.OK, "", ""
        try:
            found = await self.operation(name, key, value, work(), op)
            self._check_type(name, found)
            values, context = values_of(found), context_in(found)
        except Exception as raised:
            failure = self.plainly(raised)
            if not isinstance(failure, KvlabError):
                raise
            if isinstance(failure, PieceFailed):
                self.fault(failure)
            outcome, error, text = outcome_of(failure), type(failure).__name__, str(failure)
        took = round(self.at_ms() - started, 3)
        return Result(op, name, key, self.me, outcome, values, error, text, took, context)

    def _check_type(self, name: str, found: object) -> None:
        """Raise PieceFailed for what no stage returns: with a piece of the reader's it may be anything."""
        if self.config.mine is None or found is None or name != "get":
            return
        if not isinstance(found, Copy):
            codes = (getattr(type(of).get, "__code__", None) for of in (self.node, self.node.store))
            theirs = [code for code in codes if code and code.co_filename == self.config.mine]
            line = theirs[0].co_firstlineno if theirs else 0
            said = f"expected a read to return a copy or None, and got {found!r}"
            raise PieceFailed(self.config.mine, line, said)

    async def operation(
        self, name: str, key: Key, value: bytes | None, work: Coroutine[Any, Any, T], op: OpId | None = None
    ) -> T:
        """Do a client's work under an operation id of its own, telling its start and its end.

        To be run in a context of its own (a task, or `copy_context().run`): it says there which
        operation it is, for all that follows from it.
        """
        if not self.watched:
            return await work
        op = op or self.new_op()
        current_op.set(op)
        started, before = self.at_ms(), self._done()
        shown = None if value is None else value[:PREVIEW]
        self._tell(events.OpStarted(started, self.me, op, name, key, shown))
        values: tuple[bytes, ...] = ()
        outcome, error, text, line = "ok", "", "", 0
        try:
            found = await work
            values = _preview(values_of(found))
            return found
        except Exception as raised:
            failure, line = self.plainly(raised), self._raised_at(raised)
            # In stage 1 the piece is the store itself, which tells of a change after it has made it.
            if isinstance(failure, NotWritten) and before == self._done() and self.stage.nodes_max > 1:
                failure.outcome = Outcome.FAILED
            outcome, error, text = str(outcome_of(failure)), type(failure).__name__, str(failure)
            if failure is raised:
                raise
            raise failure from raised
        finally:
            if not self.dead:
                took = round(self.at_ms() - started, 3)
                at_ms = self.at_ms()
                self._tell(
                    events.OpEnded(at_ms, self.me, op, name, key, outcome, took, values, error, text, line)
                )

    def _done(self) -> tuple[int, int]:
        """While this stays the same, the node has neither changed what it holds nor sent anything."""
        return self._changes, self._frames

    def new_op(self) -> OpId:
        self._ops += 1
        return OpId(f"{self.me}.{self.generation}.{self._ops}")

    async def _change_ring(self, command: ChangeRing) -> Changed:
        transfer = getattr(self.node, "transfer", None)
        if transfer is None:
            raise NotInThisStage(f"{self.stage.title}, has no ring to change")
        if command.add is not None:
            moved = await ring_change.join(transfer, command.add)
        else:
            assert command.remove is not None
            moved = await self._leave(transfer, command.remove, command.dead)
        return Changed(transfer.ring, moved)

    async def _leave(self, transfer: Transfer[Any], node: NodeId, dead: tuple[NodeId, ...]) -> int:
        """Take a node off the ring. Who leaves itself, and keeps hints, lets others keep them first."""
        handoff: Handoff[Any] | None = getattr(self.node, "handoff", None)
        if handoff is None or node != self.me:
            return await ring_change.leave(transfer, node, dead)
        try:
            await handoff.retire()
            return await ring_change.leave(transfer, node, dead)
        except OperationError:
            handoff.stay()
            raise

    # -- the end ---------------------------------------------------------------------------------

    def die(self) -> None:
        """Be dead at once: from now on nothing of it runs, is sent or is told."""
        self.dead = True


def outcome_of(error: Exception) -> Outcome:
    """What a client may claim after this error: a bug may have struck after the write."""
    if isinstance(error, OperationError | PieceFailed):
        return error.outcome
    return Outcome.FAILED if isinstance(error, KvlabError) else Outcome.UNKNOWN


def values_of(found: object) -> tuple[bytes, ...]:
    """The values among what an operation returned."""
    if isinstance(found, tuple):
        return found
    return found.values if isinstance(found, Item | Version | Siblings) else ()


def _decayed(copy: Copy) -> Copy:
    """The copy with one bit of its value flipped, of the first value if it has siblings."""
    if isinstance(copy, Siblings):
        at = next(i for i, sibling in enumerate(copy.siblings) if sibling.value is not None)
        sibling = copy.siblings[at]
        rotten = msgspec.structs.replace(sibling, value=_flipped(sibling.value or b""))
        return Siblings(copy.context, (*copy.siblings[:at], rotten, *copy.siblings[at + 1 :]))
    return msgspec.structs.replace(copy, value=_flipped(copy.value or b""))


def _flipped(value: bytes) -> bytes:
    return value[:-1] + bytes([value[-1] ^ 1]) if value else b"\0"


def _preview(values: Iterable[bytes]) -> tuple[bytes, ...]:
    """Cut for an event."""
    return tuple([value[:PREVIEW] for value in values])


def _cut(copy: Copy) -> Copy | None:
    """A copy with its versions, cut for an event; None if it has none, for then its value says it all."""
    match copy:
        case Item():
            return None
        case _ if copy.size <= PREVIEW:
            return copy
        case Version():
            return replace(copy, value=copy.value and copy.value[:PREVIEW])
        case Siblings():
            short = [replace(s, value=s.value and s.value[:PREVIEW]) for s in copy.siblings]
            return Siblings(copy.context, tuple(short))
        case _:
            assert_never(copy)


_ring_decoder = msgspec.msgpack.Decoder(RingSpec)
_copy_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Copy)
_context_decoder = msgspec.msgpack.Decoder(Context)


def context_in(found: object) -> bytes:
    """The context in what an operation returned, as a client gets it: letters that mean nothing to it."""
    context = found.context if isinstance(found, Siblings) else found
    return b64encode(msgspec.msgpack.encode(context)) if isinstance(context, Context) else b""


def context_of(opaque: bytes) -> Context:
    """What `context_in` has made these letters of; a context of nothing for none. Raises BadContext."""
    try:
        context = _context_decoder.decode(b64decode(opaque, validate=True)) if opaque else NOTHING
    except (ValueError, msgspec.MsgspecError):
        context = None
    if context is None or not sound(context):
        raise BadContext(
            f"expected a context as KV.GET and KV.PUT return it, and got {opaque[:40]!r}; "
            "read the key again and send the context as it came"
        )
    return context


def _request_types(node_class: type[StageNode]) -> tuple[type, ...]:
    """The messages that a stage's `on` says it takes."""
    annotation = typing.get_type_hints(node_class.on)["request"]
    return tuple([typing.get_origin(kind) or kind for kind in typing.get_args(annotation)])
