"""`kvlab lab N`: watch a cluster of a stage, cut it in two, kill it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from kvlab import stages
from kvlab.cli_options import cluster_options, config_of
from kvlab.config import ClusterConfig
from kvlab.errors import KvlabError, UserError

DEFAULTS = {"timeout_ms": 1500, "vnodes": 8}
"""A silent peer is waited for long enough to be watched; an arc of the ring is some characters long."""


@click.command("lab")
@click.argument("stage", type=int)
@click.option(
    "--world",
    type=click.Choice(["process", "sim"]),
    default="process",
    show_default=True,
    help="Real processes, or all nodes simulated in one.",
)
@cluster_options(**DEFAULTS)
@click.option("--port", type=int, help="The Redis port of n1; the others follow. Found, if not given.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII alone.")
@click.option("--no-animation", is_flag=True, help="Draw nothing that moves.")
@click.option(
    "--record", type=click.Path(dir_okay=False, path_type=Path), help="Write every event to this file."
)
def lab_command(
    stage: int,
    world: str,
    port: int | None,
    ascii_only: bool,
    no_animation: bool,
    record: Path | None,
    **options: Any,
) -> None:
    """Open the lab on a cluster of STAGE."""
    if world == "sim" and port is not None:
        raise click.UsageError("--port is for real processes; the simulator has no ports")
    try:
        given = {field: value for field, value in options.items() if value is not None}
        config = stages.checked(config_of(stage, **{**DEFAULTS, **given}))
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise KvlabError("the lab needs a terminal; `kvlab run FILE` and `kvlab up N` do not")
        asyncio.run(_lab(config, world, port, record, ascii_only=ascii_only, animate=not no_animation))
    except UserError as error:
        raise click.UsageError(str(error)) from None
    except KvlabError as error:
        raise click.ClickException(str(error)) from None


async def _lab(
    config: ClusterConfig,
    world: str,
    port: int | None,
    record: Path | None,
    *,
    ascii_only: bool,
    animate: bool,
) -> None:
    # Textual takes 0.3 s to import, and every other command is the quicker for not having it.
    from kvlab.lab.app import LabApp, run_lab, theme_for
    from kvlab.lab.driver import Driver, LiveDriver, SimDriver
    from kvlab.trace.recording import Recorder
    from kvlab.world.process import ProcessWorld
    from kvlab.world.sim import SimWorld

    driver: Driver = (
        LiveDriver(ProcessWorld(config, port=port)) if world == "process" else SimDriver(SimWorld(config))
    )
    recorder = Recorder(record, config, world) if record is not None else None
    await run_lab(LabApp(driver, theme_for(ascii=ascii_only), animate=animate, recorder=recorder))
