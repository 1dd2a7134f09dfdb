"""What the commands that start a cluster have in common: its options, and how mistakes are told."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from kvlab.config import ClusterConfig
from kvlab.errors import UserError
from kvlab.stages import find

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


def _option(flag: str, help_text: str, **settings: Any) -> Callable[[F], F]:
    settings.setdefault("type", int)
    return click.option(flag, *settings.pop("names", ()), help=help_text, **settings)


OPTIONS = (
    _option("--nodes", "How many nodes (stage 1 has one).", default=5, show_default=True),
    _option("--n", "Replicas of each key, from stage 4 on.  [default: 3]"),
    _option("--r", "Replicas that must answer a read."),
    _option("--w", "Replicas that must confirm a write."),
    _option("--zones", "Zones (data centres) to deal the nodes to.", default=1, show_default=True),
    _option("--vnodes", "Virtual nodes of each node.", default=16, show_default=True),
    _option("--memory", "Byte budget of a node, e.g. 100mb; colder keys are evicted.", type=Bytes()),
    _option(
        "--timeout",
        "After how many ms a peer counts as silent.",
        names=("timeout_ms",),
        default=500,
        show_default=True,
    ),
    _option("--seed", "Where all chance comes from.", default=1, show_default=True),
)


def cluster_options(command: F) -> F:
    """The options that say what a cluster is to be; `config_of` makes a ClusterConfig of them."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def config_of(
    stage: int,
    *,
    nodes: int,
    n: int | None,
    r: int | None,
    w: int | None,
    zones: int,
    vnodes: int,
    memory: int | None,
    timeout_ms: int,
    seed: int,
) -> ClusterConfig:
    """The configuration that these options ask for; the world checks it.

    Raises UserError for a number of replicas where a key has one copy: it would be ignored.
    """
    if not find(stage).replicated and (given := [f"--{k}" for k, v in (("n", n), ("r", r), ("w", w)) if v]):
        raise UserError(f"{find(stage).title}, keeps one copy of a key; leave out {' '.join(given)}")
    return ClusterConfig(
        stage=stage,
        nodes=nodes,
        n=3 if n is None else n,
        r=r,
        w=w,
        zones=zones,
        vnodes=vnodes,
        memory_bytes=memory,
        timeout_ms=timeout_ms,
        seed=seed,
    )
