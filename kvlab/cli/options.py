"""What the commands that start a cluster have in common: its options, and how mistakes are told."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from kvlab.cli.say import say
from kvlab.config import ClusterConfig
from kvlab.errors import UserError
from kvlab.stages import PRESETS, find, pieces, require_settings
from kvlab.trace.recording import Recorder

F = TypeVar("F", bound=Callable[..., Any])

UNITS = {"": 1, "b": 1, "k": 1024, "kb": 1024, "m": 1024**2, "mb": 1024**2, "g": 1024**3, "gb": 1024**3}


class Bytes(click.ParamType[int]):
    """A number of bytes, as in 65536, 64kb, 100mb."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+)\s*([a-z]*)", str(value).strip().lower())
        if found is None or found[2] not in UNITS:
            self.fail(
                f"expected a number of bytes such as 65536, 64kb or 100mb, and got {value!r}", param, ctx
            )
        return int(found[1]) * UNITS[found[2]]


MS = "ms"
SWITCH = "switch"


class Row(NamedTuple):
    """One option: the field of ClusterConfig it sets, its flag, what it takes, and what it is for."""

    field: str
    flag: str
    takes: Any
    help: str


ROWS = (
    Row("nodes", "--nodes", int, "How many nodes (stage 1 has one, stage 2 three)."),
    Row("n", "--n", int, "Replicas of each key, from stage 4 on."),
    Row("r", "--r", int, "Replicas that must answer a read."),
    Row("w", "--w", int, "Replicas that must confirm a write."),
    Row("zones", "--zones", int, "Zones (data centres) to deal the nodes to."),
    Row("vnodes", "--vnodes", int, "Virtual nodes of each node."),
    Row("memory_bytes", "--memory", Bytes(), "Byte budget of a node, e.g. 100mb; colder keys are evicted."),
    Row("timeout_ms", "--timeout", MS, "After how many ms a peer counts as silent."),
    Row("seed", "--seed", int, "Where all chance comes from."),
    Row("choice", "--choice", ("cp", "ap", "ca"), "Stage 2: no writes while a node is missing, or go on."),
    Row("preset", "--preset", tuple(PRESETS), "Stage 5: r, w and repair, by what they promise."),
    Row("read_repair", "--read-repair", SWITCH, "Stage 5: a read mends the replicas it finds behind."),
    Row("read_write_back", "--read-write-back", SWITCH, "Stage 5: linearizable, for a round trip more."),
    Row(
        "resolve", "--resolve", str, "Stage 6: siblings, newest, union, or your own function as module:name."
    ),
    Row("prune", "--prune", int, "Stage 6: a version names at most so many actors."),
    Row("gossip_ms", "--gossip", MS, "Stages 2 and 7: how often a node tells of itself."),
    Row("fanout", "--fanout", int, "Stage 7: how many others it tells at a time."),
    Row("detector", "--detector", ("heartbeat", "phi"), "Stage 7: how the dead are told from the slow."),
    Row("suspect_ms", "--suspect", MS, "Stages 2 and 7: silent for so long, a node is suspected ..."),
    Row("fail_ms", "--fail", MS, "Stage 7: ... and is failed."),
    Row("hints", "--hints", SWITCH, "Stage 8: stand-ins keep hints."),
    Row("hint_ttl_ms", "--hint-ttl", MS, "Stage 8: how long a hint is kept."),
    Row("antientropy", "--antientropy", SWITCH, "Stage 9: replicas compare trees."),
    Row("antientropy_ms", "--exchange", MS, "Stage 9: how often they do."),
    Row("grace_ms", "--grace", MS, "Stage 9: how long a tombstone is kept at least."),
)


def _option(row: Row, default: Any) -> Callable[[F], F]:
    """What is not given is None; `default` is what that will mean, for the help."""
    shown = {True: "on", False: "off"}.get(default, default) if row.takes == SWITCH else default
    text = row.help if shown is None else f"{row.help}  [default: {shown}]"
    if row.takes == SWITCH:
        return click.option(f"{row.flag}/--no-{row.flag[2:]}", row.field, default=None, help=text)
    kind = click.Choice(row.takes) if isinstance(row.takes, tuple) else int if row.takes == MS else row.takes
    metavar = "MS" if row.takes == MS else None
    return click.option(row.flag, row.field, type=kind, metavar=metavar, help=text)


def cluster_options(**defaults: Any) -> Callable[[F], F]:
    """The options that say what a cluster is to be; `config_of` makes a ClusterConfig of them.

    `defaults`: what this command takes, by field, where nothing is given; the others are ClusterConfig's.
    """

    def decorate(command: F) -> F:
        for row in reversed(ROWS):
            own = getattr(ClusterConfig(stage=1), row.field)
            command = _option(row, defaults.get(row.field, own))(command)
        return command

    return decorate


def mine_options(command: F) -> F:
    """--mine and --piece: run the reader's own piece in every node; `mine_of` says which file that is."""
    command = click.option(
        "--piece",
        type=click.Path(path_type=Path, dir_okay=False),
        help="As --mine, with this file for your piece.",
    )(command)
    return click.option("--mine", is_flag=True, help="With your own piece of the stage in every node.")(
        command
    )


def mine_of(stage: int, mine: bool, piece: Path | None) -> str | None:
    """The file of the reader's piece, if it was asked for. Raises UserError."""
    if piece is not None:
        return str(piece.resolve())
    if not mine:
        return None
    from kvlab.course import workspace

    return str(workspace.find().piece(pieces.chapter(stage)))


def config_of(stage: int, **options: Any) -> ClusterConfig:
    """The configuration that these options ask for; the world checks it.

    Raises UserError for an option that the stage does not have: it would be ignored.
    """
    given = {field: value for field, value in options.items() if value is not None}
    known = find(stage)
    if not known.replicated and (replicas := [f"--{name}" for name in ("n", "r", "w") if name in given]):
        raise UserError(f"{known.title}, keeps one copy of a key; leave out {' '.join(replicas)}")
    require_settings(known, {row.field: row.flag for row in ROWS if row.field in given})
    return ClusterConfig(stage=stage, **given)


@contextlib.contextmanager
def recorded(file: Path | None, config: ClusterConfig, world: str) -> Iterator[Recorder | None]:
    """What --record asks for, if it was given. Raises UserError if the file cannot be made; if it cannot be
    written to its end, that is said afterwards, and the run is as good as without."""
    if file is None:
        yield None
        return
    recorder = Recorder(file, config, world)
    try:
        yield recorder
    finally:
        recorder.close()
        if recorder.failed:
            say(f"kvlab: the recording {file} ends before the run does: {recorder.failed}", err=True)
