"""`kvlab demo N`: present the script of a chapter on a living cluster, on a screen or as plain lines."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from kvlab import stages
from kvlab.cli.lab import terminal_kept
from kvlab.cli.say import say
from kvlab.course.page import filled
from kvlab.errors import KvlabError
from kvlab.script.demos import about, demo, demos
from kvlab.script.parse import Scenario
from kvlab.script.rehearsal import read_scenario
from kvlab.script.run import config_of

if TYPE_CHECKING:
    from kvlab.config import ClusterConfig
    from kvlab.world.world import World

EPILOG = """\b
Examples:
  kvlab demo 5                 present stage 5; the right arrow is the next step
  kvlab demo 5 --world sim     the same in the simulator: going back takes no time
  kvlab demo 5 --step          without a screen: Enter is the next step
  kvlab demo --list            what each demo is about
"""


@click.command("demo", epilog=EPILOG)
@click.argument("stage", type=int, required=False)
@click.option("--list", "listed", is_flag=True, help="List the demos.")
@click.option(
    "--world",
    "world_name",
    type=click.Choice(["process", "sim"]),
    default="process",
    show_default=True,
    help="Real processes, or all nodes simulated in one.",
)
@click.option("--step", "plain", is_flag=True, help="Print it, without a screen; Enter is the next step.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII alone.")
@click.option("--no-animation", is_flag=True, help="Draw nothing that moves.")
def demo_command(
    stage: int | None, listed: bool, world_name: str, plain: bool, ascii_only: bool, no_animation: bool
) -> None:
    """Present STAGE to a room: what to say, what to ask, and a cluster that does it.

    Without STAGE, the demos are listed. With --step, the exit code is 1 if something did not hold.
    """
    if listed or stage is None:
        for path in demos().values():
            say(about(path))
        say("\n`kvlab demo N` presents one of them.")
        return
    scenario = read_scenario(demo(stage))
    config = stages.checked(config_of(scenario))
    if plain:
        sys.exit(0 if _printed(scenario, config, world_name) else 1)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise KvlabError("a demo needs a terminal; `kvlab demo N --step` prints it, also into a pipe")
    asyncio.run(_on_screen(scenario, config, world_name, ascii_only=ascii_only, animate=not no_animation))


async def _on_screen(
    scenario: Scenario, config: ClusterConfig, world_name: str, *, ascii_only: bool, animate: bool
) -> None:
    # Textual takes 0.3 s to import, and every other command is the quicker for not having it.
    from kvlab.lab.app import run_lab, theme_for
    from kvlab.lab.demo import DemoApp
    from kvlab.lab.driver import LiveDriver, SimDriver, WorldDriver
    from kvlab.world.process.supervisor import ProcessWorld
    from kvlab.world.sim import SimWorld

    def make_driver() -> WorldDriver:
        return LiveDriver(ProcessWorld(config)) if world_name == "process" else SimDriver(SimWorld(config))

    with terminal_kept():
        await run_lab(DemoApp(scenario, make_driver, theme_for(ascii=ascii_only), animate=animate))


def _tell(text: str) -> None:
    """A line of the demo, as far to the right as it stands."""
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        click.echo(filled(line, others=f"{indent}  ") if line else "")


def _printed(scenario: Scenario, config: ClusterConfig, world_name: str) -> bool:
    """Print it step by step; returns whether all of it held."""
    from kvlab.lab.plain_demo import Enter, present

    async def main(world: World) -> bool:
        async with world:
            return await present(scenario, world, _tell, Enter(sys.stdin.fileno()).asked)

    if world_name == "sim":
        from kvlab.world.sim import SimWorld

        sim = SimWorld(config)
        return sim.run(main(sim))
    from kvlab.world.process.supervisor import ProcessWorld

    return asyncio.run(main(ProcessWorld(config)))
