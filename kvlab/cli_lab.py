"""`kvlab lab N`: watch a cluster of a stage, cut it in two, kill it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from kvlab import stages
from kvlab.config import ClusterConfig
from kvlab.errors import KvlabError, UserError

TIMEOUT_MS = 1500
"""How long a node waits for a silent peer here: long enough to be watched."""
VNODES = 8
"""Tokens a node: an arc on the screen is then some characters long. Other commands take 16."""


@click.command("lab")
@click.argument("stage", type=int)
@click.option(
    "--world",
    type=click.Choice(["process", "sim"]),
    default="process",
    show_default=True,
    help="Real processes, or all nodes simulated in one.",
)
@click.option("--nodes", type=int, default=5, show_default=True, help="How many nodes to start.")
@click.option("--n", type=int, help="How many replicas hold a key (3, or as many as there are nodes).")
@click.option("--r", type=int, help="How many replicas answer a read.")
@click.option("--w", type=int, help="How many replicas confirm a write.")
@click.option(
    "--zones", type=int, default=1, show_default=True, help="Data centres; nodes are dealt to them."
)
@click.option(
    "--vnodes", type=int, default=VNODES, show_default=True, help="Tokens on the ring for each node."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The seed of everything that is chance.")
@click.option("--port", type=int, help="The Redis port of n1; the others follow. Found, if not given.")
@click.option("--memory", type=int, help="The byte budget of one node's store.")
@click.option(
    "--timeout",
    type=int,
    default=TIMEOUT_MS,
    show_default=True,
    help="How long a node waits for a peer, in ms.",
)
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII alone.")
@click.option("--no-animation", is_flag=True, help="Draw nothing that moves.")
@click.option(
    "--record", type=click.Path(dir_okay=False, path_type=Path), help="Write every event to this file."
)
def lab_command(
    stage: int,
    world: str,
    nodes: int,
    n: int | None,
    r: int | None,
    w: int | None,
    zones: int,
    vnodes: int,
    seed: int,
    port: int | None,
    memory: int | None,
    timeout: int,
    ascii_only: bool,
    no_animation: bool,
    record: Path | None,
) -> None:
    """Open the lab on a cluster of STAGE."""
    if world == "sim" and port is not None:
        raise click.UsageError("--port is for real processes; the simulator has no ports")
    try:
        config = stages.checked(
            ClusterConfig(
                stage=stage, nodes=nodes, n=min(3, nodes) if n is None else n, r=r, w=w, seed=seed,
                zones=zones, vnodes=vnodes, memory_bytes=memory, timeout_ms=timeout,
            )
        )  # fmt: skip
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
