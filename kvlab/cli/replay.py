"""`kvlab replay FILE`: a recording in the lab, or told in sentences."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click

from kvlab.cli.lab import require_screen, terminal_kept
from kvlab.cli.say import say
from kvlab.errors import KvlabError, UserError
from kvlab.trace.recording import Recording

LARGE_BYTES = 10_000_000
"""What takes longer to read than one likes to wait without a word."""

EPILOG = """\b
Examples:
  kvlab lab 8 --record run.kvlab          record what you do and see
  kvlab run story.scenario --record run.kvlab
  kvlab replay run.kvlab                  and look at it: space plays and holds, n and b are steps
  kvlab replay run.kvlab --plain | grep killed
"""


@click.command("replay", epilog=EPILOG)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--plain", is_flag=True, help="No screen: sentences on stdout, all of them at once.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII alone.")
@click.option("--no-animation", is_flag=True, help="Draw nothing that moves.")
def replay_command(file: Path, plain: bool, ascii_only: bool, no_animation: bool) -> None:
    """Look again at what was recorded in FILE: the lab, with a log in place of a cluster.

    FILE is what --record has written, or what a crash of the lab has left.

    Exit code: 2 if it cannot be understood.
    """
    try:
        recording = Recording(file)
        if plain:
            _tell(recording)
            return
        require_screen("`kvlab replay FILE --plain` does not")
        asyncio.run(_look(recording, ascii_only=ascii_only, animate=not no_animation))
    except UserError as error:
        say(f"kvlab replay: {error}", err=True)
        sys.exit(2)
    except KvlabError as error:
        raise click.ClickException(str(error)) from None


def _tell(recording: Recording) -> None:
    from kvlab.lab.plain import Teller
    from kvlab.lab.replay import checked
    from kvlab.script.commands import Cluster
    from kvlab.trace.model import Model

    config = checked(recording)
    teller, model = Teller(), Model(config)
    try:
        print(f"The cluster: {Cluster.of(config)}")
        for event in recording:
            model.apply(event)
            for sentence in teller.take(model, event):
                print(sentence)
        for sentence in teller.rest():
            print(sentence)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read this has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if recording.cut_off:
        say(f"kvlab replay: {recording.cut_off}", err=True)


async def _look(recording: Recording, *, ascii_only: bool, animate: bool) -> None:
    # Textual takes 0.3 s to import, and every other command is the quicker for not having it.
    from kvlab.lab.app import LabApp, run_lab, theme_for
    from kvlab.lab.replay import ReplayDriver

    if (size := recording.path.stat().st_size) > LARGE_BYTES:
        say(f"reading {recording.path}, {size / 1e6:.0f} MB ...", err=True)
    driver = ReplayDriver(recording)
    with terminal_kept():
        await run_lab(LabApp(driver, theme_for(ascii=ascii_only), animate=animate, first_put=False))
