"""Run one test body in either world."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from kvlab.config import ClusterConfig
from kvlab.script.parse import Scenario
from kvlab.script.run import Report, config_of, run_scenario
from kvlab.trace.events import AnyEvent
from kvlab.world.process.wire import is_free
from kvlab.world.sim import SimWorld
from kvlab.world.world import World

T = TypeVar("T")
Body = Callable[[World], Awaitable[T]]

WORLDS = ("sim", "process")

_blocks = 0


def run_in(kind: str, config: ClusterConfig, body: Body[T], told: list[AnyEvent] | None = None) -> T:
    """Start a world of this kind, do the body in it, and leave nothing behind; returns what it did."""

    async def lived(world: World) -> T:
        if told is not None:
            world.watch(told.append)
        async with world:
            return await body(world)

    if kind == "sim":
        world = SimWorld(config)
        return world.run(lived(world))
    from kvlab.world.process.supervisor import ProcessWorld

    async def main() -> T:
        return await lived(ProcessWorld(config, port=next_ports()))

    return asyncio.run(main())


def fall_short(scenarios: Mapping[str, Scenario]) -> dict[str, str]:
    """Run all of them on processes, at the same time, each on a cluster of its own: most of it is waiting.
    Returns which did not hold, and why."""
    from kvlab.world.process.supervisor import ProcessWorld

    async def one(scenario: Scenario) -> str:
        async with ProcessWorld(config_of(scenario), port=next_ports()) as world:
            return why(await run_scenario(scenario, world))

    async def all_of_them() -> list[str | BaseException]:
        return await asyncio.gather(*map(one, scenarios.values()), return_exceptions=True)

    told = zip(scenarios, asyncio.run(all_of_them()), strict=True)
    return {name: repr(said) if isinstance(said, BaseException) else said for name, said in told if said}


def why(report: Report) -> str:
    """Why it did not hold, for whoever reads the test's output; "" if it did."""
    failure = report.failure
    return "" if failure is None else f"line {failure.line}: {failure.expected}, and found: {failure.found}"


def next_ports() -> int:
    """The first of a block of ports that no other test uses: tests run side by side, and nodes restart."""
    global _blocks
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    while True:
        _blocks += 1
        first = 20_000 + worker * 2_000 + _blocks * 16 % 2_000
        if all(is_free(port) for port in range(first, first + 16)):  # another run of the tests may be on
            return first


async def until(world: World, condition: Callable[[], Awaitable[bool]], limit_s: float = 10.0) -> None:
    """Wait for the thing, in the world's own time, with a limit."""
    deadline = world.at_ms() + limit_s * 1000
    while not await condition():
        assert world.at_ms() < deadline, f"it did not happen within {limit_s} s"
        await world.sleep(0.02)
