"""`kvlab up N`: a cluster of processes, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kvlab.cli.options import cluster_options, config_of, mine_of, mine_options

if TYPE_CHECKING:
    from kvlab.world.world import World


@click.command("up")
@click.argument("stage", type=int)
@mine_options
@cluster_options()
@click.option(
    "--port", type=int, default=None, help="Redis port of n1; the others follow.  [default: free ones]"
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep what nodes hold in this folder, from one run to the next.  [default: in memory]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def up_command(
    stage: int,
    port: int | None,
    data_dir: Path | None,
    as_json: bool,
    mine: bool,
    piece: Path | None,
    **options: Any,
) -> None:
    """Run a cluster of STAGE until Ctrl-C or SIGTERM.

    Each node speaks Redis' protocol on a loopback port of its own: try `redis-cli -p 7001` and then
    KV.HELP. Nothing is left behind at the end.
    """
    from kvlab.course.page import sentences
    from kvlab.errors import KvlabError
    from kvlab.stages import PRESETS
    from kvlab.trace import events
    from kvlab.trace.events import AnyEvent
    from kvlab.world.process.supervisor import ProcessWorld
    from kvlab.world.world import NodeState

    def tell(event: AnyEvent) -> None:
        match event:
            case events.NodeReady():
                say(
                    f"{event.node} ready 127.0.0.1:{event.port} pid {event.pid}",
                    node=event.node, state="ready", host="127.0.0.1", port=event.port, pid=event.pid,
                )  # fmt: skip
            case events.NodeDied():
                say(
                    f"{event.node} died: {event.why}; its log is {event.log}",
                    node=event.node, state="died", why=event.why, log=event.log,
                )  # fmt: skip
                if all(info.state is NodeState.DOWN for info in world.nodes.values()):
                    stop.set()
            case events.NodeFault():
                say(
                    f"{event.node} has a bug: {event.error}",
                    node=event.node,
                    state="fault",
                    error=event.error,
                )
            case events.Overwritten():
                key = _readable(event.key)
                lost, by = (_readable(*values) or "a delete" for values in (event.values, event.by))
                say(
                    f"{event.node} had acknowledged {key} = {lost}; a write on the other side of the cut "
                    f"has overwritten it: {by}",
                    node=event.node, state="overwritten", key=key, value=lost, by=by,
                )  # fmt: skip
            case _:
                pass

    def say(sentence: str, **fields: object) -> None:
        try:
            click.echo(json.dumps(fields) if as_json else sentences(sentence))
        except OSError as error:  # as in `kvlab up 4 | head -1`: the reader has gone, and so do we
            unheard.append(error)
            stop.set()

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop.set)
        starting = asyncio.ensure_future(world.start())
        ending = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                return
            starting.result()
            if not as_json:
                if promise := PRESETS.get(options.get("preset") or ""):
                    click.echo(sentences(f"{options['preset']}: {promise}"))
                click.echo(sentences(_all_ready(world)))
            await ending
            if not world.up():
                raise KvlabError("every node has died; the logs named above say why")
        finally:
            ending.cancel()
            await world.close()

    unheard: list[OSError] = []
    stop = asyncio.Event()
    options["mine"] = mine_of(stage, mine, piece)
    world = ProcessWorld(config_of(stage, **options), port=port, data_dir=data_dir)
    world.watch(tell, traffic=False)
    asyncio.run(serve())
    if unheard:
        raise unheard[0]  # click ends quietly for a closed pipe


def _all_ready(world: World) -> str:
    """What there is now, and what to do with it."""
    infos = [world.info(node) for node in world.members()]
    ready = f"All {len(infos)} nodes are ready" if len(infos) > 1 else "The one node is ready"
    said = f"{ready}: {world.stage.title}. Try `redis-cli -p {infos[0].port}`, then KV.HELP. Ctrl-C ends it."
    zones: dict[str, list[str]] = {}
    for info in infos:
        zones.setdefault(info.member.zone, []).append(info.node)
    if len(zones) > 1:
        said += " Zones: " + ", ".join(f"{zone} has {' '.join(nodes)}" for zone, nodes in zones.items()) + "."
    return said


def _readable(*words: bytes) -> str:
    return b" ".join(words).decode("utf-8", "backslashreplace")
