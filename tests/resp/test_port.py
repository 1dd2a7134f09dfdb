"""The port itself: order, waiting, errors, limits, events, refusals."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kvlab.errors import NotInThisStage, OperationError, PeerSilent, UserError
from kvlab.messages import Item
from kvlab.stages import pieces
from kvlab.trace import events
from kvlab.world.eager import resume
from kvlab.world.process import resp_data
from kvlab.world.process.resp import RespServer
from tests.resp.port import Port, Raw, request, serving, wait_until


@pytest.fixture(params=["asyncio", "uvloop"])
def port(request: pytest.FixtureRequest) -> Iterator[Port]:
    with serving(1, loop=request.param) as port:
        yield port


@pytest.fixture(scope="module")
def ring() -> Iterator[Port]:
    with serving(3) as port:
        yield port


# -- order ---------------------------------------------------------------------------------------


def test_replies_keep_the_order_of_the_requests_when_one_has_to_wait(port: Port) -> None:
    gate = port.gate()
    with port.connect() as raw:
        raw.send(request(b"SET", b"a", b"1") + request(b"PING") + request(b"GET", b"a") + b"PING two\r\n")
        wait_until(lambda: gate.entered == 1)
        gate.open()
        assert raw.until(b"two\r\n") == b"+OK\r\n+PONG\r\n$1\r\n1\r\n$3\r\ntwo\r\n"


def test_what_arrives_while_a_command_waits_is_answered_after_it(port: Port) -> None:
    gate = port.gate()
    with port.connect() as raw:
        raw.send(b"GET a\r\n")
        wait_until(lambda: gate.entered == 1)
        for i in range(100):
            raw.send(b"ECHO %d\r\n" % i)
        gate.open()
        expected = b"$-1\r\n" + b"".join(b"$%d\r\n%d\r\n" % (len(str(i)), i) for i in range(100))
        assert raw.until(b"99\r\n") == expected


def test_another_connection_does_not_wait(port: Port) -> None:
    gate = port.gate()
    with port.connect() as slow, port.connect() as quick:
        slow.send(b"GET a\r\n")
        wait_until(lambda: gate.entered == 1)
        assert quick.ask(b"PING\r\n") == b"+PONG\r\n"
        gate.open()


def test_a_write_goes_on_when_its_client_has_gone(port: Port) -> None:
    gate = port.gate()
    with port.connect() as raw:
        raw.send(b"SET a 1\r\n")
        wait_until(lambda: gate.entered == 1)
    gate.open()
    wait_until(lambda: len(port.host.node.store) == 1)
    wait_until(lambda: port.server.connections == 0)


def test_who_closes_his_side_still_gets_his_replies(port: Port) -> None:
    gate = port.gate()
    with port.connect() as raw:
        raw.send(b"SET a 1\r\n")
        wait_until(lambda: gate.entered == 1)
        raw.socket.shutdown(socket.SHUT_WR)
        wait_until(lambda: all(connection._ended for connection in port.server._connections))
        gate.open()
        assert raw.rest() == b"+OK\r\n"


def test_a_resumed_coroutine_hears_of_its_cancellation() -> None:
    async def work() -> str:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            return "cleaned up"
        return "?"

    async def main() -> str:
        begun = work()
        waits_for = begun.send(None)

        async def rest() -> str:
            return await resume(begun, waits_for)

        task = asyncio.create_task(rest())
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert asyncio.run(main()) == "cleaned up"


# -- limits --------------------------------------------------------------------------------------


def test_a_client_that_does_not_read_is_not_read_either(port: Port) -> None:
    """It asks for 400 MB; the server holds a little of that, and the rest when it is wanted."""
    with port.connect() as raw, port.connect() as other:
        other.ask(request(b"SET", b"big", b"x" * 1_000_000))
        raw.send(request(b"GET", b"big") * 400)
        assert other.ask(b"PING\r\n") == b"+PONG\r\n"

        async def unsent() -> int:
            return max(c._transport.get_write_buffer_size() for c in port.server._connections)

        assert port.run(unsent) < 5_000_000
        expected = 400 * (1_000_000 + len(b"$1000000\r\n\r\n"))
        got = 0
        while got < expected:
            got += len(raw.socket.recv(1 << 20))
        assert got == expected
        assert raw.ask(b"PING\r\n") == b"+PONG\r\n"


def test_a_large_value_arrives_whole(port: Port) -> None:
    value = bytes(range(256)) * 40_000
    with port.connect() as raw:
        assert raw.ask(request(b"SET", b"k", value)) == b"+OK\r\n"
        assert raw.ask(request(b"GET", b"k")) == b"$%d\r\n%b\r\n" % (len(value), value)


def test_an_oversized_argument_is_refused_and_the_connection_closed(port: Port) -> None:
    with port.connect() as raw:
        raw.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$999999999\r\n")
        assert raw.rest().startswith(b"-ERR Protocol error: invalid bulk length")


@pytest.mark.usefixtures("ring")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.binary(max_size=50)
        | st.sampled_from(
            [b"*3\r\n", b"$3\r\nSET\r\n", b"$1\r\na\r\n", b"GET a\r\n", b"\r\n", b"HELLO 3\r\n", b":1\r\n"]
        )
        | st.lists(st.binary(max_size=6), min_size=1, max_size=4).map(lambda words: request(*words))
        | st.sampled_from(
            [b"SCAN", b"CLIENT", b"COMMAND", b"CONFIG", b"KV.PUT", b"SET", b"EXPIRE", b"HELLO"]
        ).flatmap(
            lambda name: st.lists(st.binary(max_size=6), max_size=5).map(lambda words: request(name, *words))
        ),
        max_size=12,
    )
)
def test_no_bytes_whatever_harm_anybody_but_their_sender(chunks: list[bytes]) -> None:
    port = _FUZZED
    with port.connect() as raw:
        try:
            for chunk in chunks:
                raw.send(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was told and shut out already
    with port.connect() as other:
        assert other.ask(b"PING\r\n") == b"+PONG\r\n"
    assert port.faults() == []


_FUZZED: Port


@pytest.fixture(scope="module", autouse=True)
def _fuzzed() -> Iterator[None]:
    global _FUZZED
    with serving(1) as port:
        _FUZZED = port
        yield


# -- errors --------------------------------------------------------------------------------------


class WritesLocked(OperationError):
    pass


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (WritesLocked("n2 is cut off"), b"-LOCKED n2 is cut off\r\n"),
        (PeerSilent("n2", 500), b"-UNKNOWN n2 did not answer within 500 ms\r\n"),
        (OperationError("no\r\nluck"), b"-FAILED no  luck\r\n"),
        (NotInThisStage("not here"), b"-ERR not here\r\n"),
    ],
)
def test_an_error_says_what_became_of_the_write(port: Port, error: Exception, reply: bytes) -> None:
    gate = port.gate()
    gate.error = error
    with port.connect() as raw:
        raw.send(b"SET a 1\r\n")
        wait_until(lambda: gate.entered == 1)
        gate.open()
        assert raw.until(b"\r\n") == reply  # it had to wait first
        assert raw.ask(b"SET a 1\r\n") == reply  # it raised at once
    assert port.faults() == []


def test_a_bug_is_answered_and_told_and_the_connection_lives(port: Port) -> None:
    gate = port.gate()
    gate.error = ZeroDivisionError("oops")
    gate.open()
    with port.connect() as raw:
        assert raw.ask(b"GET a\r\n").startswith(b"-ERR internal error")
        assert raw.ask(b"PING\r\n") == b"+PONG\r\n"
    assert port.faults() == ["ZeroDivisionError: oops"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'self.tell(key, item, "put")',
            'self.told(key, item, "put")',
            "AttributeError: 'Store' object has no",
        ),
        (
            "        item = self.held.get(key)\n",
            "        raise not_back(__file__, 3)\n",
            "this does not come back",
        ),
    ],
)
def test_what_a_readers_piece_raises_is_answered_and_told_as_the_readers(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    """A student reads it in redis-cli: it must not say that it is kvlab's fault."""
    path = tmp_path / "store.py"
    text = pieces.chapter(1).file("solution.py").read_text(encoding="utf-8")
    assert old in text
    helper = "\nfrom kvlab.world.guard import not_back\n"
    path.write_text(text.replace(old, new).replace("\nfrom kvlab.errors", f"{helper}from kvlab.errors", 1))
    with serving(1, mine=str(path)) as port:
        with port.connect() as raw:
            answers = raw.ask(b"SET a 1\r\n") + raw.ask(b"GET a\r\n")
        assert b"-ERR store.py, line " in answers
        assert said.encode() in answers
        assert b"kvlab's fault" not in answers
        assert [said in fault for fault in port.faults()] == [True]


