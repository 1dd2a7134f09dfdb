"""Run a scenario from its first line to its last, or to the first one that does not hold."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence

import msgspec

from kvlab.check.history import Operation
from kvlab.config import ClusterConfig
from kvlab.errors import OwnCodeFailed, UserError
from kvlab.script.commands import At, Cluster
from kvlab.script.parse import Line, Problem, Scenario, ScriptError
from kvlab.script.session import Failure, Session, Step
from kvlab.world.world import World

LAST_SHOWN = 5
"""How many of the last operations explain a failure."""


class Report(msgspec.Struct, frozen=True):
    """How a run ended: every step that was done, and why it went no further, if it did not."""

    steps: tuple[Step, ...]
    began_ms: float
    """By the world's clock, as the times of the steps are; it began to run when the nodes were started."""
    took_ms: float
    failure: Failure | None = None
    last: tuple[Operation, ...] = ()
    """The last operations before a failure, oldest first."""
    history: tuple[Operation, ...] = ()
    """All that clients did and saw, as operations ended."""

    @property
    def holds(self) -> bool:
        """Whether every expectation and check held."""
        return self.failure is None


def config_of(scenario: Scenario, seed: int | None = None) -> ClusterConfig:
    """The cluster that a scenario asks for; `seed` overrides the script's own."""
    return scenario.cluster.config(seed)


async def run_scenario(
    scenario: Scenario,
    world: World,
    *,
    watch: Callable[[Step], None] = lambda step: None,
    say: Callable[[str], None] = lambda text: None,
    begin: Callable[[Line], None] = lambda line: None,
) -> Report:
    """Do every command on a world that has been started; tell `begin` of each, and `watch` as it ends.

    Stops at the first expectation or check that does not hold: what follows would only echo it. Raises
    ScriptError, which points at the line, for a command that turns out to make no sense, such as killing
    a node that is already dead.
    """
    session = Session(world, say)
    steps: list[Step] = []
    begun = world.at_ms()

    async def do(line: Line) -> None:
        begin(line)
        try:
            step = await session.do(line.command, line.number)
        except OwnCodeFailed:  # the script is as it should be
            raise
        except UserError as error:
            problem = Problem(line.number, line.text, 0, len(line.text), str(error))
            raise ScriptError(scenario.name, [problem]) from error
        steps.append(step)
        watch(step)

    for at_once in together(scenario.lines):
        done = len(steps)
        await asyncio.gather(*map(do, at_once))
        failures = [step.failure for step in steps[done:] if step.failure is not None]
        if failures:
            last = tuple(session.history[-LAST_SHOWN:])
            return Report(
                tuple(steps), begun, world.at_ms() - begun, failures[0], last, tuple(session.history)
            )
    return Report(tuple(steps), begun, world.at_ms() - begun, history=tuple(session.history))


def together(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """The commands in their order, those of one timeline together."""
    for timed, block in itertools.groupby(lines, lambda line: isinstance(line.command, At)):
        if timed:
            yield list(block)
        else:
            # The world is what `cluster` asked for.
            yield from ([line] for line in block if not isinstance(line.command, Cluster))
