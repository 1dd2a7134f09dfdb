"""`kvlab lab N`: watch a cluster of a stage, cut it in two, kill it. Without N: choose a stage."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kvlab import stages
from kvlab.cli.options import cluster_options, config_of, mine_of, mine_options, recorded
from kvlab.config import ClusterConfig
from kvlab.errors import KvlabError, UserError
from kvlab.stages.pieces import NOT_YET

if TYPE_CHECKING:
    from kvlab.lab.driver import Driver

DEFAULTS = {"timeout_ms": 1500, "vnodes": 8}
"""A silent peer is waited for long enough to be watched; an arc of the ring is some characters long."""


@click.command("lab")
@click.argument("stage", type=int, required=False)
@click.option(
    "--world",
    type=click.Choice(["process", "sim"]),
    default="process",
    show_default=True,
    help="Real processes, or all nodes simulated in one.",
)
@mine_options
@cluster_options(**DEFAULTS)
@click.option("--port", type=int, help="The Redis port of n1; the others follow. Found, if not given.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep what nodes hold in this folder, from one run to the next.  [default: in memory]",
)
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII alone.")
@click.option("--no-animation", is_flag=True, help="Draw nothing that moves.")
@click.option("--plain", is_flag=True, help="No screen: sentences on stdout, lines from stdin.")
@click.option(
    "--record", type=click.Path(dir_okay=False, path_type=Path), help="Write every event to this file."
)
def lab_command(
    stage: int | None,
    world: str,
    port: int | None,
    data_dir: Path | None,
    ascii_only: bool,
    no_animation: bool,
    plain: bool,
    record: Path | None,
    mine: bool,
    piece: Path | None,
    **options: Any,
) -> None:
    """Open the lab on a cluster of STAGE; without one, choose it first."""
    if world == "sim" and port is not None:
        raise click.UsageError("--port is for real processes; the simulator has no ports")
    if world == "sim" and data_dir is not None:
        raise click.UsageError("--data-dir is for real processes; simulated disks go with the simulator")
    if plain and stage is None:
        raise UserError("--plain needs a stage, as in `kvlab lab 4 --plain`; `kvlab stages` lists them")
    given = {field: value for field, value in options.items() if value is not None}
    if stage is None and (mine or piece is not None):
        raise UserError("your piece of which stage? As in `kvlab lab 5 --mine`")
    if stage is not None:
        given["mine"] = mine_of(stage, mine, piece)
    if stage is not None:  # what is wrong with the cluster is told before what is wrong with the terminal
        stages.checked(config_of(stage, **{**DEFAULTS, **given}))
    if not plain:
        require_screen("`kvlab lab N --plain`, `kvlab run FILE` and `kvlab up N` do not")
    if stage is None:
        stage = asyncio.run(_choose(ascii_only=ascii_only))
        if stage is None:
            return
    config = stages.checked(config_of(stage, **{**DEFAULTS, **given}))
    driver = _driver(config, world, port, data_dir)
    try:
        if plain:
            asyncio.run(_plain(driver, record))
        else:
            asyncio.run(_lab(driver, record, ascii_only=ascii_only, animate=not no_animation))
    except KvlabError as error:
        if config.mine is None or not str(error).endswith(NOT_YET):
            raise
        raise UserError(
            f"{error}, and without it no node can start. Write it, run `kvlab check {stage}`, and open the "
            f"lab again. Without --mine, `kvlab lab {stage}` runs our code"
        ) from None


def require_screen(otherwise: str) -> None:
    """Raise KvlabError if there is neither a terminal nor a browser (kvlab serve) to draw on.

    `otherwise`: which commands do not need one.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()) and not _in_browser():
        raise KvlabError(f"the lab needs a terminal; {otherwise}")


def _in_browser() -> bool:
    """Whether textual-serve runs this process for a tab of a browser."""
    return bool(os.environ.get("TEXTUAL_DRIVER"))


def _driver(config: ClusterConfig, world: str, port: int | None, data_dir: Path | None) -> Driver:
    from kvlab.lab.driver import LiveDriver, SimDriver
    from kvlab.world.process.supervisor import ProcessWorld
    from kvlab.world.sim import SimWorld

    if world == "sim":
        return SimDriver(SimWorld(config))
    return LiveDriver(ProcessWorld(config, port=port, data_dir=data_dir))


async def _choose(*, ascii_only: bool) -> int | None:
    """The start screen: the stage that is chosen; None to leave."""
    from kvlab.lab import state
    from kvlab.lab.app import theme_for
    from kvlab.lab.start import StartApp

    with terminal_kept():
        return await StartApp(state.known(), theme_for(ascii=ascii_only)).run_async()


async def _lab(driver: Driver, record: Path | None, *, ascii_only: bool, animate: bool) -> None:
    # Textual takes 0.3 s to import, and every other command is the quicker for not having it.
    from kvlab.lab import state
    from kvlab.lab.app import LabApp, run_lab, theme_for

    with recorded(record, driver.config, driver.kind) as recorder:
        state.note_opened(driver.config.stage)
        with terminal_kept():
            await run_lab(LabApp(driver, theme_for(ascii=ascii_only), animate=animate, recorder=recorder))


async def _plain(driver: Driver, record: Path | None) -> None:
    from kvlab.lab.plain import run_plain

    with recorded(record, driver.config, driver.kind) as recorder:
        if recorder is not None:
            driver.record(recorder)
        await run_plain(driver)


def terminal_kept() -> contextlib.AbstractContextManager[None]:
    """Whatever becomes of this process, its terminal is as it was."""
    from kvlab.lab.guard import guarded

    return guarded() if sys.stdin.isatty() else contextlib.nullcontext()
