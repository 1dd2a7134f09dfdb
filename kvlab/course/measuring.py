"""Measure: an experiment's numbers, as a table, a plot in the terminal, and a CSV.

A chapter's measure.py has a function

    def measure(quick: bool, tell: Callable[[str], None]) -> Table

that runs the experiment, in the simulator as a rule, and puts what theory or the paper says beside what was
measured. `quick`: in a second, for the tests. `tell`: how far it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import msgspec

from kvlab.stages.pieces import Chapter, execute

Cell = float | int | str
WIDTH = 60
"""Of the plot's bars."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured. `measured` and `theory` are the names of the two columns that are compared."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    measured: str
    theory: str
    unit: str = ""
    said: str = ""
    """What follows from it, in a sentence or two; and where theory and measurement part, why."""

    def values(self, column: str) -> list[float]:
        """One column's numbers."""
        at = self.columns.index(column)
        return [float(row[at]) for row in self.rows]


def measured(chapter: Chapter, *, quick: bool = False, tell: Callable[[str], None]) -> Table:
    """Run the chapter's experiment."""
    module = execute(chapter.file("measure.py"), f"measure_{chapter.number}")
    measure = cast("Callable[[bool, Callable[[str], None]], Table]", module.measure)
    return measure(quick, tell)


def shown(cell: Cell) -> str:
    """Three digits that count."""
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.3g}" if abs(cell) < 1000 else f"{cell:.0f}"


def as_lines(table: Table) -> Iterator[str]:
    """The table and the plot, to be read."""
    cells = [list(table.columns), *([shown(cell) for cell in row] for row in table.rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.columns))]
    yield table.title
    yield ""
    for row in cells:
        yield "  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
    yield ""
    yield from plot(table)
    if table.said:
        yield ""
        yield table.said


def plot(table: Table) -> Iterator[str]:
    """A bar a row for what was measured, and a mark where theory has it."""
    found, expected = table.values(table.measured), table.values(table.theory)
    top = max([*found, *expected, 1e-12])
    labels = [shown(row[0]) for row in table.rows]
    width = max(len(label) for label in [*labels, table.columns[0]])
    unit = f" ({table.unit})" if table.unit else ""
    yield f"  {table.columns[0]:>{width}}  # {table.measured}, | {table.theory}{unit}"
    for label, value, theory in zip(labels, found, expected, strict=True):
        bar = list("#" * round(value / top * WIDTH) + " " * (WIDTH + 1))[: WIDTH + 1]
        bar[round(theory / top * WIDTH)] = "|"
        yield f"  {label:>{width}}  {''.join(bar).rstrip()} {shown(value)}"


def as_csv(table: Table) -> str:
    """The table for a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([table.columns, *cast("Sequence[Sequence[object]]", table.rows)])
    return text.getvalue()
