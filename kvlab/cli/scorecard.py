"""`kvlab scorecard`: how each stage answers the five wishes, measured in one of the two worlds."""

from __future__ import annotations

import asyncio
import json
import sys

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from kvlab import scorecard, stages
from kvlab.config import ClusterConfig
from kvlab.scorecard import Score
from kvlab.world.sim import SimWorld

LEGEND = """
fast             ms that an operation takes while all is well: half of them, 99 %
available        operations that are done while a node is dead; with the network cut
many, much       times the requests, and the data, that one server could take
one more         copies that move to a node that joins; of six, a fair share is 17 %
reads stale      reads that miss a write which was acknowledged before they began
writes lost      keys without their last acknowledged write, when all is well again
replicas differ  keys whose replicas then hold different things
"""


@click.command(
    "scorecard", epilog="\b\nExamples:\n  kvlab scorecard\n  kvlab scorecard 7 8 9 --seed 5 --world process"
)
@click.argument("numbers", nargs=-1, type=int, metavar="[STAGE]...")
@click.option(
    "--world",
    "world_name",
    type=click.Choice(["sim", "process"]),
    default="sim",
    show_default=True,
    help="Real processes take half a minute a stage.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Where all chance comes from.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a stage.")
def scorecard_command(numbers: tuple[int, ...], world_name: str, seed: int, as_json: bool) -> None:
    """Measure how each STAGE, or all nine, answers what one wishes of a key-value store.

    To be fast, available, to take many requests and much data, and to scale: one workload and one schedule
    of faults for all of them. A node dies and comes back with nothing, the network is cut, a node joins.
    """
    entries = scorecard.entries(numbers or [stage.number for stage in stages.STAGES], seed)
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True,
    )  # fmt: skip
    if not as_json:
        click.echo("\n".join(scorecard.HEAD))
    with progress:
        task = progress.add_task("", total=len(entries))
        for name, config in entries:
            progress.update(task, description=name)
            score = _simulated(name, config) if world_name == "sim" else asyncio.run(_real(name, config))
            progress.advance(task)
            click.echo(json.dumps(msgspec.to_builtins(score)) if as_json else scorecard.row(score))
    if not as_json:
        click.echo(LEGEND.rstrip())


def _simulated(name: str, config: ClusterConfig) -> Score:
    world = SimWorld(config)

    async def main() -> Score:
        async with world:
            return await scorecard.score(name, world)

    return world.run(main())


async def _real(name: str, config: ClusterConfig) -> Score:
    from kvlab.world.process.supervisor import ProcessWorld

    async with ProcessWorld(config) as world:
        return await scorecard.score(name, world)
