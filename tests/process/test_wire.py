"""Frames between processes: noise is refused, large values travel, and a receiver that sleeps is no leak."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any, TypeVar, cast

import msgspec
import pytest
import redis.asyncio

from kvlab import messages
from kvlab.config import ClusterConfig
from kvlab.errors import BadFrame, FrameTooLong, Outcome
from kvlab.messages import FRAME_BYTES_MAX, NodeId
from kvlab.world.control import Attach
from kvlab.world.process import wire
from kvlab.world.process.peers import Hello, Peers
from kvlab.world.process.supervisor import ProcessWorld
from kvlab.world.process.wire import FrameConnection
from kvlab.world.world import World
from tests.worlds import next_ports, run_in, until

T = TypeVar("T")
Run = Callable[[Callable[[ProcessWorld], Awaitable[T]]], T]
MB = 1024 * 1024
LIMIT_S = 20.0


@pytest.fixture(scope="module")
def run() -> Iterator[Run[Any]]:
    """Runs a test in one cluster that they all share: after each it must still be well."""
    world = ProcessWorld(ClusterConfig(stage=4, nodes=3, timeout_ms=5000), port=next_ports())

    def in_world(body: Callable[[ProcessWorld], Awaitable[T]]) -> T:
        async def main() -> T:
            done = await body(world)
            for node in world.members():
                assert (await world.put(b"well", b"yes", via=node)).outcome is Outcome.OK
            return done

        return runner.run(main())

    with asyncio.Runner() as runner:
        runner.run(world.start())
        try:
            yield in_world
        finally:
            runner.run(world.close())


def frame(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def packed(*parts: object) -> bytes:
    return frame(msgspec.msgpack.encode(parts))


async def closed_after(port: int, data: bytes) -> bytes:
    """Send this, and wait until the other side closes; returns what it said before."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        async with asyncio.timeout(LIMIT_S):
            return await reader.read()
    except ConnectionResetError:  # closed before it had read all of it
        return b""
    finally:
        writer.close()


def hello(token: str, node: str = "n9", to: str = "n1") -> bytes:
    return frame(msgspec.msgpack.encode(Hello(token, NodeId(node), 0, NodeId(to), 1)))


NOISE: dict[str, tuple[Callable[[str], bytes], str]] = {
    "text": (lambda _: b"GET / HTTP/1.1\r\n\r\n", "somebody: expected a frame of at most"),
    "an oversize length": (lambda _: b"\xff\xff\xff\xff", "does not speak kvlab's protocol"),
    "no message": (lambda _: frame(b"\xc1 what?"), "somebody: expected the hello of a kvlab node"),
    "an empty frame": (lambda _: frame(b""), "somebody: expected the hello of a kvlab node"),
    "a hello not in UTF-8": (
        lambda _: frame(b"\x84\xa4type\xa5Hello\xa5token\xa2\xff\xff\xa4node\xa2n1\xaageneration\x00"),
        "somebody: expected the hello of a kvlab node",
    ),
    "a wrong token": (lambda _: hello("of another cluster"), "n9 belongs to another cluster"),
    "a call for the node that had the port before": (
        lambda token: hello(token, to="n3"),
        "n9 calls n3, which listened here before n1 did",
    ),
    "a hello, then noise": (lambda token: hello(token) + frame(b"\xc1 what?"), "from n9 and got something"),
    "a hello, then an oversize length": (
        lambda token: hello(token) + b"\xff" * 4,
        "from n9: expected a frame",
    ),
    "a message of wrong types": (
        lambda token: hello(token) + packed(1, 0, "", ["Keep", b"key", ["Item", 17, None], 0]),
        "from n9 and got something else: Expected `bytes`, got `int`",
    ),
    "a message that there is not": (
        lambda token: hello(token) + packed(1, 0, "", ["Explode", b"key"]),
        "from n9 and got something else: Invalid value 'Explode'",
    ),
    "a message not in UTF-8": (
        lambda token: hello(token) + frame(b"\x94\x01\x00\xa2\xff\xff\x92\xa5Fetch\xc4\x01k"),
        "from n9 and got something else: 'utf-8' codec",
    ),
    "a hello twice": (lambda token: hello(token) + hello(token), "from n9 and got something else"),
}


