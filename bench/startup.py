"""How soon a cluster of five processes is ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from bench.figure import Figure
from kvlab.config import ClusterConfig
from kvlab.world.process.supervisor import ProcessWorld


def measure() -> Iterator[Figure]:
    runs = [asyncio.run(_once()) for _ in range(5)]
    yield Figure("five nodes of stage 4, from nothing to ready", runs, "s", 1.5, at_most=True)


async def _once() -> float:
    started = time.monotonic()
    async with ProcessWorld(ClusterConfig(stage=4)):
        return time.monotonic() - started
