"""The grader's own process: load one piece, run its chapter's checks under pytest, write down the verdicts.

    python -c "from kvlab.course import grader; grader.main()" < JOB    (kvlab/course/grading.py writes it)

The checks are those that came with kvlab, never a copy in the reader's folder. They find the piece as the
module that its file would be (`from store import Store`).
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import inspect
import io
import os
import re
import resource
import signal
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, Verbosity, core, settings
from hypothesis.errors import FlakyFailure, FlakyReplay

from kvlab.course import checking, fence, mistakes
from kvlab.course.shared import shared
from kvlab.course.verdict import Check, Failure, Outcome, Verdict
from kvlab.errors import KvlabError
from kvlab.stages import pieces
from kvlab.stages.pieces import Chapter, NotWritten, PieceError, PieceFailed
from kvlab.world.guard import TICK_S, Guard, not_back

EXAMPLES = 40
"""Of each property."""

PRINTED_MAX, PRINTED_WIDTH = 8, 160
"""Of what the reader prints: so many lines are shown, and so much of each."""

FILE_BYTES_MAX = 64 * 1024 * 1024
"""Of the answer, and of what a piece says on stderr."""

CHECK_S = 15.0
"""Of computing, for one check; they take a tenth of a second."""


class Job(msgspec.Struct, kw_only=True):
    """What a grader's process is to do."""

    chapter: int
    pieces: list[str]
    seed: int = 1
    only: list[list[str]] = []
    """For each piece the names of the checks to try; none: all."""
    answer: str
    """The file to write the verdicts to, one JSON object a line."""
    sign: str
    """What each of these lines begins with, so that one that the piece has written is known."""
    traceback: str = ""
    """The file in which to say where it was, if time is up."""
    seconds: float = 60.0
    megabytes: int = 0
    """0: no limit."""
    whole: bool = False
    """Make every counterexample small, and not only the first."""
    small: bool = True
    """Make counterexamples small at all."""
    tick_s: float = TICK_S


class NotBack(BaseException):
    """The reader's code does not come back. No `except Exception` of theirs may stop this."""

    def __init__(self, path: str, line: int) -> None:
        self.failure = not_back(path, line)
        super().__init__(str(self.failure))


# -- one piece -----------------------------------------------------------------------------------


def grade(
    chapter: Chapter,
    piece: Path,
    seed: int = 1,
    only: Sequence[str] = (),
    *,
    whole: bool = True,
    small: bool = True,
    tick_s: float = TICK_S,
) -> Verdict:
    """Check one piece, in this process."""
    begun = time.perf_counter()
    checking.setup.piece, checking.setup.seed = str(piece), seed
    core.global_force_seed = seed  # type: ignore[assignment]  # as hypothesis' own plugin for pytest does
    guard = Guard(piece, signal.ITIMER_VIRTUAL, NotBack, tick_s, limit_s=CHECK_S)
    run = Run(chapter, piece, seed, only, guard, whole=whole, small=small)
    problem = None
    with _no_sleep(piece), guard, _fenced(piece):
        try:
            if piece.parent == chapter.file("wrong"):  # these are written as what they make worse
                pieces.execute(chapter.file("solution.py"), "solution")
            for complaint in fence.borrowed(chapter, piece):
                raise complaint
            module = pieces.load_piece(chapter, piece)
            run.sees_to_the_judges()
            run.with_pytest(module)
            run.sees_to_the_judges()
        except NotBack as error:
            problem = told(error.failure)
        except PieceError as error:
            problem = told(error)
    return run.verdict(time.perf_counter() - begun, problem)


@contextlib.contextmanager
def _fenced(piece: Path) -> Iterator[None]:
    fence.fence(piece)
    try:
        yield
    finally:
        fence.fence(None)


@contextlib.contextmanager
def _no_sleep(piece: Path) -> Iterator[None]:
    """Let nobody in the reader's file sleep: in the simulator no time would pass."""
    sleep = time.sleep

    def refused(seconds: float, /) -> None:
        if (caller := sys._getframe(1)).f_code.co_filename == str(piece):
            raise PieceFailed(
                piece, caller.f_lineno,
                "time.sleep stops the whole node and not only you; in a node, `await self.env.sleep(ms)`",
            )  # fmt: skip
        sleep(seconds)

    time.sleep = refused  # type: ignore[assignment]
    try:
        yield
    finally:
        time.sleep = sleep


