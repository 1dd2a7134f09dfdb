"""Verdicts: what a run of the checks has found. Every report is made from these values and nothing else."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    TO_DO = "to do"  # the reader has not written it yet
    RAISED = "raised"  # the reader's code raised what nobody asked for
    ENDLESS = "endless"  # it did not come back
    NOT_TRIED = "not tried"  # because of another one's failure
    OURS = "ours"  # the check itself has a bug


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a check did not pass, in the order in which it is told."""

    call: str = ""
    """The call, or the line of a scenario, that shows it."""
    expected: str = ""
    got: str = ""
    why: str = ""
    """What that was about."""
    likely: str = ""
    """What people who get this have usually misunderstood."""
    trail: tuple[str, ...] = ()
    """The smallest counterexample: the calls, or the operations, that led there."""
    diagram: tuple[str, ...] = ()
    file: str = ""
    line: int = 0
    """Where in the reader's file, if that is known; and what stands there:"""
    code: str = ""
    printed: tuple[str, ...] = ()
    """The last lines that the reader's code has printed meanwhile."""
    scenario: str = ""
    """A cluster's run that shows it, to be run again."""


class Check(msgspec.Struct, frozen=True):
    """One check and what came of it."""

    name: str
    rule: str
    """What it holds the piece to, in a sentence."""
    outcome: Outcome
    seconds: float = 0.0
    failure: Failure | None = None

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASSED


class Verdict(msgspec.Struct, frozen=True):
    """What became of one piece."""

    chapter: int
    title: str
    piece: str
    seed: int
    checks: tuple[Check, ...]
    problem: Failure | None = None
    """What is wrong with the file as a whole, so that no check could be tried."""
    seconds: float = 0.0
    broken: str = ""
    """What is wrong with us."""

    @property
    def passed(self) -> bool:
        return (
            bool(self.checks) and self.problem is None and not self.broken and self.score == len(self.checks)
        )

    @property
    def score(self) -> int:
        return sum(check.passed for check in self.checks)

    @property
    def failures(self) -> list[Check]:
        """The checks that have something to say about their failure: what is wrong in what has been written,
        and then what has not been written yet."""
        said = [check for check in self.checks if check.failure is not None]
        return sorted(said, key=lambda check: check.outcome is Outcome.TO_DO)

    @property
    def first(self) -> Check | None:
        """The first of them."""
        return next(iter(self.failures), None)
