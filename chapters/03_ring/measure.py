"""Chapter 3's experiment: how evenly do v tokens a node share out the circle, and what does a newcomer move?

Ten nodes of the same weight, by three ways to cut a circle (DeCandia et al. 2007, section 6.2):

    strategy 1   v tokens a node, at random; a node's keys are those before its tokens. Ours, chapter 3's.
    strategy 2   the circle is cut into equal partitions, once and for all: the next power of two above the
                 number of tokens. A partition's node is that of the first token at its end or after it.
    strategy 3   the same partitions, and no tokens: they are dealt out, each to whoever has the fewest.

`uneven` is the standard deviation of the nodes' shares over their mean, for strategy 1, and beside it what
theory says: for tokens at random places the arcs are those of a broken stick, and of n nodes with v arcs each
sqrt((n - 1) / (n v + 1)), about 1 / sqrt(v). `S1`, `S2` and `S3` are efficiencies, as the paper has them: the
mean share over the largest one, 1 being the best. `moved` is the share of the circle that changes hands when
an eleventh node joins strategy 1; a fair share is 1/11.

Each number is the mean of so many rings, which differ in the names of their nodes. The paper has 30 nodes,
three copies a key and real requests; here it is the circle alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from statistics import mean, pstdev

from kvlab.core.hashing import RING_SIZE
from kvlab.core.ring import Ring, joined
from kvlab.course.measuring import Table
from kvlab.messages import Member, NodeId, RingSpec

NODES = 10
VNODES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def spec_of(nodes: int, vnodes: int, trial: int) -> RingSpec:
    """A ring like any other, with names of its own."""
    members = tuple(Member(NodeId(f"t{trial}-n{i + 1}")) for i in range(nodes))
    return RingSpec(0, members, vnodes)


def efficiency(shares: list[float]) -> float:
    """1 if all have the same; 0.5 if somebody has twice the mean."""
    return mean(shares) / max(shares)


def partitions_for(tokens: int) -> int:
    """The next power of two above."""
    return 1 << tokens.bit_length()


def strategy_2(ring: Ring) -> list[float]:
    """Equal partitions; each belongs to the first token at its end or after it."""
    points = ring.tokens()
    partitions, at, owned = partitions_for(len(points)), 0, Counter[NodeId]()
    for i in range(partitions):
        end = (i + 1) * RING_SIZE // partitions
        while at < len(points) and points[at][0] < end:
            at += 1
        owned[points[at % len(points)][1]] += 1
    return [owned[node] / partitions for node in ring.members]


def strategy_3(ring: Ring) -> list[float]:
    """Equal partitions, dealt out: no two nodes differ by more than one."""
    partitions, nodes = partitions_for(len(ring.tokens())), len(ring.members)
    return [(partitions // nodes + (i < partitions % nodes)) / partitions for i in range(nodes)]


def measure(quick: bool, tell: Callable[[str], None]) -> Table:
    trials = 5 if quick else 100
    rows = []
    for vnodes in VNODES[:5] if quick else VNODES:
        tell(f"{vnodes} tokens a node, {trials} rings")
        uneven, moved = [], []
        efficiencies: list[list[float]] = []
        for trial in range(trials):
            spec = spec_of(NODES, vnodes, trial)
            ring = Ring(spec)
            shares = list(ring.shares().values())
            uneven.append(pstdev(shares) / mean(shares))
            cut = shares, strategy_2(ring), strategy_3(ring)
            efficiencies.append([efficiency(by) for by in cut])
            newcomer = NodeId(f"t{trial}-n{NODES + 1}")
            moved.append(Ring(joined(spec, Member(newcomer))).shares()[newcomer])
        theory = ((NODES - 1) / (NODES * vnodes + 1)) ** 0.5
        first, second, third = (mean(column) for column in zip(*efficiencies, strict=True))
        rows.append((vnodes, mean(uneven), theory, first, second, third, mean(moved), 1 / (NODES + 1)))
    return Table(
        title=f"{NODES} nodes on a circle, {trials} rings each: uneven shares, and what a newcomer moves",
        columns=("tokens", "uneven", "theory", "S1", "S2", "S3", "moved", "fair"),
        rows=tuple(rows),
        measured="uneven",
        theory="theory",
        said="Four times the tokens make the shares half as uneven, and never even. What a newcomer moves is "
        "its fair share from the first token on. To cut at equal distances (S2) does not help as long as "
        "tokens say whose a partition is. To deal partitions out (S3) does; but then the ring is a table "
        "that everybody has to have, and how many partitions there are was chosen on the first day.",
    )
