"""Scorecard: how each stage answers the five wishes that one has of a key-value store, measured.

One workload and one schedule of faults, the same for every stage: five seconds while all is well; five with
the network cut in two; five in which a node joins; five with a node dead, which then comes back with nothing.
Half the operations read a key, half read it and write it back changed, as who keeps a cart does.

fast            how long an operation takes while all is well
available       what share of the operations is done while a node is dead, and while the network is cut
many requests   how many times what one server could do: all the work there is, over the work of the busiest
                node, where to be asked by a client and to receive a message cost the same
much data       how many times what one server could hold: all keys, over the keys of the fullest node
scalable        what share of the copies moves to one node more; a fair share is one in so many nodes

And what none of that is worth without: how many reads miss a write that was acknowledged before they began,
how many keys have lost their last one in the end, and of how many the replicas differ.

Deviation: clients and nodes are on one machine, and in the simulator on none. What can be compared is one
stage with the next, not one of them with a store in a data centre.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random

import msgspec

from kvlab import stages
from kvlab.check.convergence import differences
from kvlab.check.history import Operation, Verdict, by_key
from kvlab.check.writes import no_lost_writes, stale_reads
from kvlab.config import ClusterConfig
from kvlab.errors import Outcome
from kvlab.messages import Key, NodeId
from kvlab.script.commands import Get, Load, Put
from kvlab.script.conditions import NodeName
from kvlab.script.load import percentile, run_load
from kvlab.script.session import Session
from kvlab.trace.events import AnyEvent, Delivered, OpStarted
from kvlab.trace.model import HEARTBEATS
from kvlab.world.control import Result
from kvlab.world.world import World

LOAD = Load(rate=150, ms=5000, keys=200)
SETTLE_MS = 1000
"""Until the nodes know of each other."""
HEAL_MS = 10_000
"""Until all that mends itself has done so."""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One stage's answers. None: the stage has no such thing, or cannot do it."""

    stage: int
    name: str
    nodes: int
    p50_ms: float
    p99_ms: float
    dead: float
    """Of the operations begun while a node was dead, the share that was done, 0 to 1."""
    cut: float | None
    requests: float
    data: float
    moved: float | None
    """Of all copies, the share that moved to the newcomer; what is fair is 1 / (nodes + 1)."""
    stale: float
    """Of all reads, the share that missed a write acknowledged before they began."""
    lost: int
    keys: int
    """Keys whose last acknowledged write is gone; keys that were written."""
    differ: int


def entries(wanted: Sequence[int], seed: int) -> list[tuple[str, ClusterConfig]]:
    """The rows of the card, each with its cluster: every stage once, and stage 2 with either choice.

    Raises UserError for a stage that there is not.
    """
    rows = []
    for number in wanted:
        stage = stages.find(number)
        nodes = max(stage.nodes_min, min(5, stage.nodes_max))
        config = ClusterConfig(stage=number, nodes=nodes, seed=seed)
        if stage.mirrored:
            rows += [
                (f"{number} {stage.name}, {choice}", msgspec.structs.replace(config, choice=choice))
                for choice in ("cp", "ap")
            ]
        else:
            rows.append((f"{number} {stage.name}", config))
    return [(name, stages.checked(config)) for name, config in rows]


async def score(name: str, world: World) -> Score:
    """Measure a world that has been started. Takes some thirty seconds of its time."""
    return await _Card(name, world).fill()