def test_a_write_of_several_keys_that_breaks_off_is_perhaps_written(port: Port) -> None:
    async def fail_second() -> None:
        put = port.host.node.put

        async def failing(key: bytes, item: Item, w: int | None = None) -> None:
            if key == b"b":
                raise OperationError("n3 is away")
            await put(key, item, w)

        port.host.node.put = failing  # type: ignore[method-assign]

    port.run(fail_second)
    with port.connect() as raw:
        assert raw.ask(b"MSET b 1 a 2\r\n") == b"-FAILED n3 is away\r\n"
        assert raw.ask(b"MSET a 1 b 2\r\n").startswith(b"-UNKNOWN 1 of 2 keys are written")


def test_a_taken_port_is_named(port: Port) -> None:
    async def listen_again() -> None:
        with pytest.raises(UserError, match=str(port.port)):
            await RespServer(port.host).listen(port.port)

    port.run(listen_again)


def test_close_ends_every_connection_and_a_command_that_waits() -> None:
    with serving(1) as port:
        gate = port.gate()
        raw = port.connect()
        raw.send(b"GET a\r\n")
        wait_until(lambda: gate.entered == 1)
        port.run(port.server.close)
        assert raw.rest() == b""
        raw.socket.close()
        wait_until(lambda: port.server.connections == 0)
        with pytest.raises(ConnectionRefusedError):
            Raw(port.port)


