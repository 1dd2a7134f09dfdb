"""How much the simulator does in a second: messages, every one of them encoded and decoded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from bench.figure import Figure
from kvlab.config import ClusterConfig
from kvlab.world.sim import SimWorld

OPERATIONS = 3000
CLIENTS = 3


def measure() -> Iterator[Figure]:
    runs = [_once(seed) for seed in range(5)]
    yield Figure("simulated messages a second, stage 4, n=3 w=3, encoded", runs, "1/s", 60_000)


def _once(seed: int) -> float:
    world = SimWorld(ClusterConfig(stage=4, seed=seed))

    async def client(number: int) -> None:
        for i in range(OPERATIONS // CLIENTS):
            await world.put(b"k%d" % (i % 97), b"v%d" % i, via=f"n{number}")

    async def main() -> None:
        async with world:
            await asyncio.gather(*(client(number) for number in range(1, CLIENTS + 1)))

    started = time.process_time()
    world.run(main())
    return world.messages / (time.process_time() - started)
