"""`kvlab run`: do a scenario, line by line, in one of the two worlds.

Exit 0: every expectation and check holds. Exit 1: one does not. Exit 2: the file cannot be understood, or
what it asks makes no sense.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from kvlab.check.history import Operation
from kvlab.cli.options import mine_of, mine_options, recorded
from kvlab.cli.say import say
from kvlab.cli.under_way import UnderWay
from kvlab.course.page import filled, offered, width
from kvlab.errors import Outcome, UserError
from kvlab.script.commands import USAGE, Predict, Say
from kvlab.script.parse import Scenario, ScriptError
from kvlab.script.rehearsal import read_scenario
from kvlab.script.run import Report, config_of, run_scenario
from kvlab.script.session import Step
from kvlab.world.world import World

_COLOURS = {Outcome.OK: "green", Outcome.FAILED: "red", Outcome.UNKNOWN: "yellow"}
_COMMAND_WIDTH = 44


class Printed:
    """What a person reads: a line a command as it happens, narration set apart, a summary."""

    def __init__(self, replay: str) -> None:
        self.replay = replay
        # Rich honours NO_COLOR, and writes no colour into a pipe.
        self.console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
        self.under_way = UnderWay(self.console, seen=sys.stdout.isatty())

    def step(self, step: Step) -> None:
        """One command that has been done."""
        self.under_way.end(step.line)
        if isinstance(step.command, Say | Predict):
            return  # said already
        at, command = f"{step.at_ms / 1000:6.2f}s  ", f"{step.command!s:<{_COMMAND_WIDTH}}"
        named = ", ".join(f"{place} is {name}" for place, name in dict(step.nodes).items())
        places = f"({named})" if named else ""
        colour = "bold red" if step.failure else _COLOURS.get(step.outcome, "") if step.outcome else ""
        if len("  ".join([at + command, *filter(None, (step.text, places))])) <= width():
            text = Text(at + command)
            text.append(f"  {step.text}" if step.text else "", style=colour)
            text.append(f"  {places}" if places else "", style="dim")
            text.rstrip()
        else:  # what came of it has lines of its own, below
            text = Text(filled(str(step.command), at))
            said = "  ".join(filter(None, (step.text, places)))
            text.append("\n" + filled(said, " " * (len(at) + 2)) if said else "", style=colour)
        self.console.print(text)

    def say(self, text: str) -> None:
        """The narration."""
        self.console.print(Text("\n" + filled(text, "    "), style="bold"))

    def report(self, report: Report, scenario: Scenario) -> None:
        """How it ended, and if badly, why and how to see it again."""
        if report.failure is None:
            first, last = (ms / 1000 for ms in (report.began_ms, report.began_ms + report.took_ms))
            when = f"from {first:.2f}s to {last:.2f}s after the nodes were started"
            said = filled(f"{scenario.name}: all of it holds ({when})", others="  ")
            self.console.print(Text(f"\n{said}", style="green"))
            return
        failure = report.failure
        shown = [
            "\n" + filled(f"{scenario.name}, line {failure.line}: this does not hold", others="  "),
            filled(failure.expected, "    expected  "),
            filled(failure.found, "    found     "),
        ]
        shown += _listed("the proof:", failure.witness)
        if not failure.witness:
            shown += _listed("the last operations:", report.last)
        shown.append(offered("    again    ", self.replay))
        self.console.print(Text("\n".join(shown), style="red"))


def _listed(title: str, operations: tuple[Operation, ...]) -> list[str]:
    if not operations:
        return []
    return [f"    {title}", *(filled(str(operation), "      ", " " * 10) for operation in operations)]


class Json:
    """What a program reads: one object a line."""

    def __init__(self, replay: str) -> None:
        self.replay = replay
        self.under_way = UnderWay(Console(stderr=True), seen=False)

    def step(self, step: Step) -> None:
        """One command that has been done."""
        told: dict[str, object] = {
            "type": "step",
            "line": step.line,
            "command": str(step.command),
            "at_ms": round(step.at_ms, 3),
            "took_ms": round(step.took_ms, 3),
            "outcome": step.outcome,
            "error": step.error or None,
            "text": step.text,
            "holds": step.failure is None,
            "nodes": {place: str(name) for place, name in step.nodes},
        }
        print(json.dumps(told), flush=True)

    def say(self, text: str) -> None:
        """The narration."""
        print(json.dumps({"type": "say", "text": text}), flush=True)

    def report(self, report: Report, scenario: Scenario) -> None:
        """How it ended."""
        told: dict[str, object] = {
            "type": "report",
            "scenario": scenario.name,
            "holds": report.holds,
            "began_ms": round(report.began_ms, 3),
            "took_ms": round(report.took_ms, 3),
            "steps": len(report.steps),
        }
        if report.failure is not None:
            told |= {
                "line": report.failure.line,
                "expected": report.failure.expected,
                "found": report.failure.found,
                "witness": [str(operation) for operation in report.failure.witness],
                "last": [str(operation) for operation in report.last],
                "replay": self.replay,
            }
        print(json.dumps(told), flush=True)


EPILOG = "\b\nThe commands, one a line; the first is cluster:\n" + "\n".join(
    f"  {usage}" for usage in USAGE.values()
)


@click.command("run", epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--world",
    "world_name",
    type=click.Choice(["process", "sim"]),
    default="process",
    show_default=True,
    help="Real processes, or all nodes on virtual time.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Of every chance in it; default: the script's own.")
@mine_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every event to this file, for kvlab replay.",
)
def run_command(
    file: Path,
    world_name: str,
    seed: int | None,
    as_json: bool,
    record: Path | None,
    mine: bool,
    piece: Path | None,
) -> None:
    """Do the commands in FILE, a .scenario, and say whether all of it holds.

    Exit code: 0 if it does, 1 if not, 2 if something in FILE makes no sense.
    """
    try:
        scenario = read_scenario(file)
        config = config_of(scenario, seed)
        config = msgspec.structs.replace(config, mine=mine_of(config.stage, mine, piece))
        replay = f"kvlab run {shlex.quote(str(file))} --world {world_name} --seed {config.seed}"
        if config.mine is not None:
            replay += f" --piece {shlex.quote(str(piece))}" if piece is not None else " --mine"
        told = Json(replay) if as_json else Printed(replay)

        async def main(world: World) -> Report:
            with recorded(record, world.config, world_name) as recorder:
                if recorder is not None:
                    world.watch(recorder)
                with told.under_way.shown_for(world):
                    async with world:
                        return await run_scenario(
                            scenario, world, watch=told.step, say=told.say, begin=told.under_way.begin
                        )

        if world_name == "sim":
            from kvlab.world.sim import SimWorld

            sim = SimWorld(config)
            report = sim.run(main(sim))
        else:
            from kvlab.world.process.supervisor import ProcessWorld

            report = asyncio.run(main(ProcessWorld(config)))
    except ScriptError as error:
        count = len(error.problems)
        say(f"{error}\n\n{count} line{'s'[: count > 1]} of {file} to mend", err=True)
        sys.exit(2)
    except UserError as error:
        say(f"kvlab run: {error}", err=True)
        sys.exit(2)
    told.report(report, scenario)
    sys.exit(0 if report.holds else 1)
