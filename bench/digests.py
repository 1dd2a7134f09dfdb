"""Whether a seed is a run: 20 seeds, under three hash seeds and with a perturbed heap."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from bench.figure import Figure

SEEDS = [str(seed) for seed in range(1, 21)]


def measure() -> Iterator[Figure]:
    printed = set()
    for hash_seed, perturb in (("0", []), ("1", []), ("2", []), ("random", ["perturb"])):
        done = subprocess.run(
            [sys.executable, "-m", "tests.world.workload", *SEEDS, *perturb],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        printed.add(done.stdout)
    yield Figure("digests of the trace for each of 20 seeds", [len(printed)], "digests", 1, at_most=True)