class Run:
    """One run of pytest, of which it is a plugin."""

    def __init__(
        self,
        chapter: Chapter,
        piece: Path,
        seed: int,
        only: Sequence[str],
        guard: Guard,
        *,
        whole: bool,
        small: bool,
    ) -> None:
        self.chapter, self.piece, self.seed, self.only, self.guard = chapter, piece, seed, only, guard
        self.whole, self.small = whole, small
        self.file = chapter.file(f"check_{chapter.module}.py")
        self.shared = shared(piece.read_text(encoding="utf-8", errors="replace"))
        self.judges = fence.judges()
        self.checks: list[Check] = []
        self.broken = ""
        self.endless = False

    def verdict(self, seconds: float, problem: Failure | None = None) -> Verdict:
        checks = () if problem is not None else tuple(self.checks)
        return Verdict(
            self.chapter.number, self.chapter.title, str(self.piece), self.seed, checks, problem,
            round(seconds, 3), self.broken,
        )  # fmt: skip

    def sees_to_the_judges(self) -> None:
        """Raise PieceError if the piece has changed by what it is judged."""
        if what := fence.changed(self.judges):
            said = f"it puts something else in the place of {what}, which judges it"
            raise PieceError(self.piece, 0, said)

    def with_pytest(self, module: ModuleType) -> None:
        for name, known in list(sys.modules.items()):
            if getattr(known, "__file__", None) == str(self.file):
                del sys.modules[name]  # it has imported from another piece
        arguments = [
            str(self.file), "--assert=plain", "--import-mode=importlib",
            "-c", os.devnull, "--rootdir", str(self.file.parent),
            "-p", "no:cacheprovider", "-p", "no:doctest", "-p", "no:unittest", "-p", "no:junitxml",
            "-p", "no:terminal", "-p", "no:logging", "-p", "no:pastebin", "-p", "no:faulthandler",
            "-p", "no:warnings", "-p", "no:unraisableexception", "-p", "no:threadexception",
            "-o", "python_files=check_*.py", "-o", "python_functions=check_*",
        ]  # fmt: skip
        code = pytest.main(arguments, plugins=[self])
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            self.broken = self.broken or f"pytest ended with {code!r}"

    # -- pytest's hooks --------------------------------------------------------------------------

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for module in {item.module for item in items if isinstance(item, pytest.Function)}:
            self.judges |= fence.functions_of(module)
        if self.only:
            unknown = set(self.only) - {item.name for item in items}
            if unknown:
                self.broken = f"there is no check {', '.join(sorted(unknown))} in {self.file.name}"
            items[:] = [item for item in items if item.name in self.only]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.broken = f"{self.file.name} cannot be read: {report.longreprtext}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool:
        assert isinstance(item, pytest.Function)
        self.guard.begin()
        self.checks.append(self._tried(item))
        return True

    def _tried(self, item: pytest.Function) -> Check:
        rule, likely = of_docstring(inspect.getdoc(item.function) or "")
        if self.endless:
            return Check(item.name, rule, Outcome.NOT_TRIED)
        if not self.small or (not self.whole and any(not check.passed for check in self.checks)):
            _leave_large(item.function)
        checking.begin()
        begun = time.perf_counter()
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            outcome, failure = self._outcome(item.function, likely)
            if failure is not None:
                gc.collect()
        if failure is not None and (forgotten := self._never_awaited(noted)):
            failure = msgspec.structs.replace(failure, likely=forgotten)
        elif failure is not None and outcome in (Outcome.FAILED, Outcome.RAISED) and self.shared:
            failure = msgspec.structs.replace(failure, likely=self.shared)
        self.endless = outcome is Outcome.ENDLESS
        return Check(item.name, rule, outcome, round(time.perf_counter() - begun, 3), failure)

    def _outcome(self, check: Callable[[], object], likely: str) -> tuple[Outcome, Failure | None]:
        try:
            with contextlib.redirect_stdout(printed := Printed()):
                check()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            outcome, failure = self.judge(error, likely)
            return outcome, msgspec.structs.replace(failure, printed=printed.last())
        return Outcome.PASSED, None

    def _never_awaited(self, noted: Sequence[warnings.WarningMessage]) -> str:
        """What is likely when a coroutine of the reader's own was made and thrown away."""
        text = self.piece.read_text(encoding="utf-8", errors="replace")
        for warning in noted:
            found = re.match(r"coroutine '([\w.]+)' was never awaited", str(warning.message))
            if found is not None and (name := found[1].rpartition(".")[2]) + "(" in text:
                return (
                    f"{found[1]} was called and never awaited. Without `await`, a call of an async method "
                    f"makes a coroutine and does nothing else: look for `{name}(` without `await` before it."
                )
        return ""

    def judge(self, error: BaseException, likely: str) -> tuple[Outcome, Failure]:
        """What it means that a check has raised this."""
        if isinstance(error, FlakyFailure | FlakyReplay):
            return Outcome.FAILED, Failure(
                call="the same calls, made twice",
                expected="the same answers",
                got="other ones",
                likely="It depends on something that was not passed in: chance, a clock, the order of a set, "
                "or what an object shares with the one before it (a class attribute, a default argument).",
            )
        match error:
            case checking.Wrong(failure=failure):
                return Outcome.FAILED, msgspec.structs.replace(failure, likely=failure.likely or likely)
            case NotBack(failure=found):
                return Outcome.ENDLESS, with_trail(told(found))
            case checking.Unwritten(error=NotImplementedError(args=[str(said)])) if said.endswith("yet"):
                return Outcome.TO_DO, Failure(got=said)
            case checking.Unwritten(error=unwritten):
                return Outcome.TO_DO, told(pieces.failed(unwritten, self.piece))
            case NotImplementedError():
                return Outcome.TO_DO, told(pieces.failed(error, self.piece))
            case NotWritten():
                return Outcome.TO_DO, told(error)
            case PieceError():
                return Outcome.RAISED, with_trail(told(error))
            case MemoryError():
                failure = told(PieceFailed(self.piece, pieces.line_of(error, self.piece), "memory is full"))
                return Outcome.RAISED, with_trail(failure)
        if pieces.line_of(error, self.piece):
            failure = told(pieces.failed(error, self.piece))
            known = mistakes.likely(failure.got) or ("" if mistakes.is_slip(failure.got) else likely)
            return Outcome.RAISED, with_trail(failure, known)
        if checking.trail() and not isinstance(error, KvlabError):
            # Ours raised, over what the piece returned.
            line = pieces.line_of(error, self.file)
            return Outcome.RAISED, Failure(
                call=checking.trail()[-1],
                expected="something that the check can work with",
                got=f"{type(error).__name__}: {error}",
                why=f"{self.file.name}, line {line}",
                likely=likely,
                trail=checking.trail(),
            )
        return Outcome.OURS, Failure(got=f"{type(error).__name__}: {error}", why=f"{self.file.name} itself")


