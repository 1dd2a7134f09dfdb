"""Measure: an experiment's numbers, as a table, a plot in the terminal, and a CSV.

A chapter's measure.py has a function

    def measure(quick: bool, tell: Callable[[str], None]) -> Table

that runs the experiment, in the simulator as a rule, and puts what theory or the paper says beside what was
measured. `quick`: in a second, for the tests. `tell`: how far it is.
"""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import msgspec

from kvlab.course.page import WIDTH_MAX, filled
from kvlab.stages.pieces import Chapter, execute

Cell = float | int | str
BAR_MAX = 60
"""How long the plot's bars are at most."""


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
    beside: Table | None = None
    """A second one, which is shown after it without a plot: what the paper itself has, say."""

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


def as_lines(table: Table, columns: int = WIDTH_MAX) -> Iterator[str]:
    """The table and the plot, to be read."""
    yield from _table(table, columns)
    yield ""
    yield from plot(table, columns)
    yield from _said(table, columns)
    if table.beside is not None:
        yield ""
        yield from _table(table.beside, columns)
        yield from _said(table.beside, columns)


def _said(table: Table, columns: int) -> Iterator[str]:
    if table.said:
        yield ""
        yield from filled(table.said, columns=columns).splitlines()


def _table(table: Table, columns: int) -> Iterator[str]:
    rows = [[shown(cell) for cell in row] for row in table.rows]
    numbers = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    heads = _heads(table.columns, numbers, columns - 2)
    widths = [max(number, *map(len, head)) for number, head in zip(numbers, heads, strict=True)]
    yield from filled(table.title, columns=columns).splitlines()
    yield ""
    for row in [*zip(*heads, strict=True), *rows]:
        yield "  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _heads(names: Sequence[str], numbers: Sequence[int], columns: int) -> list[list[str]]:
    """The columns' names, each in so many lines: as few as make the table fit."""
    for lines in range(1, 1 + max(len(name.split()) for name in names)):
        heads = [_in_lines(name, lines) for name in names]
        width = sum(max(n, *map(len, head)) + 2 for n, head in zip(numbers, heads, strict=True)) - 2
        if width <= columns:
            break
    return heads


def _in_lines(name: str, lines: int) -> list[str]:
    """A name in so many lines at most, as narrow as it can be; empty lines above it."""
    for width in range(max(map(len, name.split())), len(name) + 1):
        head = textwrap.wrap(name, width)
        if len(head) <= lines:
            break
    return [""] * (lines - len(head)) + head


def plot(table: Table, columns: int = WIDTH_MAX) -> Iterator[str]:
    """A bar a row for what was measured, and a mark where theory has it."""
    found, expected = table.values(table.measured), table.values(table.theory)
    top = max([*found, *expected, 1e-12])
    labels = [shown(row[0]) for row in table.rows]
    width = max(len(label) for label in [*labels, table.columns[0]])
    values = [shown(value) for value in found]
    longest = min(BAR_MAX, columns - width - max(map(len, values)) - 6)
    unit = f" ({table.unit})" if table.unit else ""
    yield f"  {table.columns[0]:>{width}}  # {table.measured}, | {table.theory}{unit}"
    for label, value, said, theory in zip(labels, found, values, expected, strict=True):
        bar = list(f"{'#' * round(value / top * longest):<{longest + 1}}")
        bar[round(theory / top * longest)] = "|"
        yield f"  {label:>{width}}  {''.join(bar).rstrip()} {said}"


def as_csv(table: Table) -> str:
    """The table for a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([table.columns, *cast("Sequence[Sequence[object]]", table.rows)])
    return text.getvalue()
