"""`kvlab fuzz`: run many seeds of a stage under faults, and make the first failure small and clear.

Exit 0: every seed holds what the stage claims. Exit 1: one does not. Exit 2: what was asked makes no sense,
or the checker itself failed. Exit 130: Ctrl-C, after what was done so far has been told.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import re
import shlex
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kvlab import stages
from kvlab.check.claims import GUARANTEES, UNDER_WAY_MS_MAX, Fault
from kvlab.check.history import CheckerFailed
from kvlab.cli.say import say
from kvlab.config import ClusterConfig
from kvlab.course.page import UNBROKEN, sentences
from kvlab.errors import UserError
from kvlab.fuzz.judge import Judged, Kind, broken, checker_failed, judge_seed, of_report
from kvlab.fuzz.plan import Plan, plan
from kvlab.fuzz.shrink import shrink
from kvlab.fuzz.tell import counterexample, told
from kvlab.script.commands import Cluster
from kvlab.script.parse import parse_line
from kvlab.script.rehearsal import Rehearsal, understood
from kvlab.script.run import run_scenario
from kvlab.trace.events import AnyEvent, NodeFault

LONG, NOTES = 200, 20
"""A run of so many seeds says so often how far it is."""
CHUNK = 5
"""Seeds that a worker takes at a time: a pool costs something for each."""


class Seeds(click.ParamType[range]):
    """A number of seeds, 1 to N, or those from A to B, written A..B."""

    name = "seeds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> range:
        found = re.fullmatch(r"(?:(\d+)\.\.)?(\d+)", str(value).strip())
        if found is None or int(found[2]) < (first := int(found[1] or 1)):
            self.fail(f"expected a number of seeds such as 1000, or A..B, and got {value!r}", param, ctx)
        return range(first, int(found[2]) + 1)


@click.command(
    "fuzz",
    epilog="\b\nExamples:\n  kvlab fuzz 9 --seeds 1000\n  kvlab fuzz 4 --check linearizable\n"
    "  kvlab fuzz 5 r=2 w=2 repair=off --check linearizable --faults loss,partition\n"
    "  kvlab fuzz 5 writeback=on --seeds 17..17",
)
@click.argument("stage", type=int)
@click.argument("options", nargs=-1, metavar="[OPTION=VALUE]...")
@click.option("--seeds", type=Seeds(), default="100", show_default=True, help="How many, or which: A..B.")
@click.option(
    "--world",
    "world_name",
    type=click.Choice(["sim", "process"]),
    default="sim",
    show_default=True,
    help="Real processes are slower, and a failure is not made smaller.",
)
@click.option(
    "--check",
    "guarantees",
    multiple=True,
    type=click.Choice(list(GUARANTEES)),
    help="Hold it to this, whether the stage claims it or not.",
)
@click.option("--faults", help=f"Only these kinds, with commas: {', '.join(Fault)}.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where the scenario of a failure is written.  [default: here]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def fuzz_command(
    stage: int,
    options: tuple[str, ...],
    seeds: range,
    world_name: str,
    guarantees: tuple[str, ...],
    faults: str | None,
    out: Path,
    as_json: bool,
) -> None:
    """Run STAGE under workloads and faults drawn from many seeds; show the first failure, made small.

    Each seed is held to what the stage claims under that seed's faults (`kvlab stages --claims` lists it).
    OPTIONs are those of `cluster` in a scenario, such as nodes=5 r=2 w=2.
    """
    try:
        config = _config(stage, options)
        kinds = _kinds(faults)
        judge_one = partial(judge_seed, config, faults=kinds, guarantees=guarantees or None)
        understood(plan(config, seeds[0], kinds, guarantees or None).text())
    except UserError as error:
        say(f"kvlab fuzz: {error}", err=True)
        sys.exit(2)
    if world_name == "process":
        run = _on_processes(config, seeds, kinds, guarantees or None)
    else:
        run = _on_all_cores(judge_one, seeds)
    sys.exit(_Fuzz(stage, seeds, out, as_json, world_name).follow(run))


def _config(stage: int, options: Sequence[str]) -> ClusterConfig:
    """The cluster as a scenario's first line would ask for it, in more of a hurry. Raises UserError."""
    cluster = parse_line(" ".join(["cluster", f"stage={stage}", *options]))
    assert isinstance(cluster, Cluster)
    hurry = {"timeout": 200}
    if stage == 2 or stage >= 7:
        hurry |= {"gossip": 100, "suspect": 400, "fail": 800}
    if stage == 9:  # so that tombstones are reaped before the end, and none before it is safe
        hint_ms = cluster.hintttl or 2000
        hurry |= {"hintttl": hint_ms, "grace": hint_ms + 2 * UNDER_WAY_MS_MAX + 1000}
    missing = {name: ms for name, ms in hurry.items() if getattr(cluster, name) is None}
    return Rehearsal.of(msgspec.structs.replace(cluster, **missing)).config


def _kinds(faults: str | None) -> list[Fault] | None:
    """Raises UserError for a kind that there is not."""
    if faults is None:
        return None
    names = [name.strip() for name in faults.split(",") if name.strip()]
    if unknown := [name for name in names if name not in tuple(Fault)]:
        raise UserError(f"there is no fault {unknown[0]!r}; the faults are {', '.join(Fault)}")
    return [Fault(name) for name in names]


# -- doing them ----------------------------------------------------------------------------------


