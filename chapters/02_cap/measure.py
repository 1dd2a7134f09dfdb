"""Chapter 2's experiment: what cp and ap cost, by how long the cable is cut.

Three nodes, 100 keys, 100 writes a second, each through a node drawn at random. After a second n1 is cut
off, and some time later the cable is mended. The same with cp and with ap, from the same seeds.

    refused   with cp: for how many seconds, all in all, no write was done: the writes that failed, over
              their rate.
    unknown   with cp: the same for the writes of which nobody can say; those before the cut was noticed.
    lost      with ap: acknowledged writes that were overwritten when the cable was mended, as nodes tell it.
    theory    of `lost`. A key loses a write if it was written on both sides. Of K keys, with a third of all
              writes on one side and two thirds on the other, after n writes in all that are
              K (1 - exp(-n / 3K)) (1 - exp(-2n / 3K)): at first as the square of the time, never above K.
    acked     with ap: how many of all writes clients were told are done.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from statistics import mean

from kvlab.course.measuring import Table
from kvlab.errors import Outcome
from kvlab.script.rehearsal import understood
from kvlab.script.run import Report, config_of, run_scenario
from kvlab.trace import events
from kvlab.world.sim import SimWorld

RATE, KEYS = 100, 100
CUTS_S = (0.5, 1, 2, 4, 8)
HEALING_S = 1
"""So much longer the load goes on."""


def run(choice: str, cut_s: float, seed: int) -> tuple[Report, int]:
    """One run: all that clients saw, and how many acknowledged writes were overwritten."""
    text = f"""cluster stage=2 choice={choice} seed={seed}
at 0s load {RATE}/s for {round(1000 * (1 + cut_s + HEALING_S))}ms reads=0% keys={KEYS}
at 1s partition n1 | n2 n3
at {round(1000 * (1 + cut_s))}ms heal
wait 1s
"""
    scenario = understood(text, "measure")
    world = SimWorld(config_of(scenario))
    lost: list[events.Overwritten] = []
    world.watch(lambda event: lost.append(event) if isinstance(event, events.Overwritten) else None)

    async def main() -> Report:
        async with world:
            return await run_scenario(scenario, world)

    return world.run(main()), len(lost)


def seconds(report: Report, outcome: Outcome) -> float:
    """How long nobody's write was done, for this reason."""
    return sum(operation.outcome is outcome for operation in report.history) / RATE


def expected(cut_s: float) -> float:
    """How many keys are written on both sides."""
    writes = RATE * cut_s
    return KEYS * (1 - exp(-writes / 3 / KEYS)) * (1 - exp(-2 * writes / 3 / KEYS))


def measure(quick: bool, tell: Callable[[str], None]) -> Table:
    seeds, cuts = (range(1, 2), CUTS_S[:3]) if quick else (range(1, 6), CUTS_S)
    rows = []
    for cut_s in cuts:
        tell(f"a cut of {cut_s} s, {len(seeds)} runs of each")
        cp = [run("cp", cut_s, seed)[0] for seed in seeds]
        ap = [run("ap", cut_s, seed) for seed in seeds]
        rows.append(
            (
                cut_s,
                mean(seconds(report, Outcome.FAILED) for report in cp),
                mean(seconds(report, Outcome.UNKNOWN) for report in cp),
                mean(lost for _, lost in ap),
                expected(cut_s),
                mean(len(report.history) for report, _ in ap),
                mean(sum(op.outcome is Outcome.OK for op in report.history) for report, _ in ap),
            )
        )
    return Table(
        title=f"A cable is cut: {RATE} writes a second to {KEYS} keys, mean of {len(seeds)} runs",
        columns=("cut, s", "refused", "unknown", "lost", "theory", "writes", "acked"),
        rows=tuple(rows),
        measured="lost",
        theory="theory",
        unit="writes",
        said="cp cannot be written to for as long as the cut lasts, and no longer. Its first half second is "
        "the dangerous one: nobody knows of the cut yet, and clients are told `unknown`. ap never says no, "
        "and of a cut twice as long it loses at first four times as much.",
    )
