"""Measure this machine: `make bench`, or `python -m bench [NAME ...] [--json]`.

Every figure stands beside the one to hold it to. Absolute times depend on the machine and on what else
runs on it; where it can be, a figure is a ratio of two things measured in turn in one run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

import click

from bench import digests, fuzz, lab, resp, simulator, startup
from bench.figure import Figure

BENCHMARKS: dict[str, Callable[[], Iterator[Figure]]] = {
    "resp": resp.measure,
    "startup": startup.measure,
    "simulator": simulator.measure,
    "digests": digests.measure,
    "fuzz": fuzz.measure,
    "lab": lab.measure,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(names: tuple[str, ...], as_json: bool) -> None:
    """Run the benchmarks NAMES, or all of them."""
    missed = 0
    for name in names or tuple(BENCHMARKS):
        if not as_json:
            click.echo(f"{name} ...", err=True)
        for figure in BENCHMARKS[name]():
            missed += not figure.held
            click.echo(json.dumps(figure.fields()) if as_json else figure.line())
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
