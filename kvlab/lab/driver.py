"""Driver: how the lab moves a world, whichever of the two it is.

The lab has one event loop, the terminal's. Real processes live on it beside the screen. A simulated world
has a loop of its own on virtual time, which stands still unless somebody runs it: the lab's timer does, a
little at a time. What a command brings back crosses from that loop to the lab's as a plain future; both
loops are run by one thread, so nothing needs a lock.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from kvlab.script.commands import Command
from kvlab.script.session import Session, Step
from kvlab.world.sim import SimWorld
from kvlab.world.sim.network import UnderWay
from kvlab.world.world import World

T = TypeVar("T")

SPEEDS = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)
"""Virtual seconds a second."""
SLICE_MS = 2.0
"""Virtual time that is run at once: messages take about as long."""
BUDGET_S = 0.008
"""Real time that the simulator may take from the screen at each tick."""


class Driver(ABC):
    """A world under the lab's hands."""

    world: World
    session: Session
    kind: str
    """process or sim, as recordings name it."""

    @abstractmethod
    async def start(self) -> None:
        """Start the cluster; on return it answers."""

    @abstractmethod
    def do(self, command: Command) -> asyncio.Future[Step]:
        """Begin a command; the future, of the lab's loop, brings its Step, or what it raised."""

    @abstractmethod
    def tick(self, elapsed_s: float) -> bool:
        """So much real time has passed: let the world go on, if it needs that; True if something happened."""

    @abstractmethod
    def badge(self, held: bool, missed: int) -> str:
        """What the screen says of time."""

    @property
    @abstractmethod
    def freezes(self) -> bool:
        """Whether the world stands still while the view is held."""

    def under_way(self) -> list[UnderWay] | None:
        """The messages under way; None where only the events tell of them."""
        return None

    async def close(self) -> None:
        """End every node."""
        await self.world.close()


class LiveDriver(Driver):
    """Real processes: time passes whether one looks or not."""

    freezes = False
    kind = "process"

    def __init__(self, world: World) -> None:
        self.world = world
        self.session = Session(world)

    async def start(self) -> None:
        await self.world.start()

    def do(self, command: Command) -> asyncio.Future[Step]:
        return asyncio.ensure_future(self.session.do(command))

    def tick(self, elapsed_s: float) -> bool:
        return False

    def badge(self, held: bool, missed: int) -> str:
        return f"PAUSED +{missed}" if held else "LIVE"


class SimDriver(Driver):
    """The simulator: time passes as the lab lets it, faster, slower, or one step at a time."""

    freezes = True
    kind = "sim"

    def __init__(self, world: SimWorld) -> None:
        self.world: SimWorld = world
        self.session = Session(world)
        self._speed = SPEEDS.index(1.0)

    @property
    def speed(self) -> float:
        return SPEEDS[self._speed]

    def change_speed(self, by: int) -> None:
        """By so many doublings, up to the ends of the scale."""
        self._speed = min(max(0, self._speed + by), len(SPEEDS) - 1)

    async def start(self) -> None:
        await self._bridged(lambda world: world.start())

    def do(self, command: Command) -> asyncio.Future[Step]:
        return self._bridged(lambda _: self.session.do(command))

    def _bridged(self, action: Callable[[SimWorld], Coroutine[Any, Any, T]]) -> asyncio.Future[T]:
        """Begin something on the world's loop; its outcome arrives in a future of the running one."""
        here: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def arrive(there: asyncio.Future[T]) -> None:
            if here.cancelled():
                return
            if there.cancelled():
                here.cancel()
            elif (error := there.exception()) is not None:
                here.set_exception(error)
            else:
                here.set_result(there.result())

        there = self.world.submit(action)
        if there.done():
            arrive(there)
        else:
            there.add_done_callback(arrive)
        return here

    def tick(self, elapsed_s: float) -> bool:
        """Run virtual time up to where it should be by now; a world too busy for that falls behind."""
        before = self.world.steps
        target_ms = self.world.at_ms() + min(elapsed_s, 0.25) * 1000 * self.speed
        end_s = time.perf_counter() + BUDGET_S
        while self.world.at_ms() < target_ms and time.perf_counter() < end_s:
            self.world.run_to(min(self.world.at_ms() + SLICE_MS, target_ms))
        return self.world.steps > before

    def under_way(self) -> list[UnderWay] | None:
        return self.world.under_way()

    def step(self) -> bool:
        """Deliver the next message or fire the next timer; False if nothing is left to happen."""
        return self.world.step()

    def badge(self, held: bool, missed: int) -> str:
        speed = f" x{self.speed:g}" if self.speed != 1.0 else ""
        return f"SIM step {self.world.steps}{speed}{' PAUSED' if held else ''}"
