"""Peers: a node's connections to the others, and the place where the network's faults strike.

A node opens one connection to each peer it has something to say to; what it is told comes over the
connections that others opened. A partition drops frames here, before they reach the socket, so that the
other side sees what it would see of a cut cable: nothing, until it runs out of patience.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from random import Random

import msgspec

from kvlab.errors import BadFrame
from kvlab.messages import NodeId
from kvlab.world.faults import Link
from kvlab.world.process.wire import LOOPBACK, UNSENT_BYTES_MAX, FrameConnection, decoded

RETRY_MS = 50.0
"""After a connection was refused, frames to that peer are dropped for so long before the next attempt."""

Dropped = Callable[[str], None] | None
Receive = Callable[[NodeId, int, memoryview], None]


class Hello(msgspec.Struct, frozen=True, tag=True):
    """The first frame on a connection: who is calling whom, and where the caller can be answered.

    The token keeps two clusters apart; `to` keeps two nodes apart, of which one has got the other's old port.
    """

    token: str
    node: NodeId
    generation: int
    to: NodeId
    port: int


_hello = msgspec.msgpack.Decoder(Hello)


class Peers:
    """The transport of a node's Host."""

    def __init__(self, token: str, node: NodeId, random: Random) -> None:
        self.token, self.node, self.random = token, node, random
        self.generation = 0
        self.address = 0
        self.receive: Receive | None = None
        self.links: dict[NodeId, Link] = {}
        self._ports: dict[NodeId, int] = {}
        self._lines: dict[NodeId, _Line] = {}
        self._callers: dict[FrameConnection, Hello] = {}
        self._server: asyncio.Server | None = None

    async def listen(self) -> int:
        """Accept peers on a free loopback port; returns it."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: FrameConnection(self._on_frame, self._on_lost), LOOPBACK, 0
        )
        self.address = self._server.sockets[0].getsockname()[1]
        return self.address

    def set_ports(self, ports: dict[NodeId, int]) -> None:
        """Where the peers listen from now on; connections to places they have left are closed."""
        for node in list(self._ports):
            if node not in ports:
                self._hang_up(node)
                del self._ports[node]
        for node, port in ports.items():
            self.reach(node, port)

    def reach(self, peer: NodeId, address: int) -> None:
        """The peer listens there from now on; a connection to a place it has left is closed."""
        if self._ports.get(peer) != address:
            self._hang_up(peer)
            self._ports[peer] = address

    def _hang_up(self, peer: NodeId) -> None:
        line = self._lines.pop(peer, None)
        if line is not None:
            line.close()

    # -- sending ---------------------------------------------------------------------------------

    def send(self, to: NodeId, data: bytes, dropped: Dropped) -> None:
        link = self.links.get(to)
        if link is None:
            self._put(to, data, dropped)
            return
        delays = link.fate(self.random)
        if not delays and dropped is not None:
            dropped("loss")
        for delay_ms in delays:
            asyncio.get_running_loop().call_later(delay_ms / 1000, self._put, to, data, dropped)

    def _put(self, to: NodeId, data: bytes, dropped: Dropped) -> None:
        link = self.links.get(to)
        if link is not None and link.cut:
            if dropped is not None:
                dropped("partition")
            return
        line = self._lines.get(to)
        if line is None:
            port = self._ports.get(to)
            if port is None:
                if dropped is not None:
                    dropped("receiver down")
                return
            hello = msgspec.msgpack.encode(Hello(self.token, self.node, self.generation, to, self.address))
            line = self._lines[to] = _Line(port, hello)
        line.send(data, dropped)

    # -- receiving -------------------------------------------------------------------------------

    def _on_frame(self, connection: FrameConnection, data: memoryview) -> None:
        caller = self._callers.get(connection)
        if caller is not None:
            if self.receive is not None:
                self.receive(caller.node, caller.generation, data)
            return
        try:
            hello = decoded(_hello, data)
        except BadFrame as error:
            raise BadFrame(f"expected the hello of a kvlab node, and got something else: {error}") from error
        if hello.token != self.token:
            raise BadFrame(f"{hello.node} belongs to another cluster, and has the wrong port")
        if hello.to != self.node:
            raise BadFrame(f"{hello.node} calls {hello.to}, which listened here before {self.node} did")
        self.reach(hello.node, hello.port)
        self._callers[connection] = hello

    def _on_lost(self, connection: FrameConnection, error: Exception | None) -> None:
        caller = self._callers.pop(connection, None)
        if isinstance(error, BadFrame):
            who = caller.node if caller else "somebody"
            print(f"{self.node}: closed a connection from {who}: {error}", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for line in self._lines.values():
            line.close()
        for connection in list(self._callers):
            connection.close()


class _Line:
    """The connection to one peer, made when there is something to say."""

    def __init__(self, port: int, hello: bytes) -> None:
        self._port, self._hello = port, hello
        self._loop = asyncio.get_running_loop()
        self._connection: FrameConnection | None = None
        self._waiting: list[tuple[bytes, Dropped]] = []  # until the connection is made
        self._waiting_bytes = 0
        self._connecting: asyncio.Task[None] | None = None
        self._not_before = 0.0

    def send(self, data: bytes, dropped: Dropped) -> None:
        if self._connection is not None:
            if not self._connection.send(data) and dropped is not None:
                dropped("buffer full")
        elif self._connecting is not None or self._loop.time() >= self._not_before:
            if self._waiting_bytes <= UNSENT_BYTES_MAX:
                self._waiting.append((data, dropped))
                self._waiting_bytes += len(data)
            elif dropped is not None:
                dropped("buffer full")
            if self._connecting is None:
                self._connecting = self._loop.create_task(self._connect())
        elif dropped is not None:
            dropped("no connection")

    async def _connect(self) -> None:
        try:
            _, connection = await self._loop.create_connection(
                lambda: FrameConnection(self._on_frame, self._on_lost), LOOPBACK, self._port
            )
        except OSError:
            self._not_before = self._loop.time() + RETRY_MS / 1000
            self._give_up()
            return
        finally:
            self._connecting = None
        connection.send(self._hello)
        for data, dropped in self._taken():
            if not connection.send(data) and dropped is not None:
                dropped("buffer full")
        self._connection = connection

    def _give_up(self) -> None:
        for _, dropped in self._taken():
            if dropped is not None:
                dropped("no connection")

    def _taken(self) -> list[tuple[bytes, Dropped]]:
        """What has been waiting for the connection; it waits no more."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        return waiting

    @staticmethod
    def _on_frame(connection: FrameConnection, data: memoryview) -> None:
        raise BadFrame("a peer spoke on a connection that is for listening")

    def _on_lost(self, connection: FrameConnection, error: Exception | None) -> None:
        self._connection = None

    def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            self._give_up()
        if self._connection is not None:
            self._connection.close()
