"""Judge: do a plan in a world, and say what became of it.

Four things can: it holds; it is undecided; it fails, for the store does not keep what it claims or a node
has a bug; or we fail, for the checker or the fuzzer itself has a bug. The last is never told as a failure of
the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from kvlab.check.claims import Fault
from kvlab.check.history import CheckerFailed, Operation, Verdict
from kvlab.config import ClusterConfig
from kvlab.fuzz.plan import Plan, plan
from kvlab.script.run import Report, run_scenario, together
from kvlab.stages.pieces import PieceFailed
from kvlab.trace import events
from kvlab.trace.events import AnyEvent
from kvlab.world.sim import SimWorld
from kvlab.world.sim.loop import StuckError

ENDS_WITHIN_MS = 600_000
"""A plan takes less than a minute of simulated time; what has not ended after ten never will."""

MakeWorld = Callable[[ClusterConfig], SimWorld]


class Kind(StrEnum):
    HOLDS = "holds"
    UNDECIDED = "undecided"
    VIOLATED = "violated"  # a claim does not hold
    BROKEN = "broken"  # a node raised what nobody expected
    OURS = "ours"  # the checker or the fuzzer did


class Judged(msgspec.Struct, frozen=True):
    """What became of one plan. `claim` and `witness` are those of a violation; `history` is all that clients
    saw, for a failure."""

    plan: Plan
    kind: Kind
    claim: str = ""
    sentence: str = ""
    witness: tuple[Operation, ...] = ()
    history: tuple[Operation, ...] = ()
    events: tuple[AnyEvent, ...] = ()
    """All that happened, if that was asked for."""

    @property
    def failed(self) -> bool:
        return self.kind in (Kind.VIOLATED, Kind.BROKEN)

    def same_failure(self, other: Judged) -> bool:
        """Whether the other one fails in the same way."""
        return self.failed and (self.kind, self.claim) == (other.kind, other.claim)


def judge_seed(
    config: ClusterConfig,
    seed: int,
    faults: Sequence[Fault] | None = None,
    guarantees: Sequence[str] | None = None,
    make_world: MakeWorld = SimWorld,
) -> Judged:
    """Plan this seed's run and judge it."""
    return judge(plan(config, seed, faults, guarantees), make_world)


def judge(plan: Plan, make_world: MakeWorld = SimWorld, *, recorded: bool = False) -> Judged:
    """Do a plan in a simulated world. Costs what its messages cost: some 50 ms."""
    told: list[AnyEvent] = []
    faults: list[events.NodeFault] = []

    def watch(event: AnyEvent) -> None:
        if isinstance(event, events.NodeFault):
            faults.append(event)
        if recorded:
            told.append(event)

    world = make_world(plan.cluster.config())
    world.watch(watch)
    scenario = plan.scenario()
    ended: set[int] = set()

    async def main() -> Report:
        async with world, asyncio.timeout(ENDS_WITHIN_MS / 1000):
            return await run_scenario(scenario, world, watch=lambda step: ended.add(step.line))

    try:
        judged = of_report(plan, world.run(main()))
    except TimeoutError:
        lines = [line for block in together(scenario.lines) for line in block]
        first = next(line.text for line in lines if line.number not in ended)
        minutes = ENDS_WITHIN_MS // 60_000
        judged = Judged(
            plan, Kind.BROKEN, "", f"after {minutes} simulated minutes this had not ended: {first}"
        )
    except CheckerFailed as error:
        judged = checker_failed(plan, error)
    except StuckError as error:
        judged = Judged(plan, Kind.BROKEN, "", str(error))
    except PieceFailed:
        raise  # no node could be made with the reader's piece: that is for who asked for it
    except Exception as error:
        if faults:
            judged = broken(plan, faults[0])
        else:
            judged = Judged(plan, Kind.OURS, "", f"{type(error).__name__}: {error}")
    return msgspec.structs.replace(judged, events=tuple(told))


def of_report(plan: Plan, report: Report) -> Judged:
    """What a scenario's report means for its plan."""
    failure = report.failure
    if failure is None:
        return Judged(plan, Kind.HOLDS)
    kind = Kind.UNDECIDED if failure.verdict is Verdict.UNDECIDED else Kind.VIOLATED
    sentence = failure.found.removeprefix(f"{failure.verdict}: ")
    return Judged(plan, kind, failure.expected, sentence, failure.witness, report.history)


def broken(plan: Plan, fault: events.NodeFault) -> Judged:
    """What it means that a node has raised what nobody expected."""
    return Judged(plan, Kind.BROKEN, "", f"{fault.node} has a bug: {fault.error}")


def checker_failed(plan: Plan, error: CheckerFailed) -> Judged:
    """What it means that the checker could not judge."""
    return Judged(plan, Kind.OURS, error.claim, str(error), history=tuple(error.history))