class _Card:
    """One measurement under way."""

    def __init__(self, name: str, world: World) -> None:
        self.name, self.world, self.session = name, world, Session(world)
        self.loads = 0

    async def fill(self) -> Score:
        world, members = self.world, self.world.members()
        await world.sleep(SETTLE_MS / 1000)
        calm, work = await self.while_all_is_well()
        took = sorted(op.end_ms - op.start_ms for op in calm)
        held = [await world.keys(node) for node in members]
        known = {key for keys in held for key in keys}

        cut = await self.while_cut(members) if len(members) > 1 else None
        moved = await self.with_one_more() if world.stage.ring else None
        await world.kill(members[-1])
        dead = await self.load()
        await world.restart(members[-1])
        await world.sleep(HEAL_MS / 1000)
        differ = len(differences(await self.session.copies()))  # before anybody reads: a read repairs
        reads = [op for op in self.session.history if op.kind == "get" and op.outcome is Outcome.OK]
        stale = len(stale_reads(self.session.history)) / len(reads)
        final = await self.session.read_all()
        judged = [no_lost_writes(ops, final) for ops in by_key(self.session.history).values()]
        return Score(
            stage=world.config.stage,
            name=self.name,
            nodes=len(members),
            p50_ms=percentile(took, 0.5),
            p99_ms=percentile(took, 0.99),
            dead=_done(dead),
            cut=None if cut is None else _done(cut),
            requests=len(calm) / max(work.values()),
            data=len(known) / max(map(len, held)),
            moved=moved,
            stale=stale,
            lost=sum(judgement.verdict is Verdict.ILLEGAL for judgement in judged),
            keys=len(final),
            differ=differ,
        )

    async def while_all_is_well(self) -> tuple[list[Operation], Counter[NodeId]]:
        """The operations, and how much work each node had with them."""
        work: Counter[NodeId] = Counter()

        def count(event: AnyEvent) -> None:
            if isinstance(event, OpStarted) or (
                isinstance(event, Delivered) and event.kind not in HEARTBEATS
            ):
                work[event.node] += 1

        unwatch = self.world.watch(count)
        try:
            return await self.load(), work
        finally:
            unwatch()

    async def while_cut(self, members: Sequence[NodeId]) -> list[Operation]:
        """The smaller half on one side, clients on both."""
        half = len(members) // 2
        await self.world.partition([members[:half], members[half:]])
        done = await self.load()
        await self.world.heal()
        await self.world.sleep(SETTLE_MS / 1000)
        return done

    async def with_one_more(self) -> float:
        """The share of all copies that moved, while clients went on."""
        copies = sum([(await self.world.count(node)).keys for node in self.world.up()])
        changed, _ = await asyncio.gather(self.world.add(self.world.next_name()), self.load())
        return changed.moved / copies if copies else 0.0

    async def load(self) -> list[Operation]:
        """Do the workload; returns what clients did and saw meanwhile."""
        self.loads += 1
        name, before = f"load{self.loads}", len(self.session.history)

        async def perform(kind: str, key: Key, value: bytes, via: str | None) -> Result:
            asked = NodeName(via or self.world.members()[0])  # with no node up, one knocks in vain
            read = await self.session.operate(Get(key, asked))
            if kind == "get" or read.outcome is not Outcome.OK:
                return read
            return await self.session.operate(Put(key, value, asked))

        await run_load(LOAD, self.world, perform, Random(f"{self.world.config.seed} {name}"), name)
        return self.session.history[before:]


def _done(operations: Sequence[Operation]) -> float:
    return sum(op.outcome is Outcome.OK for op in operations) / len(operations)


# -- to be read ----------------------------------------------------------------------------------

HEAD = (
    "                  fast, ms  available   many   much   one  reads writes replicas",
    "stage             p50   p99 dead   cut  reqs   data  more  stale   lost   differ",
)


def row(score: Score) -> str:
    """One line of the card."""
    cut = "-" if score.cut is None else f"{score.cut:.0%}"
    moved = "no" if score.moved is None else f"{score.moved:.0%}"
    cells = (
        f"{score.p50_ms:5.1f}{score.p99_ms:6.1f}", f"{score.dead:4.0%}{cut:>6}",
        f"{'x' + format(score.requests, '.1f'):>5}", f"{'x' + format(score.data, '.1f'):>6}", f"{moved:>5}",
        f"{score.stale:6.1%}", f"{score.lost:6}", f"{score.differ:8}",
    )  # fmt: skip
    return f"{score.name:<15} " + " ".join(cells)
