"""How much the simulator does in a second: messages, every one of them encoded and decoded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial

from bench.figure import Figure
from kvlab.config import ClusterConfig
from kvlab.world.sim import SimWorld

OPERATIONS = 3000
CLIENTS = 3


def measure() -> Iterator[Figure]:
    runs = [_once(seed) for seed in range(5)]
    yield Figure("simulated messages a second, stage 4, n=3 w=3, encoded", runs, "1/s", 60_000)

    world = _stepped(20_000)
    back = [_seconds(lambda: world.rewound(world.steps - 1)) for _ in range(5)]
    what = "the world made anew at step 20,000, to branch there"  # to look back, the lab reads its log
    yield Figure(what, [1000 * seconds for seconds in back], "ms", 0)


def _stepped(steps: int) -> SimWorld:
    """A world of stage 4 under somebody's hand, that has made so many steps."""
    world = SimWorld(ClusterConfig(stage=4, seed=1))
    world.submit(lambda world: world.start())
    i = 0
    while world.steps < steps:
        key, i = b"k%d" % (i % 97), i + 1
        written = world.submit(partial(SimWorld.put, key=key, value=b"v%d" % i))
        while not written.done() and world.steps < steps:
            world.step()
    return world


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


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
