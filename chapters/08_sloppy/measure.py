"""Chapter 8's experiment: of all keys, how many can be written while so many of twelve nodes are away?

Twelve simulated nodes, N=3 and W=2. Nodes are killed one after the other; after each, when everybody knows,
so many keys are written: in one cluster to home replicas alone (`hints=off`), in another with stand-ins. No
key is written twice and none is read: what counts is who confirms.

Theory, for home replicas alone: if k of n nodes are away and a key's three homes are any three of the n, two
or three of them are up for C(n-k, 3) + k C(n-k, 2) of C(n, 3) keys. With stand-ins it is all of them, while
two nodes are up.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from random import Random

from kvlab.config import ClusterConfig
from kvlab.course.measuring import Table
from kvlab.errors import Outcome
from kvlab.world.sim import SimWorld

NODES, N, W = 12, 3, 2
AWAY = (0, 1, 2, 4, 6, 8, 9, 10)
CLIENT = "n1"


def theory(away: int) -> float:
    up = NODES - away
    return (comb(up, 3) + away * comb(up, 2)) / comb(NODES, N)


def written(stand_ins: bool, away: tuple[int, ...], count: int, seed: int) -> list[float]:
    """The share of writes that are acknowledged, for each number of nodes that are away."""
    config = ClusterConfig(
        stage=8, nodes=NODES, n=N, w=W, vnodes=64, hints=stand_ins, timeout_ms=100, seed=seed,
        gossip_ms=500, suspect_ms=2500, fail_ms=5000,
    )  # fmt: skip
    world = SimWorld(config)

    async def main() -> list[float]:
        shares = []
        async with world:
            victims = [node for node in world.members() if node != CLIENT]
            Random(seed).shuffle(victims)
            for at in away:
                while len(world.up()) > NODES - at:
                    await world.kill(victims.pop())
                await world.sleep(8)  # until everybody knows
                results = [await world.put(b"%d/%d" % (at, i), b"v", via=CLIENT) for i in range(count)]
                shares.append(sum(result.outcome is Outcome.OK for result in results) / count)
        return shares

    return world.run(main())


def measure(quick: bool, tell: Callable[[str], None]) -> Table:
    away, count, clusters = ((0, 4, 10), 40, 1) if quick else (AWAY, 150, 4)
    strict, sloppy = [0.0] * len(away), [0.0] * len(away)
    for seed in range(1, clusters + 1):
        tell(f"cluster {seed} of {clusters}")
        for sums, stand_ins in ((strict, False), (sloppy, True)):
            for i, share in enumerate(written(stand_ins, away, count, seed)):
                sums[i] += share / clusters
    return Table(
        title=f"Writes acknowledged with W={W} of N={N} on {NODES} nodes, {clusters * count} writes each",
        columns=("nodes away", "homes alone", "theory", "with stand-ins"),
        rows=tuple(
            (k, round(a, 3), round(theory(k), 3), round(b, 3))
            for k, a, b in zip(away, strict, sloppy, strict=True)
        ),
        measured="homes alone",
        theory="theory",
        unit="share of writes",
        said="With home replicas alone, the first node that is away costs nothing, and the fourth a quarter "
        "of all keys. With stand-ins, two nodes of twelve are enough. What that costs cannot be seen here: a "
        "read of those keys need not meet the write.",
    )
