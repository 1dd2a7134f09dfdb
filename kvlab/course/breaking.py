"""Break: a scenario of the reader's that makes a stage violate what it might have been taken to guarantee.

The chapter says which guarantee. The reader's lines are done in the simulator, every expectation in them has
to hold, and then the checker of just that guarantee has to find a proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from kvlab.check.history import Verdict
from kvlab.course.checking import rows
from kvlab.errors import UserError
from kvlab.fuzz.tell import drawn
from kvlab.script.commands import CONFIG_FIELDS, At, Cluster
from kvlab.script.parse import Line, Scenario, parse_line
from kvlab.script.run import Report, config_of, run_scenario
from kvlab.stages.pieces import Break, Chapter
from kvlab.trace.events import AnyEvent
from kvlab.world.sim import SimWorld

SETTLING = ("heal", "wait 10s")
"""Done before replicas are compared: what is still on its way is not lost."""


SEEN_MAX = 12
"""So many operations are told of a scenario that broke nothing, the last ones."""


class Became(StrEnum):
    BROKEN = "broken"  # the guarantee is, as it was to be
    HELD = "held"
    UNDECIDED = "undecided"
    ASTRAY = "astray"  # an expectation of the reader's own does not hold


class Broken(msgspec.Struct, frozen=True):
    """What became of one scenario, and why, in lines."""

    became: Became
    sentence: str
    proof: tuple[str, ...] = ()
    """Operations: those that prove it or, if nothing was broken, those that were done last."""
    diagram: tuple[str, ...] = ()


def wanted(chapter: Chapter) -> Break:
    """What is to be broken. Raises UserError where there is nothing to break."""
    if chapter.breaks is None:
        raise UserError(f"chapter {chapter.number} has nothing to break")
    return chapter.breaks


def objections(chapter: Chapter, scenario: Scenario) -> Iterator[str]:
    """Why this scenario would prove nothing, whatever came of it."""
    breaks = wanted(chapter)
    if scenario.cluster.stage != chapter.number:
        yield f"it runs stage {scenario.cluster.stage}, and it is stage {chapter.number} that is to be broken"
        return
    if breaks.cluster:
        asked = parse_line(f"cluster stage={chapter.number} {breaks.cluster}")
        assert isinstance(asked, Cluster)
        has = SimWorld(config_of(scenario)).config  # with what the stage fills in
        for name, field in CONFIG_FIELDS.items():
            value: Any = getattr(asked, name)
            if value is not None and getattr(has, field) != value:
                got = _said(getattr(has, field))
                yield f"its cluster has {name}={got}, and what is to be broken needs {name}={_said(value)}"
    for line in scenario.lines:
        command = line.command.command if isinstance(line.command, At) else line.command
        word = str(command).split(maxsplit=1)[0]
        if word in breaks.forbids:
            yield f"line {line.number}: it has to do without `{word}`"


def _said(value: object) -> object:
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


def try_to_break(chapter: Chapter, scenario: Scenario) -> Broken:
    """Run it and judge. Raises UserError if it would prove nothing."""
    problems = list(objections(chapter, scenario))
    if problems:
        raise UserError("; ".join(problems))
    guarantee = wanted(chapter).guarantee
    after = [*(SETTLING if guarantee == "convergence" else ()), f"check {guarantee}"]
    end = max(line.number for line in scenario.lines)
    added = [Line(end + i, text, parse_line(text)) for i, text in enumerate(after, start=1)]
    last = added[-1].number
    judged = Scenario(scenario.name, (*scenario.lines, *added))
    told: list[AnyEvent] = []
    world = SimWorld(config_of(scenario))
    world.watch(told.append)

    async def main() -> Report:
        async with world:
            return await run_scenario(judged, world)

    report = world.run(main())
    failure = report.failure
    if failure is None:
        seen = tuple(str(operation).strip() for operation in report.history[-SEEN_MAX:])
        return Broken(Became.HELD, f"{guarantee} holds in all that was done", seen)
    proof = tuple(str(operation).strip() for operation in failure.witness or report.last)
    if failure.line != last and not failure.expected.startswith(f"{guarantee}"):
        return Broken(
            Became.ASTRAY,
            f"line {failure.line} does not hold: expected {failure.expected}, found {failure.found}",
            proof,
        )
    sentence = failure.found.removeprefix(f"{failure.verdict}: ")
    if failure.verdict is Verdict.UNDECIDED:
        return Broken(Became.UNDECIDED, sentence)
    return Broken(Became.BROKEN, sentence, proof, _diagram(told, report))


def _diagram(told: Sequence[AnyEvent], report: Report) -> tuple[str, ...]:
    witness = report.failure.witness if report.failure is not None else ()
    return tuple(drawn(rows(told, [operation.start_ms for operation in witness])))
