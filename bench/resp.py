"""Stage 1 against redis-server, by redis-benchmark, in turn, each on a processor of its own.

The ratios are of requests a second, as a client has them, and of requests a second of the server's
processor time, which other programs on the machine disturb less. A bare server of a dict and
hiredis (bench/bare.py) runs beside them: it shows what there is to be had. Needs redis-server and
redis-benchmark, and says so if they are missing.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import click
import psutil

from bench.figure import Figure
from kvlab.config import ClusterConfig
from kvlab.world.process.supervisor import ProcessWorld

ROUNDS = 5
REQUESTS = {1: 60_000, 16: 400_000}
OF_CPU = "both, a second of server CPU"


def measure() -> Iterator[Figure]:
    missing = [tool for tool in ("redis-server", "redis-benchmark") if shutil.which(tool) is None]
    if missing:
        click.echo(
            f"  left out: {' and '.join(missing)} not found (Debian: redis-server, redis-tools)", err=True
        )
        return
    yield from asyncio.run(_measure())


async def _measure() -> list[Figure]:
    figures: list[Figure] = []
    world = ProcessWorld(ClusterConfig(stage=1))
    with tempfile.TemporaryDirectory() as folder:
        redis_port, bare_port = _free_port(), _free_port()
        settings = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        redis = _serve(["redis-server", "--port", str(redis_port), *settings], folder)
        bare = _serve([sys.executable, "-m", "bench.bare", str(bare_port)], None)
        try:
            async with world:
                node = world.info("n1")
                servers = {"stage 1": (node.port, node.pid), "bare": (bare_port, bare.pid)}
                for port, pid in ((redis_port, redis.pid), *servers.values()):
                    os.sched_setaffinity(pid, {0})
                    _wait_for(port)
                for pipeline, least in ((1, 0.9), (16, 0.6)):
                    figures += _compare(redis_port, redis.pid, servers, pipeline, least)
        finally:
            for process in (redis, bare):
                process.kill()
                process.wait()
    return figures


def _compare(
    port: int, pid: int, servers: dict[str, tuple[int, int]], pipeline: int, least: float
) -> Iterator[Figure]:
    """Each server against redis-server, in turn, so that a change of the machine's speed meets all."""
    runs: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        theirs = _rates(port, pid, pipeline)
        for name, server in servers.items():
            for test, rate in _rates(*server, pipeline).items():
                runs.setdefault((name, test), []).append(rate / theirs[test])
    for (name, test), ratios in sorted(runs.items()):
        hold = least if name == "stage 1" and test != OF_CPU else 0.0
        yield Figure(f"{name} / redis-server, -c 50 -P {pipeline}, {test}", ratios, "ratio", hold)


def _serve(command: list[str], folder: str | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)


def _rates(port: int, pid: int, pipeline: int) -> dict[str, float]:
    """Requests a second of SET and of GET, and a second of the server's processor time for both."""
    before = sum(psutil.Process(pid).cpu_times()[:2])
    done = subprocess.run(
        ["redis-benchmark", "-q", "-t", "set,get", "-c", "50"]  # noqa: RUF005
        + ["-p", str(port), "-P", str(pipeline), "-n", str(REQUESTS[pipeline])],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {1 % (os.cpu_count() or 1)}),
    )
    spent_s = sum(psutil.Process(pid).cpu_times()[:2]) - before
    found = re.findall(r"(SET|GET): ([\d.]+) requests per second", done.stdout)
    rates = {f"{test} a second": float(rate) for test, rate in found}
    return {**rates, OF_CPU: 2 * REQUESTS[pipeline] / spent_s}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, limit_s: float = 10) -> None:
    deadline = time.monotonic() + limit_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
