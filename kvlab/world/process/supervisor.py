"""The supervisor: starts the node processes, commands them, and outlives none of them.

Each child connects back to a control port on loopback. That connection is its lifeline: when it closes,
the child ends, and when the child ends, it closes. So neither SIGKILL of the supervisor leaves an
orphan, nor does the death of a child go unnoticed. A child that is stopped by SIGSTOP cannot see its
lifeline close; so it has the kernel wake it when its parent dies (`node.wake_when_orphaned`).

Children never write to the terminal: what they print goes to one log file each, in a folder of the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from kvlab.config import NODES_MAX, ClusterConfig
from kvlab.errors import KvlabError, NoAnswer, NodeDown, OperationError, PortTaken, UserError
from kvlab.messages import UNKNOWN_EPOCH, NodeId
from kvlab.trace import events
from kvlab.world.control import (
    Answer,
    Ask,
    Attach,
    Begin,
    Command,
    Failed,
    Ready,
    Response,
    SetLinks,
    SetPeers,
    Stop,
    ToChild,
    Told,
    ToSupervisor,
    Watch,
)
from kvlab.world.faults import Link
from kvlab.world.folders import make_folder
from kvlab.world.host import Past
from kvlab.world.process.gauge import Gauge
from kvlab.world.process.wire import LOOPBACK, FrameConnection, decoded, is_free, listener
from kvlab.world.world import NodeInfo, NodeState, World

FIRST_PORT = 7001
"""Where Redis ports are looked for when none is given."""

MEASURE_S = 1.0
START_LIMIT_S = 30.0
END_LIMIT_S = 2.0

_decoder: msgspec.msgpack.Decoder[ToSupervisor] = msgspec.msgpack.Decoder(ToSupervisor)


class StartError(KvlabError):
    """A node process did not come up."""


class Child:
    """A node process as the supervisor holds it."""

    def __init__(self, info: NodeInfo, process: subprocess.Popen[str], log: Path) -> None:
        self.info, self.process, self.log = info, process, log
        loop = asyncio.get_running_loop()
        self.connection: FrameConnection | None = None
        self.peer_port = 0
        self.attached: asyncio.Future[None] = loop.create_future()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.ready.add_done_callback(_heard)
        self.gone = asyncio.Event()
        self.begun = False  # it has been told what to be: before that it can do nothing else
        self.ending = False  # at our wish: then its end is no news
        self.asked: dict[int, asyncio.Future[Response]] = {}
        self.gauge = Gauge(process.pid)

    def say(self, message: ToChild) -> None:
        if self.connection is not None:
            self.connection.send(msgspec.msgpack.encode(message))

    def last_words(self) -> str:
        """The end of its log, for an error message."""
        with contextlib.suppress(OSError):
            lines = self.log.read_text(errors="replace").strip().splitlines()
            return "\n".join(lines[-5:])
        return ""


class ProcessWorld(World):
    """A cluster of operating-system processes on loopback.

    `port` is the first node's Redis port, and the others follow; without it, free ones from 7001 up are
    found. Logs go to a folder that is removed at the end, unless a node died that nobody had killed.
    """

    def __init__(
        self, config: ClusterConfig, *, port: int | None = None, data_dir: Path | None = None
    ) -> None:
        """`data_dir`: where the nodes keep what shall survive them and this world (made if it is not there).

        Without it, the nodes of a durable cluster keep it in the folder of the logs, until the end.
        """
        if data_dir is not None:
            config = msgspec.structs.replace(config, durable=True)
        super().__init__(config)
        self._data_dir = data_dir
        self._generations: dict[NodeId, int] = {}
        if port is not None and not 1024 <= port <= 65535 - NODES_MAX:
            raise UserError(
                f"a port is 1024 to {65535 - NODES_MAX}, and is {port}; leave it out to have one found"
            )
        self._first_port = port
        self._token = secrets.token_hex(16)
        self._epoch_ns = time.monotonic_ns()
        self._children: dict[NodeId, Child] = {}
        self._attached: dict[FrameConnection, Child] = {}  # whose connection it is
        self._numbers = 0
        self._ports: dict[NodeId, int] = {}  # the Redis ports, kept for a restart
        self._server: asyncio.Server | None = None
        self._folder: Path | None = None
        self._keep_logs = False
        self._closing: asyncio.Task[None] | None = None
        self._measuring: asyncio.TimerHandle | None = None

    @property
    def log_folder(self) -> Path:
        """Where the nodes' logs are while the world runs."""
        assert self._folder is not None, "not started"
        return self._folder

    # -- starting --------------------------------------------------------------------------------

    async def start(self) -> None:
        if self._data_dir is not None:
            self._remember(self._data_dir)
        for i, member in enumerate(self.ring.members):
            self._assign_port(member.node, self._first_port + i if self._first_port else None)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: FrameConnection(self._on_frame, self._on_lost), LOOPBACK, 0
        )
        self._folder = make_folder()
        await super().start()
        if self.ring.epoch:
            self.tell(events.RingChanged(self.at_ms(), NodeId(""), self.ring, "installed"))
        self._measure()

    # -- what earlier clusters left ---------------------------------------------------------------

    def _remember(self, folder: Path) -> None:
        """Be the cluster whose data is in this folder, if there is any: its members, by its last ring.

        Raises UserError if the data is of another stage, or cannot be read.
        """
        from kvlab.world.process.disk import left_behind

        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot keep data in {folder}: {error.strerror}") from None
        for path in sorted(folder.glob("n*.sqlite")):
            past, ring = left_behind(path)
            if past is None or ring is None:
                continue  # it was killed before it had begun
            mine = Past(self.config.stage, self.config.n, past.generation)
            if past != mine:
                raise UserError(
                    f"the data in {folder} is of stage {past.stage} with n={past.n}, and what is to start is "
                    f"{self.stage.title}, with n={mine.n}: start that one, or choose another --data-dir"
                )
            self._generations[NodeId(path.stem)] = past.generation + 1
            if ring.epoch >= self.ring.epoch:
                self.ring = ring
        names = [member.node for member in self.ring.members]
        self.config = msgspec.structs.replace(self.config, nodes=len(names))

    def _generation(self, node: NodeId) -> int:
        return self._generations.get(node, 0)

    def _disk(self, node: NodeId) -> Path | None:
        """Where the node keeps what shall survive it; None if nothing shall."""
        if not self.config.durable:
            return None
        return (self._data_dir or self.log_folder) / f"{node}.sqlite"

    def _assign_port(self, node: NodeId, wanted: int | None) -> None:
        """Decide on a node's Redis port. Raises UserError if the one wanted is taken."""
        if wanted is not None:
            if not is_free(wanted):
                raise UserError(
                    f"port {wanted}, meant for {node}, is taken by {listener(wanted)}; "
                    "stop that, or choose another --port, or leave it out to have free ones found"
                )
            self._ports[node] = wanted
            return
        kept = self._kept_ports(node)
        for port in range(FIRST_PORT, 65536):
            if port not in kept and is_free(port):
                self._ports[node] = port
                return
        raise UserError("no port from 7001 up is free on this machine")

    def _kept_ports(self, node: NodeId) -> tuple[int, ...]:
        """The ports of the other members; one that is down comes back to its own."""
        left = {name for name, info in self.nodes.items() if info.state is NodeState.LEFT}
        return tuple(port for other, port in self._ports.items() if other not in left | {node})

    async def restart(self, node: str, *, empty: bool = False) -> None:
        """As `World.restart`, on the node's own port, by which its clients know it. Raises PortTaken."""
        info = self._in_state(node, "restart", NodeState.DOWN)
        await self._end(info)  # it may have been killed just now, and not be gone yet
        if not is_free(info.port):
            who = await asyncio.to_thread(listener, info.port)
            instead = f", or remove {node} and add a new node" if self.stage.ring else ""
            raise PortTaken(
                f"{node} cannot come back on its own port: {info.port} is taken by {who}; "
                f"stop that and restart {node} again{instead}"
            )
        await super().restart(node, empty=empty)

    async def _launch_all(self, infos: Sequence[NodeInfo]) -> None:
        """All processes start together; none begins before all their peer ports are known."""
        children = [self._spawn(info) for info in infos]
        for child in children:
            await self._reach(child, child.attached)
        for child in children:
            self._begin(child)
        for child in children:
            await self._reach(child, child.ready)

    async def _launch(self, info: NodeInfo) -> None:
        if not info.port:  # a new node, though perhaps of an old name
            wanted = max(self._kept_ports(info.node)) + 1 if self._first_port else None
            self._assign_port(info.node, wanted)
        child = self._spawn(info)
        try:
            await self._introduce(child)
        except BaseException:
            await self._end(info)  # it may be alive, and only its port taken
            raise

    async def _introduce(self, child: Child) -> None:
        """Make a child one of a running cluster."""
        await self._reach(child, child.attached)
        if not self.stage.gossip:  # else they tell each other
            await self._tell_ports(but=child)
        self._begin(child)
        await self._reach(child, child.ready)

    async def _tell_ports(self, but: Child) -> None:
        """Let all the others know where everybody listens."""
        others = [child for child in self._children.values() if child is not but]
        command = SetPeers(self._peer_ports())
        await asyncio.gather(*[self._instruct(child, command) for child in others])

    async def _push_faults(self) -> None:
        """All are told at once: a node that does not answer keeps nobody else from hearing of it."""
        children = list(self._children.values())
        await asyncio.gather(*[self._instruct(child, SetLinks(self._links(child))) for child in children])

    async def _instruct(self, child: Child, command: Command) -> None:
        """Give a child a command; who cannot answer now will read it when it is ready, or wakes.

        Raises NoAnswer if it is up and says nothing.
        """
        if not child.begun:
            return  # it is told as it begins
        if child.info.state is not NodeState.UP:
            child.say(Ask(0, command))
            return
        try:
            await self.call(child.info.node, command)
        except OperationError:
            if child.info.state is NodeState.UP:
                raise
            # somebody has killed or paused it meanwhile

    def _links(self, child: Child) -> dict[NodeId, Link]:
        """The links out of it that are not clear, those to members that are down among them: they may be back
        before anybody is told anything else."""
        return self.faults.links_from(child.info.node, self.members())

    def _spawn(self, info: NodeInfo) -> Child:
        assert self._server is not None
        if self._closing is not None:
            raise StartError(f"{info.node} is not started: the cluster is ending")
        control_port = self._server.sockets[0].getsockname()[1]
        log = self.log_folder / f"{info.node}.log"
        with log.open("a") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "kvlab.world.process.node", info.node, str(control_port)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                env=_environment(),
                process_group=0 if os.name == "posix" else None,  # see the header; nor does Ctrl-C reach it
            )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died at once, which `_reach` reports
            process.stdin.write(self._token + "\n")
            process.stdin.close()
        child = self._children[info.node] = Child(info, process, log)
        info.pid = process.pid
        return child

    async def _reach(self, child: Child, milestone: asyncio.Future[None]) -> None:
        """Wait until a starting child has come so far. Raises StartError, saying why it did not."""
        deadline = time.monotonic() + START_LIMIT_S
        while not milestone.done():
            await asyncio.wait([milestone], timeout=0.1)
            if milestone.done():
                break
            if child.ending:
                raise StartError(f"{child.info.node} was ended before it was ready")
            if child.process.poll() is not None or time.monotonic() > deadline:
                self._keep_logs = True
                what = (
                    f"did not come up within {START_LIMIT_S:g} s"
                    if child.process.poll() is None
                    else f"ended with status {child.process.returncode} before it was ready"
                )
                raise StartError(f"{child.info.node} {what}; its log is {child.log}\n{child.last_words()}")
        milestone.result()

    def _begin(self, child: Child) -> None:
        info = child.info
        ring, ports = self._told(info), self._peer_ports()
        if ring.epoch == UNKNOWN_EPOCH:
            ports = {member.node: ports[member.node] for member in ring.members}
        child.begun = True
        child.say(
            Begin(
                self.config,
                ring,
                info.member,
                info.generation,
                self._ports[info.node],
                self._first_port is None and not info.port,
                self._kept_ports(info.node),
                self._epoch_ns,
                ports,
                self._links(child),
                self.traced,
                str(self._disk(info.node) or ""),
            )
        )

    def _peer_ports(self) -> dict[NodeId, int]:
        return {node: child.peer_port for node, child in self._children.items() if child.peer_port}

    # -- what the children say -------------------------------------------------------------------

    def _on_frame(self, connection: FrameConnection, data: memoryview) -> None:
        message = decoded(_decoder, data)  # BadFrame closes the connection: not one of ours
        if isinstance(message, Attach):
            child = self._children.get(message.node)
            if message.token == self._token and child is not None and not child.attached.done():
                self._attached[connection] = child
                child.connection, child.peer_port = connection, message.peer_port
                child.attached.set_result(None)
            else:
                connection.close()
            return
        child = self._attached.get(connection)
        if child is None:
            connection.close()
            return
        match message:
            case Ready():
                self._on_ready(child, message)
            case Failed():
                if not child.ready.done():
                    child.ready.set_exception(UserError(f"{child.info.node} could not start: {message.text}"))
            case Answer():
                asked = child.asked.pop(message.id, None)
                if asked is not None and not asked.done():
                    asked.set_result(message.response)
            case Told():
                for event in message.events:
                    self.tell(event)

    def _on_ready(self, child: Child, ready: Ready) -> None:
        info = child.info
        info.port = self._ports[info.node] = ready.resp_port
        info.state = NodeState.UP
        self.tell(
            events.NodeReady(self.at_ms(), info.node, info.generation, info.port, info.pid, ready.kept_keys)
        )
        if not child.ready.done():
            child.ready.set_result(None)

    def _on_lost(self, connection: FrameConnection, error: Exception | None) -> None:
        child = self._attached.pop(connection, None)
        if child is None:
            return
        child.connection = None
        child.gone.set()
        for asked in child.asked.values():
            if not asked.done():
                asked.set_exception(NoAnswer(f"{child.info.node} broke off: it died before it answered"))
        child.asked.clear()
        if not child.ending and child.info.state in (NodeState.UP, NodeState.PAUSED):
            self._keep_logs = True
            child.info.state = NodeState.DOWN
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(0.5)
            status = child.process.returncode
            why = (
                f"it ended with status {status}" if status is not None else "it closed its control connection"
            )
            self.tell(events.NodeDied(self.at_ms(), child.info.node, why, str(child.log)))

    # -- World -----------------------------------------------------------------------------------

    async def _end(self, info: NodeInfo) -> None:
        child = self._children.get(info.node)
        if child is None:
            return
        child.ending = True
        child.process.kill()
        await asyncio.to_thread(child.process.wait)
        if child.connection is not None:
            await child.gone.wait()  # by then, what it said last has been read
        if self._children.get(info.node) is child:  # `kill` and a failed `add` may both end it
            del self._children[info.node]

    async def _suspend(self, info: NodeInfo) -> None:
        self._signal(info, "SIGSTOP", "suspend")

    async def _wake(self, info: NodeInfo) -> None:
        self._signal(info, "SIGCONT", "resume")

    @staticmethod
    def _signal(info: NodeInfo, name: str, otherwise: str) -> None:
        number = getattr(signal, name, None)
        if number is not None:
            os.kill(info.pid, number)
            return
        import psutil

        getattr(psutil.Process(info.pid), otherwise)()

    async def _forget(self, info: NodeInfo) -> None:
        if (disk := self._disk(info.node)) is not None:
            from kvlab.world.process.disk import erase

            erase(disk)

    async def call(self, node: NodeId, command: Command, timeout_ms: float | None = None) -> Response:
        child = self._children.get(node)
        if child is None or child.connection is None:
            raise NodeDown(f"{node} is not running")
        self._numbers += 1
        number = self._numbers
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        child.asked[number] = answer
        limit_ms = timeout_ms or self.call_timeout_ms
        try:
            child.say(Ask(number, command))
            async with asyncio.timeout(limit_ms / 1000):
                return await answer
        except TimeoutError:
            raise NoAnswer(f"{node} did not answer within {limit_ms:g} ms") from None
        finally:
            child.asked.pop(number, None)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def at_ms(self) -> float:
        return round((time.monotonic_ns() - self._epoch_ns) / 1e6, 3)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def _trace_nodes(self) -> None:
        for child in self._children.values():
            if child.begun:
                child.say(Ask(0, Watch(on=self.traced)))

    def _measure(self) -> None:
        """Tell what each process takes of the machine, once a second, if anybody wants to know."""
        for child in self._children.values() if self.traced else ():
            if child.begun and (reading := child.gauge.read()) is not None:
                self.tell(events.Used(self.at_ms(), child.info.node, *reading))
        self._measuring = asyncio.get_running_loop().call_later(MEASURE_S, self._measure)

    async def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)  # whoever is cancelled here leaves nothing half closed

    async def _close(self) -> None:
        if self._measuring is not None:
            self._measuring.cancel()
        children = list(self._children.values())
        for child in children:
            child.ending = True
            child.say(Stop())
            if child.info.state in (NodeState.PAUSED, NodeState.STARTING):
                child.process.kill()
        await asyncio.gather(*map(_see_off, children))
        if self._server is not None:
            self._server.close()
        self._children.clear()
        if self._folder is not None and not self._keep_logs:
            shutil.rmtree(self._folder, ignore_errors=True)


def _heard(milestone: asyncio.Future[None]) -> None:
    """The start ends at the first node that cannot be started; asyncio need not complain of the others."""
    if not milestone.cancelled():
        milestone.exception()


async def _see_off(child: Child) -> None:
    """Wait until the child has said what it still had to say, and has ended."""
    if child.connection is not None:
        try:
            await asyncio.wait_for(child.gone.wait(), END_LIMIT_S)
        except TimeoutError:
            child.process.kill()  # it hangs
    await asyncio.to_thread(_reap, child.process)


def _reap(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    """The child finds kvlab where the parent found it, also when that was not installed."""
    root = str(Path(__file__).resolve().parents[3])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
