"""The short cut for plain GETs and SETs does what the exact parser understands, or leaves it alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any, cast

from hypothesis import example, given
from hypothesis import strategies as st

from kvlab import stages
from kvlab.config import ClusterConfig
from kvlab.core.store import Store
from kvlab.messages import Item, Key, RingSpec
from kvlab.stages.s01_hashmap import HashmapNode
from kvlab.world.host import Host
from kvlab.world.process.node import Clocks
from kvlab.world.process.resp import Connection, RespServer
from kvlab.world.process.resp_parser import Parser, Request
from tests.resp.port import NoPeers, request


class Wire(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Desk:
    """A connection whose node notes what it is asked; each command has to wait for a future, if `slow`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, slow: bool = False) -> None:
        self.loop = loop
        self.done: list[Request] = []
        self.waits: list[asyncio.Future[None]] = []
        self.slow = slow
        self.wire = Wire()
        self.connection = loop.run_until_complete(self._connect())

    async def _connect(self) -> Connection:
        config = stages.checked(ClusterConfig(stage=1))
        self.host = Host(
            config.members()[0],
            stages.find(1),
            config,
            RingSpec(0, config.members(), config.vnodes),
            generation=0,
            transport=NoPeers(),
            clocks=Clocks(time.monotonic_ns()),
            random=Random(1),
            tell=lambda event: None,
            watched=False,
        )
        node = cast(HashmapNode, self.host.node)
        node.get = self._note(node.get, b"GET")  # type: ignore[method-assign]
        node.put = self._note(node.put, b"SET")  # type: ignore[method-assign]
        if self.slow:
            node.store.__class__ = type("SlowStore", (Store,), {})  # of which nothing is known
        get_all, put_all = node.get_all, node.put_all

        def get_noted(keys: Sequence[Key]) -> Sequence[Item | None]:
            self.done += [[b"GET", key] for key in keys]
            return get_all(keys)

        def put_noted(items: Sequence[tuple[Key, Item]]) -> None:
            self.done += [[b"SET", key, item.value] for key, item in items]
            put_all(items)

        node.get_all, node.put_all = get_noted, put_noted  # type: ignore[method-assign]
        connection = RespServer(self.host)._connect()
        assert isinstance(connection, Connection)
        connection.connection_made(self.wire)
        return connection

    def _note(
        self, do: Callable[..., Coroutine[Any, Any, Any]], name: bytes
    ) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def noted(key: bytes, *rest: Any) -> Any:
            item = [rest[0].value] if rest and isinstance(rest[0], Item) else []
            self.done.append([name, key, *item])
            if self.slow:
                self.waits.append(self.loop.create_future())
                await self.waits[-1]
            return await do(key, *rest)

        return noted

    def receive(self, data: bytes) -> None:
        async def turn() -> None:
            self.connection.data_received(data)

        self.loop.run_until_complete(turn())

    def let_one_go_on(self) -> None:
        async def turns() -> None:
            self.waits.pop(0).set_result(None)
            for _ in range(10):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())


loop = asyncio.new_event_loop()
pieces = st.binary(max_size=6) | st.sampled_from([b"\r\n", b"$1\r\na", b"\r\n$1\r\n", b"GET", b"set", b""])
commands = st.tuples(st.sampled_from([b"GET", b"get", b"gEt"]), pieces) | st.tuples(
    st.sampled_from([b"SET", b"set", b"Set"]), pieces, pieces
)


def asked(requests: list[Request]) -> list[Request]:
    """What of these the node is asked."""
    arity = {b"GET": 2, b"SET": 3}
    return [
        [args[0].upper(), *args[1:]]
        for args in requests
        if args and len(args) == arity.get(args[0].upper(), 0)
    ]


@given(st.lists(commands, min_size=1, max_size=5), st.integers(0, 200), st.sampled_from(b"\r\n$*1x"))
@example([(b"GET", b"a\r\n")], 0, 42)
@example([(b"SET", b"k", b"\r\n$1\r\nx"), (b"SET", b"k", b"")], 0, 42)
@example([(b"GET", b"a"), (b"SET", b"k", b"v"), (b"GET", b"*2\r\n$3\r\nGET\r\n")], 0, 42)
def test_a_chunk_is_carried_out_as_the_exact_parser_reads_it(
    sent: list[tuple[bytes, ...]], spoiled_at: int, by: int
) -> None:
    whole = b"".join(request(*args) for args in sent)
    spoiled = bytearray(whole)
    spoiled[spoiled_at % len(whole)] = by
    for data in (whole, bytes(spoiled), whole[:-1], whole[:-2], whole + b"P", whole + b"PING\r\n"):
        parser, exactly = Parser(), []
        for i in range(len(data)):  # byte by byte, only the exact parser is at work
            if parser.error is None:
                exactly += parser.feed(data[i : i + 1])
        desk = Desk(loop)
        desk.receive(data)
        assert desk.done == asked(exactly)
        assert desk.wire.closed == (parser.error is not None)


def test_what_a_large_value_is_answered_with_says_its_length() -> None:
    for size in (0, 2047, 2048, 100_000):
        desk = Desk(loop)
        desk.receive(request(b"SET", b"k", b"x" * size))
        desk.receive(request(b"GET", b"k") + request(b"GET", b"none"))
        assert desk.wire.written == b"+OK\r\n$%d\r\n%b\r\n$-1\r\n" % (size, b"x" * size)


def test_what_comes_while_a_command_waits_is_done_after_the_rest_of_its_chunk() -> None:
    desk = Desk(loop, slow=True)
    desk.receive(request(b"GET", b"1") + request(b"GET", b"2") + request(b"ECHO", b"3") + b"*1\r\n$4\r\nPI")
    desk.receive(b"NG\r\n" + request(b"GET", b"4"))
    assert desk.done == [[b"GET", b"1"]]
    desk.let_one_go_on()
    assert desk.wire.written == b"$-1\r\n"
    desk.let_one_go_on()
    desk.let_one_go_on()
    assert desk.done == [[b"GET", b"1"], [b"GET", b"2"], [b"GET", b"4"]]
    assert desk.wire.written == b"$-1\r\n$-1\r\n$1\r\n3\r\n+PONG\r\n$-1\r\n"


def test_what_begins_at_the_end_of_a_chunk_is_not_forgotten() -> None:
    desk = Desk(loop)
    desk.receive(request(b"GET", b"k") + b"P")
    desk.receive(b"ING\r\n")
    assert desk.wire.written == b"$-1\r\n+PONG\r\n"


def test_a_store_that_we_did_not_write_is_asked_as_a_node_asks_it() -> None:
    desk = Desk(loop, slow=True)
    assert not desk.host.at_once
    assert Desk(loop).host.at_once
