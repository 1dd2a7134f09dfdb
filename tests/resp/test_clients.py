"""The clients that people use work unchanged: redis-py in both protocols, redis-cli, redis-benchmark."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator

import pytest
import redis
import redis.asyncio

from tests.resp.port import LIMIT_S, Port, needs_benchmark, needs_cli, request, serving


@pytest.fixture(params=["asyncio", "uvloop"])
def port(request: pytest.FixtureRequest) -> Iterator[Port]:
    with serving(1, loop=request.param) as port:
        yield port


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_works(port: Port, protocol: int) -> None:
    with redis.Redis(port=port.port, protocol=protocol) as client:
        assert client.ping()
        assert client.set("a", "1", ex=100)
        assert client.get("a") == b"1"
        assert client.get("nope") is None
        assert client.ttl("a") == 100
        assert client.incr("a", 41) == 42
        assert client.mget("a", "b") == [b"42", None]
        assert client.set("a", "x", nx=True) is None
        assert client.config_get("save") == {"save": ""}
        assert client.info()["kvlab_version"]
        assert client.command_count() == len(client.command())
        assert client.client_list()[0]["id"] == str(client.client_id())
        assert sorted(client.scan_iter()) == [b"a"]
        assert client.delete("a", "b") == 1
        with pytest.raises(redis.ResponseError, match="transactions"):
            client.execute_command("MULTI")


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_asyncio_client_works_with_a_pipeline_of_thousands(port: Port, protocol: int) -> None:
    async def main() -> None:
        async with redis.asyncio.Redis(port=port.port, protocol=protocol) as client:
            pipe = client.pipeline(transaction=False)
            for i in range(5000):
                pipe.set(f"k{i}", f"v\r\n{i}")
                pipe.get(f"k{i}")
            replies = await pipe.execute()
            assert replies[1::2] == [f"v\r\n{i}".encode() for i in range(5000)]

    asyncio.run(main())


def test_a_default_client_speaks_version_3_and_hears_nothing_to_complain_of(port: Port) -> None:
    with redis.Redis(port=port.port) as client:
        assert client.set("a", b"\x00\r\n\xff")
        assert client.get("a") == b"\x00\r\n\xff"


def test_scan_returns_every_key_that_stays_while_others_come_and_go(port: Port) -> None:
    with redis.Redis(port=port.port) as client:
        stay = {f"stay{i}".encode() for i in range(500)}
        client.mset(dict.fromkeys(stay, "v"))
        client.mset({f"go{i}": "v" for i in range(500)})
        found: set[bytes] = set()
        cursor = 0
        for i in range(10_000):
            cursor, keys = client.scan(cursor, count=7)
            assert len(keys) <= 7
            found.update(keys)
            client.delete(f"go{i}")
            client.set(f"new{i}", "v")
            if cursor == 0:
                break
        assert stay <= found


def test_a_scan_that_had_to_give_way_says_so_and_does_not_end_early(port: Port) -> None:
    with redis.Redis(port=port.port) as client:
        client.mset({f"k{i}": "v" for i in range(50)})
        oldest, _ = client.scan(0)
        for _ in range(16):
            client.scan(0)
        with pytest.raises(redis.ResponseError, match="begin again with SCAN 0"):
            client.scan(oldest)


def run(*command: str, stdin: bytes = b"") -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=LIMIT_S * 3, check=False)
    assert done.returncode == 0, done
    return done.stdout.decode()


@needs_cli
def test_redis_cli_works(port: Port) -> None:
    cli = ["redis-cli", "-p", str(port.port)]
    assert run(*cli, "SET", "a", "1") == "OK\n"
    assert run(*cli, "-3", "GET", "a") == "1\n"
    assert run(*cli, "--scan") == "a\n"
    assert "kv.where" in run(*cli, "COMMAND", "DOCS")
    assert "redis_version" in run(*cli, "INFO")
    assert "KV.WHERE" in run(*cli, "KV.HELP")


@needs_cli
def test_redis_cli_pipe_mixes_arrays_with_lines(port: Port) -> None:
    sent = b"".join(request(b"SET", b"k%d" % i, b"v") for i in range(20_000)) + b"SET last 1\r\n"
    assert "errors: 0, replies: 20001" in run("redis-cli", "-p", str(port.port), "--pipe", stdin=sent)


@needs_benchmark
@pytest.mark.parametrize("pipeline", ["1", "16"])
def test_redis_benchmark_works(port: Port, pipeline: str) -> None:
    command = ["redis-benchmark", "-p", str(port.port), "-t", "ping,set,get,incr,mset", "-n", "2000"]
    told = run(*command, "-P", pipeline, "--csv", "-c", "10")
    for name in ("PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"):
        assert f'"{name}",' in told
