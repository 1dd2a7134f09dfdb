"""Chapter 7's experiment: how many periods until all know, of a heartbeat and of a death; and false alarms.

First, news. Tables of so many nodes; each period every node exchanges tables with so many others, drawn by
chance. How many periods until the last one has a new heartbeat of n1?

Theory: let u be the share of those who have not heard. One of them stays so for another period if all the f
that it asks have not heard either, and none of those who have heard draws it: u becomes u^(f+1) *
e^(-f(1-u)). (Early on that is 2f + 1 times as many who know after each period: the logarithm. Towards the
end the ones who do not know find out by asking, and u falls with a power of itself.) With n nodes, the
chance that all have heard is about e^(-nu), and the mean is the sum of what is lacking of that over all
periods.

Then, a death, in a simulated cluster of six nodes, each of which tells one other a period, and which lose
half of all their messages: how many periods until all the living take the dead one for failed, by how long
a silence is borne. Theory: silence is counted from the last heartbeat, which is half a period old on the
average when the node dies; by the time it has been borne, everybody has long accused, and nobody waits for
the others. For phi, borne is 8 times ln 10 mean intervals between news; `pace` counts, with tables alone,
how many periods such an interval has where messages are lost.

The last two columns are the price of impatience, counted before anybody dies: how often a minute one of the
living takes another for a suspect, and how often for failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, log
from random import Random
from statistics import mean

from kvlab.config import ClusterConfig
from kvlab.core.detectors import PHI_FAILED, TimeoutDetector
from kvlab.core.membership import Membership
from kvlab.course.measuring import Cell, Table
from kvlab.messages import NodeId, Row
from kvlab.trace.events import AnyEvent, Believed
from kvlab.world.sim import SimWorld

PERIOD_MS = 200
NODES, LOSS = 6, 0.5
"""Of the cluster in which one dies; LOSS is a share of all messages."""
PATIENCE = (3, 5, 10, 15)
"""So many periods of silence are suspicious; after twice as many, one has failed."""
PHI = PHI_FAILED * log(10)
"""The silence after which one has failed by phi, in mean intervals between news."""
VICTIM = NodeId("n1")


# -- news ----------------------------------------------------------------------------------------


def tables_of(nodes: int) -> dict[NodeId, Membership]:
    """A table each, which suspects nobody."""
    return {
        name: Membership(
            name, 0, 0, period_ms=PERIOD_MS, now_ms=0,
            detector=lambda heard_ms: TimeoutDetector(heard_ms, 1e9, 1e9),
        )
        for name in (NodeId(f"n{i + 1}") for i in range(nodes))
    }  # fmt: skip


def rounds(nodes: int, fanout: int, seed: int) -> int:
    """How many periods until the last of them has heard a heartbeat of n1 that is new in the first."""
    random = Random(seed)
    tables = tables_of(nodes)
    names = list(tables)
    tables[VICTIM].tick(0)
    heard = {VICTIM}
    for period in range(1, 1000):
        said = {name: tables[name].table(0) for name in heard}  # what all know as the period begins
        for name in names:
            for peer in random.sample([other for other in names if other != name], fanout):
                for teller, listener in ((name, peer), (peer, name)):
                    if teller in said:
                        tables[listener].merge(said[teller], 0)
        heard = {name for name in names if heard_of(VICTIM, tables[name].table(0)) > 0}
        if len(heard) == nodes:
            return period
    raise AssertionError(f"with {nodes} nodes, not in a thousand periods")


def rounds_expected(nodes: int, fanout: int) -> float:
    """The same by theory."""
    total, unheard = 0.0, 1 - 1 / nodes
    while unheard * nodes > 1e-9:
        total += 1 - exp(-nodes * unheard)
        unheard = unheard ** (fanout + 1) * exp(-fanout * (1 - unheard))
    return total


def pace(periods: int) -> float:
    """How many periods lie between two news of n1, on the average over the others; messages are lost."""
    random = Random(1)
    tables = tables_of(NODES)
    news = 0

    def told(teller: NodeId, listener: NodeId) -> bool:
        nonlocal news
        if random.random() < LOSS:
            return False
        before = heard_of(VICTIM, tables[listener].table(0))
        tables[listener].merge(tables[teller].table(0), 0)
        news += listener != VICTIM and heard_of(VICTIM, tables[listener].table(0)) > before
        return True

    for _ in range(periods):
        for name in tables:
            tables[name].tick(0)
            peer = random.choice([other for other in tables if other != name])
            if told(name, peer):
                told(peer, name)  # the answer
    return periods * (NODES - 1) / news


def heard_of(node: NodeId, rows: Sequence[Row]) -> int:
    """The heartbeat of that node in a table; 0 if it is not there."""
    return next((row.heartbeat for row in rows if row.node == node), 0)


# -- a death -------------------------------------------------------------------------------------


def death(config: ClusterConfig, quiet_s: float) -> tuple[float, float, float]:
    """Periods until all the living take n1 for failed; and before that, how often a minute somebody takes one
    of the living for a suspect, and for failed."""
    world = SimWorld(config)
    beliefs: list[str] = []

    def note(event: AnyEvent) -> None:
        if isinstance(event, Believed):
            beliefs.append(event.belief)

    async def main() -> tuple[float, float, float]:
        async with world:
            for node in world.members():
                await world.lose(node, None, LOSS)
            await world.sleep(10)
            world.watch(note)
            await world.sleep(quiet_s)
            suspected, failed = (beliefs.count(belief) * 60 / quiet_s for belief in ("suspect", "failed"))
            died_ms = world.at_ms()
            await world.kill(VICTIM)
            living = [node for node in world.members() if node != VICTIM]
            while any([await world.belief(node, VICTIM) != "failed" for node in living]):
                await world.sleep(0.01)
            return (world.at_ms() - died_ms) / PERIOD_MS, suspected, failed

    return world.run(main())


def deaths(detector: str, patience: int, seeds: int, quiet_s: float) -> list[float]:
    """The means of what `death` finds, one cluster a seed."""
    found = [
        death(
            ClusterConfig(
                stage=7, nodes=NODES, seed=seed, gossip_ms=PERIOD_MS, fanout=1, detector=detector,
                suspect_ms=patience * PERIOD_MS, fail_ms=2 * patience * PERIOD_MS,
            ),
            quiet_s,
        )
        for seed in range(1, seeds + 1)
    ]  # fmt: skip
    return [mean(column) for column in zip(*found, strict=True)]


def measure(quick: bool, tell: Callable[[str], None]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for nodes in (10, 30) if quick else (10, 30, 100):
        for fanout in (1, 2) if quick else (1, 2, 3):
            name = f"news, {nodes} nodes to {fanout}"
            tell(name)
            periods = mean(rounds(nodes, fanout, seed) for seed in range(5 if quick else 20))
            rows.append((name, round(periods, 1), round(rounds_expected(nodes, fanout), 1), "", ""))
    seeds, quiet_s = (1, 5) if quick else (6, 60)
    borne: dict[str, tuple[str, int, float]] = {
        f"a death, after {2 * patience}": ("heartbeat", patience, 2 * patience) for patience in PATIENCE
    }
    interval = pace(200 if quick else 2000)
    borne["a death, phi 8"] = ("phi", 5, PHI * interval)
    for name, (detector, patience, silence) in borne.items():
        tell(name)
        periods, *alarms = deaths(detector, patience, seeds, quiet_s)
        rows.append(
            (name, round(periods, 1), round(silence - 0.5, 1), *(round(often, 1) for often in alarms))
        )
    return Table(
        title=f"Periods until all know; of deaths among {NODES} nodes, {LOSS:.0%} of all messages lost",
        columns=("what", "periods", "theory", "suspected falsely a minute", "failed falsely a minute"),
        rows=tuple(rows),
        measured="periods",
        theory="theory",
        unit="periods",
        said="Ten times the nodes, a few periods more; told to more, fewer. A death is known when the "
        "silence has been borne for as long as was asked for: by then everybody has accused. What is "
        "won by less patience is paid for in false alarms, and that all have to accuse keeps most of "
        f"them from a verdict. Phi was told nothing, and has learned: news come here once in "
        f"{interval:.1f} periods, and it bears {PHI:.1f} such intervals.",
    )
