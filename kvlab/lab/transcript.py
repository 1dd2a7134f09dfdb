"""Transcript: what was done in the lab, as a scenario that `kvlab run` accepts.

Lines stand in the order in which they were begun, and the time between them as `wait`. Lines that were under
way together are a timeline (`at 300ms kill n3`), as the language has it. What was not done, or did not hold,
stands there as a comment: who runs the file shall see it, and the run shall not stop at it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from kvlab.config import ClusterConfig
from kvlab.errors import Outcome, UserError
from kvlab.script.commands import At, Cluster, Command, Wait, WaitUntil, duration
from kvlab.script.session import Step

WAIT_MS_MIN = 50.0
"""A shorter time between two lines is what it takes to type them, and is left out."""


class Done(msgspec.Struct, frozen=True):
    """One line: when it was begun and how long it took, and what is to be said of it.

    `command` is None where nothing was done: then `line` becomes a comment.
    """

    at_ms: float
    took_ms: float
    line: str
    command: Command | None
    remark: str = ""

    @property
    def end_ms(self) -> float:
        return self.at_ms + self.took_ms


class Transcript:
    """Everything that has been done to one cluster by lines."""

    def __init__(self, config: ClusterConfig) -> None:
        self.config = config
        self._done: list[Done] = []

    def __len__(self) -> int:
        return sum(done.command is not None for done in self._done)

    def add(self, step: Step) -> None:
        """A line that has ended."""
        left_out = step.failure is not None or step.text.startswith("left out")
        remark = " ".join(step.text.split()) if left_out else ""
        if not left_out and step.outcome not in (None, Outcome.OK):
            remark = f"{step.outcome}: {step.error}"
        command = None if left_out else step.command
        self._done.append(Done(step.at_ms, step.took_ms, str(step.command), command, remark))

    def not_done(self, line: str, at_ms: float, why: str) -> None:
        """A line that made no sense at that moment."""
        self._done.append(Done(at_ms, 0.0, line, None, f"not done: {' '.join(why.split())}"))

    def scenario(self) -> str:
        """The text of the file."""
        lines = [str(Cluster.of(self.config))]
        now_ms = 0.0
        for together in _together(sorted(self._done, key=lambda done: done.at_ms)):
            begun = together[0].at_ms
            gap = _rounded(begun - now_ms)
            if gap >= WAIT_MS_MIN and len(lines) > 1:
                lines.append(f"wait {duration(gap)}")
            acting = [done for done in together if done.command is not None]
            lines += [
                _written(done, round(done.at_ms - begun) if len(acting) > 1 else None) for done in together
            ]
            now_ms = max(done.end_ms for done in together)
        return "\n".join(lines) + "\n"

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the file. Raises UserError if it is there already, or cannot be written."""
        try:
            with path.expanduser().open("w" if overwrite else "x", encoding="utf-8") as file:
                file.write(self.scenario())
        except FileExistsError:
            raise UserError(f"{path} is there already; save! {path} writes over it") from None
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from None


def _rounded(gap_ms: float) -> int:
    """As exactly as a person would say it."""
    unit = 100 if gap_ms >= 1000 else 10
    return round(gap_ms / unit) * unit


def _together(done: list[Done]) -> Iterator[list[Done]]:
    """The lines in groups: those that were begun before an earlier one of the group had ended."""
    group: list[Done] = []
    for one in done:
        if group and one.at_ms >= max(other.end_ms for other in group):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _written(done: Done, after_ms: int | None) -> str:
    """Its line in the file; `after_ms` is its place in a timeline."""
    if done.command is None:
        return f"# {done.line}   {done.remark}"
    if after_ms is None:
        line = done.line
    elif isinstance(done.command, Wait | WaitUntil):  # the times of the others say as much
        return f"# {done.line}   others were under way meanwhile"
    else:
        line = str(At(after_ms, done.command))
    return f"{line}   # {done.remark}" if done.remark else line
