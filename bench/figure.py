"""One measured figure, and what it is held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Figure:
    """`value` is the median of the runs; `hold` the least it should be (0: nothing to hold to), or
    the most if `at_most`."""

    what: str
    runs: Sequence[float]
    unit: str
    hold: float
    at_most: bool = False

    @property
    def value(self) -> float:
        return median(self.runs)

    @property
    def held(self) -> bool:
        return self.value <= self.hold if self.at_most else self.value >= self.hold

    def line(self) -> str:
        bound = f"{'at most' if self.at_most else 'at least'} {self.hold:g}"
        spread = f"{min(self.runs):.3g} to {max(self.runs):.3g}" if len(self.runs) > 1 else "one run"
        mark = "      " if not self.hold else "held  " if self.held else "MISSED"
        bound = bound if self.hold else "for comparison"
        return f"  {mark}  {self.what:58}  {self.value:10.4g} {self.unit:9} ({bound}; {spread})"

    def fields(self) -> dict[str, object]:
        return {
            "what": self.what, "value": self.value, "runs": list(self.runs), "unit": self.unit,
            "hold": self.hold, "at_most": self.at_most, "held": self.held,
        }  # fmt: skip