class Printed(io.TextIOBase):
    """Where the reader's prints go: the last of them are shown with a failure."""

    def __init__(self) -> None:
        self._end: deque[str] = deque(maxlen=2000)

    def write(self, text: str) -> int:
        self._end.append(text)
        return len(text)

    def last(self) -> tuple[str, ...]:
        return tuple(map(_readable, "".join(self._end).splitlines()[-PRINTED_MAX:]))


def _readable(line: str) -> str:
    """Of a line so much as one reads, and nothing that a terminal would obey."""
    line = "".join(char if char.isprintable() or char == "\t" else "?" for char in line[: PRINTED_WIDTH + 1])
    return line if len(line) <= PRINTED_WIDTH else f"{line[:PRINTED_WIDTH]}..."


def _leave_large(check: Callable[..., object]) -> None:
    """Have no example of this property's failure made small: nobody will be shown it."""
    chosen: settings | None = getattr(check, "_hypothesis_internal_use_settings", None)
    if chosen is not None:
        phases = [phase for phase in chosen.phases if phase is not Phase.shrink]
        check._hypothesis_internal_use_settings = settings(chosen, phases=phases)  # type: ignore[attr-defined]


def of_docstring(text: str) -> tuple[str, str]:
    """(the rule, the misconception) of a check."""
    rule, *others = (" ".join(part.split()) for part in text.split("\n\n"))
    likely = next((other for other in others if other.startswith("Likely: ")), "")
    return rule, likely.removeprefix("Likely: ")


def told(error: PieceError) -> Failure:
    """What is wrong with the reader's file, as a failure."""
    return Failure(got=error.what, file=error.path.name, line=error.line, code=error.code)


def with_trail(failure: Failure, likely: str = "") -> Failure:
    """The same, with the calls that led there."""
    trail = checking.trail()
    return msgspec.structs.replace(failure, call=trail[-1] if trail else "", trail=trail, likely=likely)


# -- the process ---------------------------------------------------------------------------------


def prepare() -> None:
    """How hypothesis works here: the same examples for the same seed, and nothing kept."""
    settings.register_profile(
        "course",
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("course")


def limit_memory(megabytes: int) -> None:
    """Let this process have no more. macOS knows the limit and does not hold it."""
    size = megabytes * 1024 * 1024
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def main() -> None:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    with contextlib.suppress(ValueError, OSError):  # who writes without end fills no disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX))
    if job.megabytes:
        limit_memory(job.megabytes)
    if job.traceback:
        where: Any = Path(job.traceback).open("w")  # noqa: SIM115  # it has to stay open: time may be up
        faulthandler.dump_traceback_later(job.seconds, exit=True, file=where)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)  # the simulator's own guard: ours counts CPU time alone
    sys.unraisablehook = lambda _: None  # what is left of a node when its world ends is of no interest
    prepare()
    chapter = pieces.chapter(job.chapter)
    chosen = job.only or [[] for _ in job.pieces]
    with Path(job.answer).open("wb") as answer:
        for path, only in zip(job.pieces, chosen, strict=True):
            importlib.invalidate_caches()
            verdict = grade(
                chapter, Path(path), job.seed, only, whole=job.whole, small=job.small, tick_s=job.tick_s
            )
            answer.write(job.sign.encode() + msgspec.json.encode(verdict) + b"\n")
            answer.flush()
    os._exit(0)  # at once, and before anything that a piece has asked to be done at the end
