"""UnderWay: what `kvlab run` is at, where that takes long. A `wait until` of a minute is no hang."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from kvlab.script.commands import Command, Load, Wait, WaitUntil
from kvlab.script.parse import Line
from kvlab.script.session import WITHIN_MS
from kvlab.world.world import World

LONG_S = 1.0
"""Of what takes less, nothing is said."""


class UnderWay:
    """The step that takes long, on a line of the terminal that is written over and goes when it ends."""

    def __init__(
        self, console: Console, *, seen: bool, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._world: World | None = None
        self._steps: list[tuple[Line | None, float, float]] = []
        """What is under way, the oldest first, and since when: in our seconds, in ms of its world."""
        self.live = Live(
            console=console, get_renderable=self.shown, refresh_per_second=4, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        ) if seen else None  # fmt: skip

    @contextlib.contextmanager
    def shown_for(self, world: World) -> Iterator[None]:
        """While this runs, in this world."""
        self._world = world
        self.begin(None)
        with self.live or contextlib.nullcontext():
            yield

    def begin(self, line: Line | None) -> None:
        """It is begun; None for the start of the nodes."""
        at_ms = self._world.at_ms() if self._world is not None else 0
        self._steps = [step for step in self._steps if step[0] is not None]
        self._steps.append((line, self._seconds(), at_ms))

    def end(self, number: int) -> None:
        """The step on this line of the file has ended."""
        self._steps = [step for step in self._steps if step[0] is not None and step[0].number != number]

    def shown(self) -> RenderableType:
        """Nothing, or the oldest that is under way, how long it has been, and how long it may be."""
        steps = self._steps  # this is asked by a thread of Live's
        if not steps or self._world is None or self._seconds() - steps[0][1] < LONG_S:
            return Group()
        (line, _, since_ms), *others = steps
        if line is None:
            return Text(f"         starting {len(self._world.config.members())} nodes ...", style="dim")
        limit, more = limit_ms(line.command), f" and {len(others)} more" if others else ""
        took = f"{(self._world.at_ms() - since_ms) / 1000:.0f}{f' of {limit / 1000:g}' if limit else ''} s"
        said = f"{since_ms / 1000:6.2f}s  {line.command}{more}: {took}"
        return Text(said, style="dim", no_wrap=True, overflow="ellipsis")


def limit_ms(command: Command) -> int | None:
    """How long it takes at most, if it says so itself."""
    match command:
        case Wait(ms):
            return ms
        case WaitUntil(_, within):
            return within or WITHIN_MS
        case Load():
            return command.ms
        case _:
            return None