@pytest.mark.parametrize("noise", NOISE)
def test_noise_on_a_peer_port_closes_that_connection_with_a_word_in_the_log(
    run: Run[None], noise: str
) -> None:
    say, expected = NOISE[noise]

    async def body(world: ProcessWorld) -> None:
        log = world.log_folder / "n1.log"
        before = log.stat().st_size
        port = world._children[NodeId("n1")].peer_port
        assert await closed_after(port, say(world._token)) == b""

        async def logged() -> bool:
            return log.read_text()[before:].endswith("\n")

        await until(world, logged)
        (line,) = log.read_text()[before:].splitlines()
        assert line.startswith("n1: closed a connection from ")
        assert expected in line

    run(body)


def test_the_control_port_hears_its_own_children_and_each_of_them_once(run: Run[None]) -> None:
    def attach(token: str, node: str) -> bytes:
        return frame(msgspec.msgpack.encode(Attach(token, NodeId(node), 1)))

    async def body(world: ProcessWorld) -> None:
        assert world._server is not None
        port = world._server.sockets[0].getsockname()[1]
        token = world._token
        for said in (
            b"GET / HTTP/1.1\r\n\r\n",
            frame(b"\xc1 what?"),
            frame(b"\x82\xa4type\xa6Failed\xa4text\xa2\xff\xff"),
            attach("guessed", "n1"),
            attach(token, "n1"),  # it has attached already
            attach(token, "n9"),
            frame(msgspec.msgpack.encode({"type": "Ready", "resp_port": 1, "kept_keys": 0})),
        ):
            assert await closed_after(port, said) == b"", said
        assert world.up() == ["n1", "n2", "n3"]
        assert 1 not in world._peer_ports().values()

    run(body)