def _on_all_cores(judge_one: Callable[[int], Judged], seeds: range) -> Iterator[Judged]:
    """Every seed's judgement, in the order of the seeds, so that the first failure is always the same one."""
    workers = min(os.cpu_count() or 1, len(seeds) // (2 * CHUNK))
    if workers < 2:
        yield from map(judge_one, seeds)
        return
    # Forking a process that has threads is unsafe, and rich may have one.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_leave_ctrl_c_to_the_parent) as pool:
        try:
            yield from pool.map(judge_one, seeds, chunksize=CHUNK)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _on_processes(
    config: ClusterConfig, seeds: range, faults: Sequence[Fault] | None, guarantees: Sequence[str] | None
) -> Iterator[Judged]:
    """The same on real processes, one seed after the other."""
    from kvlab.world.process.supervisor import ProcessWorld

    async def run(planned: Plan) -> Judged:
        told: list[NodeFault] = []

        def note(event: AnyEvent) -> None:
            if isinstance(event, NodeFault):
                told.append(event)

        async with ProcessWorld(planned.cluster.config()) as world:
            world.watch(note, traffic=False)
            report = await run_scenario(planned.scenario(), world)
        return broken(planned, told[0]) if told else of_report(planned, report)

    for seed in seeds:
        planned = plan(config, seed, faults, guarantees)
        try:
            yield asyncio.run(run(planned))
        except CheckerFailed as error:
            yield checker_failed(planned, error)


class _Fuzz:
    """What is told of a run, and what is written to files."""

    def __init__(self, stage: int, seeds: range, out: Path, as_json: bool, world_name: str) -> None:
        self.stage, self.seeds, self.out, self.as_json = stages.find(stage), seeds, out, as_json
        self.world_name = world_name
        self.counts: Counter[Kind] = Counter()
        self.undecided: dict[int, str] = {}  # the seeds, and why
        # What is found goes to stdout; how far it is, to stderr.
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=Console(stderr=True), disable=as_json or not sys.stderr.isatty(), transient=True,
        )  # fmt: skip

    def follow(self, run: Iterator[Judged]) -> int:
        """Tell of every judgement, up to the first that is bad; the exit code."""
        bad: Judged | None = None
        try:
            with self.progress:
                task = self.progress.add_task(self.stage.title, total=len(self.seeds))
                for judged in run:
                    self.counts[judged.kind] += 1
                    if judged.kind is Kind.UNDECIDED:
                        self.undecided[judged.plan.cluster.seed or 0] = judged.sentence
                    self.progress.advance(task)
                    self._note(sum(self.counts.values()))
                    if judged.kind not in (Kind.HOLDS, Kind.UNDECIDED):
                        bad = judged
                        break
            if bad is not None:
                self._tell(bad)
        except KeyboardInterrupt:
            self._sum_up("interrupted")
            return 130
        self._sum_up("")
        if bad is None:
            return 0
        return 1 if bad.failed else 2

    def _note(self, done: int) -> None:
        """Where there is no bar to be seen, say now and then how far it is."""
        of = len(self.seeds)
        if not self.progress.disable or done == of or done % max(1, of // NOTES) or of < LONG:
            return
        if self.as_json:
            print(json.dumps({"type": "progress", "seeds": done, "of": of}), flush=True)
        else:
            click.echo(f"{self.stage.title}: {done} of {of} seeds", err=True)

    def _tell(self, bad: Judged) -> None:
        if bad.kind is Kind.OURS:
            self._ours(bad)
            return
        small = shrink(bad) if self.world_name == "sim" else bad
        path = self._write("scenario", small.plan.text())
        replay = f"kvlab run {shlex.quote(str(path))} --world {self.world_name}"
        if self.as_json:
            print(json.dumps({"type": "failure", **told(small), "replay": replay}), flush=True)
        else:
            # As wide as the terminal, and not as one reads with ease: it is the diagram that takes the room.
            columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
            click.echo(sentences(counterexample(small, replay, columns), columns or UNBROKEN) + "\n")

    def _ours(self, bad: Judged) -> None:
        """It is we who failed, and whoever is to mend that needs what we failed over."""
        history = msgspec.json.format(msgspec.json.encode(bad.history)).decode()
        files = [self._write("scenario", bad.plan.text()), self._write("history.json", history)]
        names = " and ".join(map(str, files))
        text = (
            f"this is an error in kvlab, not in the stage: {bad.sentence}\nwhat it happened to is in {names}"
        )
        if self.as_json:
            print(json.dumps({"type": "error", "seed": bad.plan.cluster.seed, "text": text}), flush=True)
        else:
            say(text, err=True)

    def _write(self, suffix: str, text: str) -> Path:
        bad_seed = self.seeds[sum(self.counts.values()) - 1]
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / f"fuzz-{self.stage.number}-{bad_seed}.{suffix}"
        path.write_text(text, encoding="utf-8")
        return path

    def _sum_up(self, how: str) -> None:
        done = sum(self.counts.values())
        if self.as_json:
            counts = {str(kind): self.counts[kind] for kind in Kind}
            told = {"type": "summary", "seeds": done, **counts, "interrupted": bool(how)}
            print(json.dumps({**told, "undecided_seeds": list(self.undecided)}), flush=True)
            return
        counted = ", ".join(f"{self.counts[kind]} {kind}" for kind in Kind if self.counts[kind])
        end = f", {how}" if how else ""
        say(f"{self.stage.title}: {done} of {len(self.seeds)} seeds{end}: {counted or 'nothing yet'}")
        for seed, sentence in self.undecided.items():
            say(f"seed {seed} is undecided: {sentence}")
