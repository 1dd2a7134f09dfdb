"""The same requests, sent to a real redis-server and to stage 1, get the same bytes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kvlab.world.process.commands import TABLE
from tests.resp.port import Port, Raw, needs_redis, redis_server, request, serving

pytestmark = needs_redis


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with redis_server(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture(scope="module")
def ours() -> Iterator[Port]:
    with serving(1) as port:
        yield port


def both(redis: int, ours: Port, data: bytes) -> tuple[bytes, bytes]:
    with Raw(redis) as theirs, ours.connect() as mine:
        flush = request(b"FLUSHALL")
        return theirs.ask(flush + data), mine.ask(flush + data)


SESSIONS = {
    "read and write": ("GET a|SET a 1|GET a|SET a 2|GET a|TYPE a|TYPE b|EXISTS a b a|DEL a a b|GET a|DBSIZE"),
    "empty things": ('SET "" ""|GET ""|EXISTS ""|MGET "" nope|KEYS *|SET "a b" "x\\r\\ny\\x00"|GET "a b"'),
    "several": ("MSET a 1 b 2 a 3|MGET a b c|DBSIZE|DEL a b c"),
    "set conditionally": (
        "SET a 1 NX|SET a 2 NX|GET a|SET b 1 XX|GET b|SET a 3 XX|GET a|SET a 4 GET|SET c 1 GET|"
        "SET a 5 NX GET|GET a|SET d 1 NX GET|GET d|SET e 1 XX GET|EXISTS e|set a 6 xx get"
    ),
    "set with expiry": (
        "SET a 1 EX 100|TTL a|SET a 1 PX 100000|TTL a|SET a 2|TTL a|SET a 1 EX 100|"
        "SET a 2 KEEPTTL|TTL a|GET a|SET a 1 EXAT 1|GET a|EXISTS a|SET a 1 PXAT 1|TTL a|PTTL a|"
        "SET a 1 PXAT 9000000000000|GET a"
    ),
    "set wrongly": (
        "SET a|SET|SET a 1 EX|SET a 1 EX 0|SET a 1 EX -1|SET a 1 EX x|SET a 1 EX 1.5|"
        "SET a 1 NX XX|SET a 1 EX 1 PX 1|SET a 1 KEEPTTL EX 1|SET a 1 EX 1 KEEPTTL|SET a 1 FOO|"
        "SET a 1 EX x FOO|SET a 1 EX 99999999999999999|SET a 1 PX 9223372036854775807|"
        "SET a 1 EX 01|SET a 1 EX +1|SET a 1 NX NX|GET a"
    ),
    "counting": (
        "INCR a|INCR a|INCRBY a 40|DECR a|DECRBY a 2|GET a|INCRBY a -100|SET b x|INCR b|SET b 1.0|"
        "INCR b|SET b ' 1'|INCR b|SET b 01|INCR b|SET b -0|INCR b|SET b 9223372036854775807|"
        "INCR b|DECR b|INCRBY b 2|SET b -9223372036854775808|DECR b|DECRBY b -9223372036854775808|"
        "INCRBY a 9223372036854775808|INCRBY a x|INCR|INCR a b|SET c 5 EX 100|INCR c|TTL c|"
        "DECRBY nope 3|SET b ''|INCR b"
    ),
    "expiry": (
        "EXPIRE nope 10|SET a 1|TTL a|PTTL a|TTL nope|PTTL nope|EXPIRE a 100|TTL a|PERSIST a|"
        "PERSIST a|TTL a|PEXPIRE a 100400|TTL a|EXPIRE a 0|EXISTS a|SET a 1|EXPIRE a -5|GET a|"
        "SET a 1|EXPIRE a 100 XX|EXPIRE a 100 NX|EXPIRE a 200 NX|TTL a|EXPIRE a 50 GT|"
        "EXPIRE a 300 GT|TTL a|EXPIRE a 400 LT|EXPIRE a 200 LT|TTL a|PERSIST a|EXPIRE a 5 GT|"
        "EXPIRE a 100 LT|TTL a|PERSIST nope"
    ),
    "expiry wrongly": (
        "SET a 1|EXPIRE a|EXPIRE a x|EXPIRE a 10 FOO|EXPIRE a 10 NX XX|EXPIRE a 10 GT LT|"
        "EXPIRE a 9223372036854775807|PEXPIRE a 9223372036854775807|EXPIRE a -9223372036854775808|"
        "EXPIRE a 1 2 3|TTL a"
    ),
    "keys": (
        "MSET hello 1|KEYS h?llo|KEYS h[ae]llo|KEYS h[^e]llo|KEYS h[a-f]l*|KEYS h[f-a]llo|KEYS \\*|"
        "KEYS *l*o|KEYS hell|KEYS h[e|KEYS *z*|KEYS|KEYS a b|KEYS ''|KEYS h[]llo|KEYS h[^]llo"
    ),
    "scan": (
        "SCAN 0|SET a 1|SCAN 0|SCAN 0 MATCH b*|SCAN 0 TYPE string|SCAN 0 TYPE hash|"
        "SCAN 0 COUNT 100 MATCH a|SCAN x|SCAN 0 COUNT 0|SCAN 0 COUNT x|SCAN 0 FOO|SCAN 0 FOO 1|"
        "SCAN 0 MATCH|SCAN"
    ),
    "talking": ("PING|PING hi|PING a b|ECHO x|ECHO|ECHO a b|SELECT 0|SELECT 20|SELECT x|SELECT|ping|PiNg"),
    "clients": (
        "CLIENT|CLIENT FOO|CLIENT GETNAME|CLIENT SETNAME bob|CLIENT GETNAME|CLIENT SETNAME 'a b'|"
        "CLIENT SETNAME|CLIENT SETNAME ''|CLIENT GETNAME|CLIENT NO-EVICT on|CLIENT NO-EVICT x|"
        "CLIENT ID 5|CLIENT LIST TYPE pubsub|CLIENT LIST TYPE foo|CLIENT LIST foo"
    ),
    "settings": (
        "CONFIG GET save|CONFIG GET appendonly|CONFIG GET maxmemory|CONFIG GET nope|CONFIG GET|"
        "CONFIG|CONFIG FOO|CONFIG SET a"
    ),
    "hello": ("HELLO 4|HELLO x|HELLO 2 FOO|HELLO 2 SETNAME|HELLO 1"),
    "unknown": (
        "FOO|FOO a b|'' a|FLUSHALL x|FLUSHALL ASYNC|FLUSHALL a b|'a\\nb' c|COMMAND FOO|"
        "COMMAND GETKEYS GET a|COMMAND GETKEYS MSET a 1 b 2|COMMAND GETKEYS PING|"
        "COMMAND GETKEYS FOO|COMMAND GETKEYS GET"
    ),
    "info": ("INFO nothere|INFO keyspace"),
}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_is_answered_as_redis_answers_it(redis: int, ours: Port, name: str, version: int) -> None:
    with Raw(redis) as theirs, ours.connect() as mine:
        for raw in (theirs, mine):
            raw.ask(b"HELLO %d\r\nFLUSHALL\r\n" % version)
        for line in SESSIONS[name].split("|"):
            sent = line.encode() + b"\r\n"
            assert mine.ask(sent) == theirs.ask(sent), line
    assert ours.faults() == []


MALFORMED = [
    b'SET a "x\r\n',
    b"PING 'a''b'\r\n",
    b"*x\r\n",
    b"*1\r\n:1\r\n",
    b"*1\r\n+PING\r\n",
    b"*1\r\n\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$x\r\n",
    b"*1\r\n*1\r\n$4\r\nPING\r\n",
    b"*2\r\n$4\r\nECHO\r\n%1\r\n+a\r\n+b\r\n",
    b"a" * 70_000,
    b"*" + b"1" * 70_000,
    b"*1\r\n$" + b"1" * 70_000,
    b"QUIT\r\nPING\r\n",
    b"SET a 1\r\n" + request(b"GET", b"a") + b"*1\r\n:1\r\nPING\r\n",
]


@pytest.mark.parametrize("data", MALFORMED, ids=lambda data: repr(data[:30]))
def test_malformed_requests_get_redis_own_words_and_the_connection_is_closed(
    redis: int, ours: Port, data: bytes
) -> None:
    with Raw(redis) as theirs, ours.connect() as mine:
        theirs.send(data)
        mine.send(data)
        assert mine.rest() == theirs.rest()


WELL_FORMED = [
    b"\r\n\n  \r\nPING\r\n",
    b"  ECHO hi  \r\n",
    b"PING\n",
    b"*0\r\nPING\r\n*-1\r\n",
    request(b"PING") + b"\r\n" + request(b"PING"),
    request(b"SET", b"k", b"a\r\n*1\r\n$4\r\nPING\r\n") + request(b"GET", b"k") * 3,
    request(b"SET", b"k", b"*12345678") + request(b"GET", b"k"),
    b"*1\r\n$4\r\nPINGxx" + request(b"PING"),
    b"*1\r\n$0\r\n\r\n",
    b'ECHO "\\x41\\n\\t\\"\\q"\r\n' + b"ECHO 'it\\'s \\n'\r\n" + b'ECHO a"b c"\r\n',
    b"$4\r\nPING\r\n",
]


@pytest.mark.parametrize("data", WELL_FORMED, ids=lambda data: repr(data[:30]))
def test_odd_but_well_formed_requests_are_understood(redis: int, ours: Port, data: bytes) -> None:
    theirs, mine = both(redis, ours, data)
    assert mine == theirs


def test_the_table_of_commands_says_of_each_what_redis_says(redis: int, ours: Port) -> None:
    names = [row.name.encode() for row in TABLE if not row.name.startswith("kv.")]

    def described(raw: Raw) -> list[list[object]]:
        import hiredis

        reader = hiredis.Reader()
        reader.feed(raw.ask(request(b"COMMAND", b"INFO", *names)))
        rows = reader.gets()
        assert isinstance(rows, list)
        return [[row[0], row[1], sorted(row[2]), *row[3:6]] for row in rows]

    with Raw(redis) as theirs, ours.connect() as mine:
        assert described(mine) == described(theirs)
