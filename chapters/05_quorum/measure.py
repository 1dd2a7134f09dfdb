"""Chapter 5's experiment: how often does a read miss the write that was acknowledged just before it?

A simulated cluster with R=W=1 of N=3, where every message takes 0.5 to 43 ms, all times alike. A key is
written, its write acknowledged by the first replica that has it; so many milliseconds later it is read
through another node, and the first answer is taken. No repair.

Theory: Bailis et al. 2012, "Probabilistically Bounded Staleness", whose model has four delays a replica: the
write's way there (W), the acknowledgement's way back (A), the read's way there (R) and its answer's back (S).
The write is acknowledged at the least W+A. The read, so much later, is answered by the replica with the least
R+S, and misses the write if that replica's W is more than the acknowledgement, the wait and its R together.
We draw the four from the simulated network's own distribution, and count.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from kvlab.config import ClusterConfig
from kvlab.course.measuring import Table
from kvlab.world.sim import SimWorld

N = 3
SLOW_MS, JITTER_MS = 20, 20
WAITS_MS = (0, 5, 10, 20, 30, 40)


def model(wait_ms: float, count: int, random: Random) -> float:
    """The share of reads that miss the write, by the model."""

    def delay() -> float:
        return 0.5 + 2.5 * random.random() + random.uniform(SLOW_MS - JITTER_MS, SLOW_MS + JITTER_MS)

    stale = 0
    for _ in range(count):
        there = [delay() for _ in range(N)]
        acknowledged = min(way + delay() for way in there)
        asked = [delay() for _ in range(N)]
        answered = [way + delay() for way in asked]
        first = min(range(N), key=answered.__getitem__)
        stale += there[first] > acknowledged + wait_ms + asked[first]
    return stale / count


def cluster(wait_ms: float, count: int) -> float:
    """The same share, in a cluster."""
    world = SimWorld(ClusterConfig(stage=5, nodes=5, n=N, r=1, w=1, read_repair=False, seed=1))

    async def main() -> float:
        stale = 0
        async with world:
            for node in world.members():
                await world.slow(node, None, SLOW_MS, JITTER_MS)
            for i in range(count):
                key = b"k%d" % i
                homes = await world.replicas(key)
                writer, reader = (node for node in world.members() if node not in homes)
                await world.put(key, b"v", via=writer)
                await world.sleep(wait_ms / 1000)
                stale += (await world.get(key, via=reader)).values != (b"v",)
        return stale / count

    return world.run(main())


def measure(quick: bool, tell: Callable[[str], None]) -> Table:
    count, draws = (60, 2000) if quick else (1000, 50_000)
    rows = []
    for wait_ms in WAITS_MS:
        tell(f"reads {wait_ms} ms after the acknowledgement")
        rows.append((wait_ms, round(cluster(wait_ms, count), 3), round(model(wait_ms, draws, Random(1)), 3)))
    return Table(
        title=f"Stale reads with R=W=1 of N=3, {count} writes each",
        columns=("ms after", "cluster", "model"),
        rows=tuple(rows),
        measured="cluster",
        theory="model",
        unit="share of reads that miss the write",
        said="With R = W = 1 a read can be stale; the question is for how long, and that is as long as the "
        "slowest message may take. With R + W > N there would be nothing to measure.",
    )
