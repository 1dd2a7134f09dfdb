"""The child process: one node, told by its supervisor what to be.

Started as `python -m kvlab.world.process.node NODE PORT`, with the token on standard input: it opens its
peer port, connects to the supervisor at PORT, and learns the rest there. When that connection closes, for
whatever reason, it ends: no node outlives its supervisor.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
import traceback
from itertools import count
from pathlib import Path
from random import Random

import msgspec

from kvlab import stages
from kvlab.errors import FrameTooLong, KvlabError, OwnCodeFailed, PortTaken
from kvlab.messages import NodeId
from kvlab.trace.events import AnyEvent, EventsLost
from kvlab.world.control import (
    Answer,
    Ask,
    Attach,
    Begin,
    Command,
    Done,
    Error,
    Failed,
    Ready,
    Response,
    SetLinks,
    SetPeers,
    Stop,
    ToChild,
    Told,
    ToSupervisor,
)
from kvlab.world.guard import Guard
from kvlab.world.host import Disk, Host
from kvlab.world.process.peers import Peers
from kvlab.world.process.resp import RespServer
from kvlab.world.process.wire import LOOPBACK, FrameConnection

EVENTS_TOLD_MAX = 1000
"""Events in one frame: flushing a million keys tells as many."""

_decoder: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)


class Clocks:
    """Real time."""

    def __init__(self, epoch_ns: int) -> None:
        self._epoch_ns = epoch_ns

    def at_ms(self) -> float:
        return round((time.monotonic_ns() - self._epoch_ns) / 1e6, 3)

    wall_ns = staticmethod(time.time_ns)


class Child:
    """A node and its line to the supervisor."""

    def __init__(self, node: NodeId, token: str) -> None:
        self.node, self.token = node, token
        self.peers = Peers(token, node, Random())
        self.ended = asyncio.Event()
        self.host: Host | None = None
        self.resp: RespServer | None = None
        self._control: FrameConnection | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._untold: list[AnyEvent] = []
        self._guard = contextlib.ExitStack()  # over a piece of the reader's that does not come back
        self._lost = 0

    async def live(self, control_port: int) -> None:
        """Connect, and live until the supervisor is gone."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.ended.set)
        peer_port = await self.peers.listen()
        _, self._control = await loop.create_connection(
            lambda: FrameConnection(self._on_frame, self._on_lost), LOOPBACK, control_port
        )
        self._say(Attach(self.token, self.node, peer_port))
        await self.ended.wait()
        if self.resp is not None:
            await self.resp.close()
        self.peers.close()

    def _say(self, message: ToSupervisor) -> bool:
        return self._control is not None and self._control.send(msgspec.msgpack.encode(message))

    def _on_lost(self, connection: FrameConnection, error: Exception | None) -> None:
        self.ended.set()

    def _on_frame(self, connection: FrameConnection, data: memoryview) -> None:
        message = _decoder.decode(data)
        if isinstance(message, Stop):
            self._flush()
            connection.close()
            return
        task = asyncio.get_running_loop().create_task(
            self._begin(message) if isinstance(message, Begin) else self._carry_out(message)
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _begin(self, begin: Begin) -> None:
        """Become the node."""
        try:
            stage = stages.find(begin.config.stage)
            self.peers.generation = begin.generation
            self.peers.set_ports(begin.ports)
            self.peers.links = begin.links
            seed = f"{begin.config.seed}/{self.node}/{begin.generation}"
            self.peers.random = Random(f"{seed}/network")
            self.host = Host(
                begin.member,
                stage,
                begin.config,
                begin.ring,
                generation=begin.generation,
                transport=self.peers,
                clocks=Clocks(begin.epoch_ns),
                random=Random(seed),
                tell=self._tell,
                watched=begin.watched,
                disk=_disk(begin.disk) if begin.disk else None,
            )
            if begin.config.mine is not None:
                self._guard.enter_context(Guard(begin.config.mine))
            self.peers.receive = self.host.receive
            await self.host.settle()
            self.resp = RespServer(self.host)
            resp_port = await self._open(self.resp, begin)
        except KvlabError as error:
            self._say(Failed(str(error)))
            return
        except Exception:  # a bug in the stage: the supervisor shows the end of the log, and keeps it
            traceback.print_exc()
            os._exit(1)
        self._say(Ready(resp_port, len(self.host.node.store)))

    @staticmethod
    async def _open(resp: RespServer, begin: Begin) -> int:
        """Open the Redis port; returns which it is. Two clusters that start at once may want the same."""
        port = begin.resp_port
        while True:
            try:
                return await resp.listen(port)
            except PortTaken:
                if not begin.any_port:
                    raise
                port = next(other for other in count(port + 1) if other not in begin.kept_ports)

    async def _carry_out(self, ask: Ask) -> None:
        try:
            response = await self._respond(ask.command)
        except Exception as error:  # a bug: whoever asked shall not wait for an answer that never comes
            response = Error(type(error).__name__, f"{self.node} has a bug: {error!r}")
            if self.host is not None:
                self.host.fault(error)
                if isinstance(told := self.host.plainly(error), OwnCodeFailed):
                    response = Error(OwnCodeFailed.__name__, str(told))
        self._flush()  # who hears the answer has heard before it what led to it
        try:
            self._say(Answer(ask.id, response))
        except FrameTooLong as error:
            self._say(Answer(ask.id, Error(type(error).__name__, str(error))))

    async def _respond(self, command: Command) -> Response:
        if isinstance(command, SetPeers):
            self.peers.set_ports(command.ports)
            return Done()
        if isinstance(command, SetLinks):
            self.peers.links = command.links
            return Done()
        assert self.host is not None, "a command before Begin"
        return await self.host.command(command)

    # -- telling events --------------------------------------------------------------------------

    def _tell(self, event: AnyEvent) -> None:
        if not self._untold:
            asyncio.get_running_loop().call_soon(self._flush)
        self._untold.append(event)

    def _flush(self) -> None:
        events, self._untold = self._untold, []
        for start in range(0, len(events), EVENTS_TOLD_MAX):
            self._tell_now(events[start : start + EVENTS_TOLD_MAX])

    def _tell_now(self, events: list[AnyEvent]) -> None:
        """Send these events, or count them as lost if the supervisor cannot take them."""
        lost = [EventsLost(events[0].at_ms, self.node, self._lost)] if self._lost else []
        try:
            taken = self._say(Told((*lost, *events)))
        except FrameTooLong:  # keys of megabytes
            taken = False
        self._lost = 0 if taken else self._lost + len(events)


def _disk(path: str) -> Disk:
    from kvlab.world.process.disk import SqliteDisk  # few nodes have one, and each start counts

    return SqliteDisk(Path(path))


async def _main(node: NodeId, control_port: int, token: str) -> None:
    child = Child(node, token)
    with contextlib.suppress(ConnectionRefusedError):  # the supervisor is gone already
        await child.live(control_port)


def wake_when_orphaned() -> None:
    """Have the kernel wake this process when its supervisor dies: stopped, it cannot see its lifeline close.

    POSIX itself wakes a stopped process group that is orphaned, but not when whoever adopts the orphan is of
    the same session, as the first process of a container may be. Linux can be asked for more.
    """
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        with contextlib.suppress(OSError, AttributeError):  # a C library without it: POSIX's way remains
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGCONT), 0, 0, 0)


def main() -> None:
    node, control_port = sys.argv[1:]
    wake_when_orphaned()
    token = sys.stdin.readline().strip()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the supervisor, which ends us properly
    try:
        import uvloop
    except ImportError:
        runner = asyncio.Runner()
    else:
        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with runner:
        runner.run(_main(NodeId(node), int(control_port), token))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # tearing down the interpreter takes longer than anything a node still has to do
