"""`kvlab serve [N]`: the lab in a browser on this machine."""

from __future__ import annotations

import asyncio
import importlib.util

import click

from kvlab import stages
from kvlab.errors import KvlabError


@click.command("serve")
@click.argument("stage", type=int, required=False)
@click.option(
    "--port", type=click.IntRange(1024, 65535), default=8000, show_default=True, help="Of the page."
)
@click.option(
    "--world",
    type=click.Choice(["process", "sim"]),
    default="process",
    show_default=True,
    help="Real processes, or all nodes simulated in one.",
)
def serve_command(stage: int | None, port: int, world: str) -> None:
    """Open the lab on STAGE in a browser on this machine; without one, on the first not opened so far.

    Each tab has a cluster of its own, which ends with the tab. Nobody but this machine can connect.
    """
    if importlib.util.find_spec("textual_serve") is None:
        raise KvlabError("kvlab serve needs textual-serve: in the clone, `pip install '.[serve]'`")
    from kvlab.lab import state
    from kvlab.lab.draw.start import next_stage

    number = stage if stage is not None else next_stage(state.known())
    known = stages.find(number)
    from kvlab.lab.serve import LabServer

    click.echo(f"{known.title}. Each tab of the browser has a cluster of its own.")
    asyncio.run(LabServer([str(number), "--world", world], port).run())
