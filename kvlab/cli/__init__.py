"""The command line: `kvlab COMMAND`. Each command imports what it needs when it runs."""

from __future__ import annotations

import difflib
import errno
import importlib
import sys

import click

from kvlab import __version__
from kvlab.errors import KvlabError, UserError

COMMANDS = {
    "lab": ("kvlab.cli.lab:lab_command", "Open the lab: a live cluster that you watch, kill and cut."),
    "serve": ("kvlab.cli.serve:serve_command", "Open the lab in a browser on this machine."),
    "demo": ("kvlab.cli.demo:demo_command", "Present a stage to a room, one key a step."),
    "up": ("kvlab.cli.up:up_command", "Run a cluster of Redis-speaking nodes until Ctrl-C."),
    "run": ("kvlab.cli.run:run_command", "Run a scenario and judge it."),
    "replay": ("kvlab.cli.replay:replay_command", "Look again at what was recorded, at any moment of it."),
    "fuzz": ("kvlab.cli.fuzz:fuzz_command", "Run many seeds of a stage under faults, and judge them."),
    "stages": ("kvlab.cli.stages:stages_command", "List the stages and what each adds."),
    "diff": ("kvlab.cli.stages:diff_command", "Show what one stage changes in another: the lesson itself."),
    "scorecard": (
        "kvlab.cli.scorecard:scorecard_command",
        "Measure how each stage answers the five wishes.",
    ),
    "init": ("kvlab.cli.course:init_command", "Make a folder of your own for the exercises."),
    "watch": ("kvlab.cli.watch:watch_command", "Check your piece each time that you save it."),
    "check": ("kvlab.cli.check:check_command", "Check your piece of a chapter."),
    "hint": ("kvlab.cli.course:hint_command", "Show the next hint for a chapter."),
    "reset": ("kvlab.cli.course:reset_command", "Put a chapter's starter into place again."),
    "solution": ("kvlab.cli.course:solution_command", "Show the reference of a chapter."),
    "progress": ("kvlab.cli.course:progress_command", "Show how far you are."),
    "predict": ("kvlab.cli.exercises:predict_command", "Guess what a cluster will do, and see it do it."),
    "break": ("kvlab.cli.exercises:break_command", "Break a stage with a scenario of your own."),
    "measure": ("kvlab.cli.exercises:measure_command", "Run a chapter's experiment."),
    "grade": ("kvlab.cli.grade:grade_command", "Grade a folder of submissions."),
    "doctor": ("kvlab.doctor:doctor_command", "Say whether this machine is fit, and what to do if not."),
    "completion": (
        "kvlab.cli.stages:completion_command",
        "Print the line that makes your shell complete kvlab.",
    ),
}


class Commands(click.Group):
    """Commands by name, imported when they are called: `kvlab up` must not pay for the lab."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            close = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]}?" if close else f"the commands are {', '.join(COMMANDS)}"
            ctx.fail(f"there is no command {name!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return self._invoke(ctx)
        except click.ClickException as error:
            from kvlab.cli.say import as_told

            raise as_told(error) from error

    def _invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise click.UsageError(str(error)) from error  # exit code 2, as for a flag that there is not
        except KvlabError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise click.ClickException(f"there is no room to write to: {error}") from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kvlab")
def main() -> None:
    """kvlab: a textbook that runs.

    Build a Dynamo-style key-value store in nine stages; at each, what you built is a real cluster of
    processes on this machine. Begin with `kvlab doctor`, then `kvlab lab 4`; to build it, `kvlab init ~/kv`.
    """
    if "" not in sys.path:
        sys.path.append("")  # where one works: there one's own merge function is (--resolve module:name)