# -- what is told --------------------------------------------------------------------------------


def test_a_watched_node_tells_of_each_operation_and_gives_each_its_own_id() -> None:
    with serving(1, watched=True) as port, port.connect() as raw:
        raw.ask(b"SET a 1\r\nGET a\r\nDEL a\r\nMSET b 1 c 2\r\n")
        ended = [event for event in port.events if isinstance(event, events.OpEnded)]
        assert [(event.kind, event.key, event.outcome) for event in ended] == [
            ("put", b"a", "ok"),
            ("get", b"a", "ok"),
            ("delete", b"a", "ok"),
            ("put", b"b", "ok"),
            ("put", b"c", "ok"),
        ]
        assert len({event.op for event in ended}) == 5
        stored = [event for event in port.events if isinstance(event, events.Stored)]
        assert all(event.op for event in stored)


def test_the_id_of_a_waiting_operation_does_not_leak_into_the_next() -> None:
    with serving(1, watched=True) as port, port.connect() as raw:
        gate = port.gate()
        raw.send(b"SET a 1\r\nSET b 2\r\n")
        wait_until(lambda: gate.entered == 1)
        gate.open()
        raw.until(b"+OK\r\n+OK\r\n")
        stored = [event.op for event in port.events if isinstance(event, events.Stored)]
        assert all(stored)
        assert all(a != b for a, b in pairwise(stored))


# -- what a stage does not do --------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [b"INCR a", b"DECRBY a 2", b"SET a 1 NX", b"SET a 1 GET", b"EXPIRE a 5", b"PERSIST a"]
)
def test_what_reads_and_then_writes_is_refused_where_another_may_come_between(
    ring: Port, command: bytes
) -> None:
    with ring.connect() as raw:
        reply = raw.ask(command + b"\r\n")
    assert b"reads and then writes" in reply
    assert b"consensus" in reply


def test_flushall_is_refused_where_peers_hold_keys_too(ring: Port) -> None:
    with ring.connect() as raw:
        assert b"this node only" in raw.ask(b"FLUSHALL\r\n")


@pytest.mark.parametrize(("command", "says"), [(b"KV.HINTS", b"stage 8"), (b"MULTI", b"transactions")])
def test_what_is_not_there_is_refused_with_the_reason(port: Port, command: bytes, says: bytes) -> None:
    with port.connect() as raw:
        assert says in raw.ask(command + b"\r\n")


def test_an_unknown_command_is_met_with_a_guess(port: Port) -> None:
    with port.connect() as raw:
        assert raw.ask(b"KV.WERE a\r\n").endswith(b"did you mean KV.WHERE?\r\n")