def test_values_of_megabytes_travel_between_nodes(run: Run[None]) -> None:
    async def body(world: ProcessWorld) -> None:
        value = bytes(range(256)) * (8 * MB // 256)
        assert (await world.put(b"film", value, via="n1")).outcome is Outcome.OK
        for node in world.members():
            assert await world.peek(node, b"film") == (value,)
        async with redis.asyncio.Redis(port=world.info("n3").port) as client:
            assert await client.get("film") == value

    run(body)


def test_a_value_above_the_limit_is_refused_and_the_connection_goes_on(run: Run[None]) -> None:
    async def body(world: ProcessWorld) -> None:
        control = world._children[NodeId("n1")].connection
        result = await world.put(b"film", bytes(FRAME_BYTES_MAX), via="n1")
        assert (result.outcome, result.error) == (Outcome.FAILED, "FrameTooLong")
        assert "is above the limit of" in result.text
        assert world._children[NodeId("n1")].connection is control
        assert world._children[NodeId("n1")].asked == {}

    run(body)


@pytest.mark.parametrize("stage", [3, 4])
def test_a_message_above_the_limit_fails_its_operation_and_no_other(
    stage: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(world: World) -> None:
        key = b"film"
        home = (await world.replicas(key))[0]
        other = next(node for node in world.members() if node != home)
        assert (await world.put(key, bytes(50_000), via=home)).outcome is Outcome.OK
        monkeypatch.setattr(messages, "FRAME_BYTES_MAX", 40_000)
        result = await world.put(key, bytes(50_000), via=other)
        assert result.outcome is not Outcome.OK
        assert result.took_ms < 500  # nobody was waited for
        if stage == 3:  # one replica, so that its reason is the operation's
            assert (result.outcome, result.error) == (Outcome.FAILED, "FrameTooLong")
            read = await world.get(key, via=other)
            assert (read.outcome, read.error) == (Outcome.UNKNOWN, "PeerRefused")
            assert "is above the limit of 40000" in read.text
        assert (await world.put(key, b"small", via=other)).outcome is Outcome.OK
        assert (await world.get(key, via=home)).values == (b"small",)

    run_in("sim", ClusterConfig(stage=stage, nodes=3, timeout_ms=500), body)


# -- one connection, without a network ----------------------------------------------------------


class Sleeping:
    """A transport whose receiver does not read."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.written))

    def close(self) -> None:
        self.closed = True


def connected(on_frame: Callable[[FrameConnection, memoryview], None]) -> tuple[FrameConnection, Sleeping]:
    connection, transport = FrameConnection(on_frame, lambda *_: None), Sleeping()
    connection.connection_made(cast(asyncio.Transport, transport))
    return connection, transport


@pytest.mark.parametrize("turns", [True, False], ids=["turn by turn", "all in one turn of the loop"])
def test_what_is_kept_for_a_receiver_that_does_not_read_is_bounded(
    monkeypatch: pytest.MonkeyPatch, turns: bool
) -> None:
    monkeypatch.setattr(wire, "UNSENT_BYTES_MAX", 10_000)

    async def body() -> None:
        connection, transport = connected(lambda *_: None)
        taken = 0
        for _ in range(100):
            taken += connection.send(bytes(1000))
            if turns:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert 10 <= taken <= 11
        assert transport.get_write_buffer_size() == taken * 1004
        transport.written.clear()  # it wakes
        assert connection.send(b"more")

    asyncio.run(body())


def test_what_waits_for_a_connection_to_be_made_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvlab.world.process.peers.UNSENT_BYTES_MAX", 10_000)

    async def body() -> None:
        peers, dropped = Peers("token", NodeId("n1"), Random(1)), list[str]()
        all_dropped = asyncio.Event()

        def note(why: str) -> None:
            dropped.append(why)
            if len(dropped) == 100:
                all_dropped.set()

        peers.set_ports({NodeId("n2"): next_ports()})  # where nobody listens
        for _ in range(100):
            peers.send(NodeId("n2"), bytes(1000), note)
        assert 89 <= dropped.count("buffer full") <= 90
        await asyncio.wait_for(all_dropped.wait(), LIMIT_S)
        assert dropped.count("no connection") == 100 - dropped.count("buffer full")
        peers.close()

    asyncio.run(body())


def test_what_waits_for_a_connection_that_is_given_up_is_told_to_be_dropped() -> None:
    async def main() -> list[str]:
        peers, dropped = Peers("token", NodeId("n1"), Random(1)), list[str]()
        there = Peers("token", NodeId("n2"), Random(1))
        peers.set_ports({NodeId("n2"): await there.listen()})
        peers.send(NodeId("n2"), b"frame", dropped.append)
        await asyncio.sleep(0)  # it is being made
        peers.reach(NodeId("n2"), there.address + 1)
        peers.close()
        there.close()
        return dropped

    assert asyncio.run(main()) == ["no connection"]


def test_a_frame_above_the_limit_is_not_sent_and_the_next_one_is() -> None:
    async def body() -> None:
        connection, transport = connected(lambda *_: None)
        with pytest.raises(FrameTooLong, match=f"is above the limit of {FRAME_BYTES_MAX}"):
            connection.send(bytes(FRAME_BYTES_MAX + 1))
        assert connection.send(b"next")
        await asyncio.sleep(0)
        assert transport.written == [frame(b"next")]

    asyncio.run(body())


@pytest.mark.parametrize("size", [1, 3, 4, 5, 7, 100])
def test_frames_are_the_same_however_the_stream_is_cut(size: int) -> None:
    sent = [b"", b"a", b"bc" * 50, b"", b"d" * 3]
    received: list[bytes] = []

    async def body() -> None:
        connection, _ = connected(lambda _, data: received.append(bytes(data)))
        stream = b"".join(map(frame, sent))
        for start in range(0, len(stream), size):
            connection.data_received(stream[start : start + size])

    asyncio.run(body())
    assert received == sent


def test_after_a_bad_frame_nothing_more_is_heard_of_a_connection() -> None:
    received: list[bytes] = []

    def refuse(connection: FrameConnection, data: memoryview) -> None:
        received.append(bytes(data))
        raise BadFrame("no")

    async def body() -> None:
        connection, transport = connected(refuse)
        connection.data_received(frame(b"one") + frame(b"two"))
        connection.data_received(frame(b"three"))
        assert transport.closed

    asyncio.run(body())
    assert received == [b"one"]
