"""Chapter 5's experiment: how often does a read miss the write that was acknowledged just before it?

A simulated cluster with N=3, where every message takes 0.5 to 43 ms, all times alike. A key is written, its
write acknowledged by W replicas; so many milliseconds later it is read through another node, from R. No
repair. Three choices of R and W for which quorums need not meet; where they have to, there is nothing to see.

Theory: Bailis et al. 2012, "Probabilistically Bounded Staleness", whose model has four delays a replica: the
write's way there (W), the acknowledgement's way back (A), the read's way there (R) and its answer's back (S).
The write is acknowledged with the W-th least W+A. The read, so much later, is answered by the replicas with
the R least R+S. Each of them misses the write if its W is more than the acknowledgement, the wait and its R
together. We draw the four from the simulated network's own distribution, and count.

And the paper's own figures: what our model makes of the delays that its authors fitted to the stores of
LinkedIn and Yammer (mixtures of a Pareto and an exponential distribution), beside what they print.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from random import Random

from kvlab.config import ClusterConfig
from kvlab.course.measuring import Table
from kvlab.world.sim import SimWorld

N = 3
CHOICES = ((1, 1), (1, 2), (2, 1))
"""(R, W)"""

SLOW_MS, JITTER_MS = 20, 20
WAITS_MS = (0, 5, 10, 20, 30, 40)

Delay = Callable[[], float]


# -- the model -----------------------------------------------------------------------------------


def visible_after(there: Delay, other: Delay, r: int, w: int, count: int) -> list[float]:
    """After what wait, in ms, each of so many writes is seen by a read: sorted, and below 0 if at once.
    `there`: a write's way to a replica; `other`: every other way."""
    waits = []
    for _ in range(count):
        arrives = [there() for _ in range(N)]
        acknowledged = sorted(at + other() for at in arrives)[w - 1]
        asked = [other() for _ in range(N)]
        answered = [at + other() for at in asked]
        first = sorted(range(N), key=answered.__getitem__)[:r]
        waits.append(min(arrives[i] - asked[i] for i in first) - acknowledged)
    return sorted(waits)


def stale(waits: list[float], wait_ms: float) -> float:
    """The share of the reads after this wait that miss the write."""
    return 1 - bisect_right(waits, wait_ms) / len(waits)


# -- the cluster ---------------------------------------------------------------------------------


def cluster(r: int, w: int, wait_ms: float, count: int) -> float:
    """The same share, in a cluster."""
    world = SimWorld(ClusterConfig(stage=5, nodes=5, n=N, r=r, w=w, read_repair=False, seed=1))

    async def main() -> float:
        missed = 0
        async with world:
            for node in world.members():
                await world.slow(node, None, SLOW_MS, JITTER_MS)
            for i in range(count):
                key = b"k%d" % i
                homes = await world.replicas(key)
                writer, reader = (node for node in world.members() if node not in homes)
                await world.put(key, b"v", via=writer)
                await world.sleep(wait_ms / 1000)
                missed += (await world.get(key, via=reader)).values != (b"v",)
        return missed / count

    return world.run(main())


# -- the paper -----------------------------------------------------------------------------------


def paper(draws: int, random: Random) -> Table:
    """What the model makes of the delays that the paper has fitted, and what the paper makes of them."""

    def fitted(share: float, least: float, shape: float, rate: float) -> Delay:
        def delay() -> float:
            if random.random() < share:
                return least * random.paretovariate(shape)
            return random.expovariate(rate)

        return delay

    ssd = fitted(0.9122, 0.235, 10, 1.66)
    disk = fitted(0.38, 1.05, 1.51, 0.183)
    yammer = fitted(0.939, 3, 3.35, 0.0028), fitted(0.982, 1.5, 3.8, 0.0217)
    cases = (
        ("LinkedIn, SSDs", (ssd, ssd), 1, 1, 1.85),
        ("LinkedIn, disks", (disk, ssd), 1, 1, 45.5),
        ("Yammer", yammer, 1, 1, 1364.0),
        ("Yammer", yammer, 2, 1, 202.0),
    )
    rows = []
    for name, (there, other), r, w, printed in cases:
        waits = visible_after(there, other, r, w, draws)
        rows.append((name, r, w, round(1 - stale(waits, 0), 3), waits[int(0.999 * draws)], printed))
    return Table(
        title="The delays that the paper fitted to real stores, in the same model",
        columns=("delays of", "R", "W", "fresh at once", "99.9% fresh after, ms", "the paper has, ms"),
        rows=tuple(rows),
        measured="99.9% fresh after, ms",
        theory="the paper has, ms",
        said="One read in a thousand is a matter of the tail, which a few draws decide: there our figures "
        "and the paper's part by a tenth or two, and so do ours with another seed.",
    )


def measure(quick: bool, tell: Callable[[str], None]) -> Table:
    count, draws = (60, 2000) if quick else (600, 50_000)
    random = Random(1)

    def delay() -> float:
        return 0.5 + 2.5 * random.random() + random.uniform(SLOW_MS - JITTER_MS, SLOW_MS + JITTER_MS)

    models = [visible_after(delay, delay, r, w, draws) for r, w in CHOICES]
    rows = []
    for wait_ms in WAITS_MS:
        tell(f"reads {wait_ms} ms after the acknowledgement")
        row: list[float] = [wait_ms]
        for (r, w), waits in zip(CHOICES, models, strict=True):
            row += [round(cluster(r, w, wait_ms, count), 3), round(stale(waits, wait_ms), 3)]
        rows.append(tuple(row))
    tell("the paper's delays")
    return Table(
        title=f"Stale reads, N=3, {count} writes each",
        columns=("ms after", "R=1 W=1", "model", "R=1 W=2", "model 1,2", "R=2 W=1", "model 2,1"),
        rows=tuple(rows),
        measured="R=1 W=1",
        theory="model",
        unit="share of reads that miss the write",
        said="Where quorums need not meet a read can be stale; the question is for how long, and that is as "
        "long as the slowest message may take. Either number more takes most of it away: to read two sees "
        "more than to read one, and who waited for two has waited for the news to travel. With R + W > N "
        "there would be nothing to measure.",
        beside=paper(2 * draws, random),
    )