def test_a_reply_holds_no_more_values_than_a_request_may(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the node would die of an MGET that names the largest value often enough."""
    monkeypatch.setattr(resp_data, "REPLY_BYTES_MAX", 1000)
    with port.connect() as raw:
        raw.ask(request(b"SET", b"k", b"v" * 300))
        assert raw.ask(b"MGET k k k nothing\r\n").startswith(b"*4\r\n$300\r\n")
        assert raw.ask(b"MGET k k k nothing k\r\n") == (
            b"-ERR the values hold more than 1000 bytes together; ask for fewer keys at once\r\n"
        )


@pytest.mark.parametrize("command", [[b"KEYS"], [b"SCAN", b"0", b"MATCH"], [b"CONFIG", b"GET"]])
def test_a_pattern_that_would_keep_the_node_busy_for_minutes_is_refused(
    port: Port, command: list[bytes]
) -> None:
    with port.connect() as raw:
        assert raw.ask(request(*command, b"[^a]" * 1000)) == (
            b"-ERR a pattern may hold 1024 bytes, and this one holds 4000\r\n"
        )


def test_so_are_many_patterns(port: Port) -> None:
    with port.connect() as raw:
        assert b"wrong number of arguments" in raw.ask(request(b"CONFIG", b"GET", *[b"a*"] * 100))


def test_a_client_too_many_is_told_so_and_takes_nobody_s_place(port: Port) -> None:
    port.server.clients_max = 2
    with port.connect() as first, port.connect() as second:
        assert first.ask(b"PING\r\n") == second.ask(b"PING\r\n") == b"+PONG\r\n"
        with port.connect() as third:
            assert third.until(b"\r\n").startswith(b"-ERR max number of clients reached")
            assert third.socket.recv(100) == b""
        assert first.ask(b"PING\r\n") == b"+PONG\r\n"
        second.socket.close()
        wait_until(lambda: port.server.connections == 1)
        with port.connect() as again:
            assert again.ask(b"PING\r\n") == b"+PONG\r\n"


LONG = b"\xff" * 100_000


@pytest.mark.parametrize(
    "command",
    [
        [b"EXPIRE", b"k", b"1", LONG],
        [b"HELLO", b"3", LONG],
        [b"CLIENT", b"SETINFO", LONG, b"x"],
        [b"CLIENT", b"LIST", b"TYPE", LONG],
        [b"CLIENT", LONG],
        [LONG],
    ],
    ids=lambda command: str(command[0][:6], "latin-1"),
)
def test_an_error_shows_the_beginning_of_a_long_argument(port: Port, command: list[bytes]) -> None:
    with port.connect() as raw:
        reply = raw.ask(request(*command))
    assert rb"\xff\xff" in reply
    assert len(reply) < 1000


# -- our own commands ----------------------------------------------------------------------------


def test_our_own_commands_show_the_ring(ring: Port) -> None:
    with ring.connect() as raw:
        where = raw.ask(b"KV.WHERE a\r\n")
        assert where.startswith(b"*1\r\n$2\r\nn")
        told = raw.ask(b"KV.RING\r\nKV.MEMBERS\r\nKV.STATE\r\n")
        for expected in (b"tokens", b"share", b"zone", b"3 ring", b"clock_ms"):
            assert expected in told


def test_kv_get_put_and_del_take_how_many_replicas_have_to_answer(port: Port) -> None:
    with port.connect() as raw:
        assert raw.ask(b"KV.PUT a 1 W 1\r\n") == b"+OK\r\n"
        assert raw.ask(b"KV.GET a\r\n") == b"*2\r\n$-1\r\n*1\r\n$1\r\n1\r\n"
        assert b"must be 1 to 1" in raw.ask(b"KV.PUT a 1 W 2\r\n")
        assert b"takes nothing after" in raw.ask(b"KV.PUT a 1 X 2\r\n")
        assert raw.ask(b"KV.DEL a W 1\r\n") == b":1\r\n"
        assert raw.ask(b"KV.GET a\r\n") == b"*2\r\n$-1\r\n*0\r\n"


def test_stage_4_which_has_all_or_one_is_asked_for_no_quorum() -> None:
    """A number that a cluster could not be started with is none for a request either. Seen to fail: w=2 of 3
    was waited for, and r=3 was taken and forgotten."""
    with serving(4) as port, port.connect() as raw:
        assert b"a number between them is a quorum" in raw.ask(b"KV.PUT a 1 W 2\r\n")
        assert b"comes with stage 5" in raw.ask(b"KV.GET a R 3\r\n")
