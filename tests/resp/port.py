"""A Redis port to test against, in a thread of its own, and real redis-servers to compare it with."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
import uvloop

from kvlab import stages
from kvlab.config import ClusterConfig
from kvlab.messages import Copy, Item, Key, NodeId, RingSpec
from kvlab.trace import events
from kvlab.trace.events import AnyEvent
from kvlab.world.host import Host
from kvlab.world.process.node import Clocks
from kvlab.world.process.resp import RespServer

T = TypeVar("T")

LIMIT_S = 20.0

needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
needs_cli = pytest.mark.skipif(shutil.which("redis-cli") is None, reason="redis-cli is not installed")
needs_benchmark = pytest.mark.skipif(
    shutil.which("redis-benchmark") is None, reason="redis-benchmark is not installed"
)


class NoPeers:
    address = 0

    def reach(self, peer: NodeId, address: int) -> None:
        pass

    def send(self, to: NodeId, data: bytes, dropped: Callable[[str], None] | None) -> None:
        pass


class Gate:
    """Replaces a node's put and get: each waits until the test opens the gate, or raises its error."""

    def __init__(self, host: Host, loop: asyncio.AbstractEventLoop) -> None:
        self._put, self._get = host.node.put, host.node.get
        self._open = asyncio.Event()
        self._loop = loop
        self.error: Exception | None = None
        self.entered = 0
        host.node.put = self.put  # type: ignore[method-assign]
        host.node.get = self.get  # type: ignore[method-assign]

    def open(self) -> None:
        self._loop.call_soon_threadsafe(self._open.set)

    async def _pass(self) -> None:
        self.entered += 1
        await self._open.wait()
        if self.error is not None:
            raise self.error

    async def put(self, key: Key, item: Item, w: int | None = None) -> None:
        await self._pass()
        await self._put(key, item, w)

    async def get(self, key: Key, r: int | None = None) -> Copy | None:
        await self._pass()
        return await self._get(key, r)


class Port:
    """One node of a stage, served in a thread."""

    def __init__(self, stage: int, watched: bool, loop: str, mine: str | None) -> None:
        self.stage, self.watched, self.mine = stage, watched, mine
        self.events: list[AnyEvent] = []
        self._loop = uvloop.new_event_loop() if loop == "uvloop" else asyncio.new_event_loop()
        # A fault is seen as an event; asyncio would print it besides.
        self._loop.set_exception_handler(lambda loop, context: None)
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.run(self._start)

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do this in the server's thread."""

        async def main() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(main(), self._loop).result(LIMIT_S)

    async def _start(self) -> None:
        stage = stages.find(self.stage)
        config = stages.checked(ClusterConfig(stage=self.stage, mine=self.mine))
        self.host = Host(
            config.members()[0],
            stage,
            config,
            RingSpec(0, config.members(), config.vnodes),
            generation=0,
            transport=NoPeers(),
            clocks=Clocks(time.monotonic_ns()),
            random=Random(1),
            tell=self.events.append,
            watched=self.watched,
        )
        self.server = RespServer(self.host)
        self.port = await self.server.listen(0)

    def gate(self) -> Gate:
        async def make() -> Gate:
            return Gate(self.host, self._loop)

        return self.run(make)

    def faults(self) -> list[str]:
        return [event.error for event in self.events if isinstance(event, events.NodeFault)]

    def connect(self) -> Raw:
        return Raw(self.port)

    def close(self) -> None:
        self.run(self.server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._loop.close()


@contextmanager
def serving(
    stage: int = 1, *, watched: bool = False, loop: str = "uvloop", mine: str | None = None
) -> Iterator[Port]:
    port = Port(stage, watched, loop, mine)
    try:
        yield port
    finally:
        port.close()


class Raw:
    """A socket, for what no client library would send."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def until(self, end: bytes) -> bytes:
        """All that comes, up to and including `end`."""
        got = b""
        while not got.endswith(end):
            chunk = self.socket.recv(65536)
            assert chunk, f"the connection was closed after {got!r}"
            got += chunk
        return got

    def ask(self, data: bytes) -> bytes:
        """Send it, and return every byte of the answers to it: an ECHO sent behind it marks their end."""
        self.send(data + request(b"ECHO", b"--the end--"))
        return self.until(b"$11\r\n--the end--\r\n").removesuffix(b"$11\r\n--the end--\r\n")

    def rest(self) -> bytes:
        """All that comes until the server closes the connection."""
        got = b""
        try:
            while chunk := self.socket.recv(65536):
                got += chunk
        except ConnectionResetError:  # it closed before it had read everything
            pass
        return got


def request(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for it, but not for ever."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)


@contextmanager
def redis_server(directory: Path) -> Iterator[int]:
    """A real redis-server on a free port; yields the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen([*command, "--dir", str(directory)], stdout=subprocess.DEVNULL)

    def answers() -> bool:
        try:
            with Raw(port) as raw:
                return raw.ask(b"PING\r\n") == b"+PONG\r\n"
        except OSError:
            return False

    try:
        wait_until(answers)
        yield port
    finally:
        server.terminate()
        server.wait(LIMIT_S)
