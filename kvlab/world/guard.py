"""Guard: finds out that a reader's code does not come back, and ends it where it is.

A loop without end, or a call that waits (`time.sleep`), holds up everybody who runs in the same thread, and
whoever that is cannot look after itself. A signal can: at each tick it looks whether the same call into the
reader's file is still going on as some ticks before.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from kvlab.stages.pieces import PieceFailed

TICK_S = 0.5
TICKS_MAX = 4
"""A call that is seen by so many ticks in a row is not coming back."""


def not_back(path: str, line: int) -> PieceFailed:
    """What is told: of the call at this line, or, where there is no line, of all the calls together."""
    if not line:
        return PieceFailed(
            path, 0,
            "this goes on for ever: each call comes back, and what it leaves makes the node call it again at "
            "once. Perhaps something that is due stays due",
        )  # fmt: skip
    return PieceFailed(
        path, line,
        "this does not come back: a loop without end, or a call that waits. While it runs, nothing else in "
        "the node does",
    )  # fmt: skip


class Guard:
    """Ticks while it is entered. `timer`: signal.ITIMER_REAL, or ITIMER_VIRTUAL to count CPU time alone."""

    def __init__(
        self,
        path: str | Path,
        timer: int = signal.ITIMER_REAL,
        error: Callable[[str, int], BaseException] = not_back,
        tick_s: float = TICK_S,
        limit_s: float = math.inf,
    ) -> None:
        """`limit_s`: how long all may take from `begin` on, each call by itself coming back or not."""
        self._limit_s, self._passed_s = limit_s, 0.0
        self._path, self._timer, self._error, self._tick_s = str(path), timer, error, tick_s
        self._signal = signal.SIGALRM if timer == signal.ITIMER_REAL else signal.SIGVTALRM
        self._seen: list[FrameType] = []
        self._ticks = 0
        self._entered = False

    def __enter__(self) -> Guard:
        # Where somebody ticks already, that one watches; and outside the main thread there are no signals.
        if signal.getsignal(self._signal) is signal.SIG_DFL:
            try:
                signal.signal(self._signal, self._tick)
            except ValueError:
                return self
            signal.setitimer(self._timer, self._tick_s, self._tick_s)
            self._entered = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._entered:
            signal.setitimer(self._timer, 0)
            signal.signal(self._signal, signal.SIG_DFL)
            self._entered = False

    def begin(self) -> None:
        """From now on it counts how long it takes."""
        self._passed_s = 0.0

    def _tick(self, _: int, frame: FrameType | None) -> None:
        self._passed_s += self._tick_s
        if self._passed_s > self._limit_s:
            self._passed_s = 0.0
            raise self._error(self._path, 0)
        at_work: list[FrameType] = []  # the reader's, outermost first
        while frame is not None:
            if frame.f_code.co_filename == self._path:
                at_work.insert(0, frame)
            frame = frame.f_back
        still = [now for now, then in zip(at_work, self._seen, strict=False) if now is then]
        if not still or still[0] is not at_work[0]:
            self._seen, self._ticks = at_work, int(bool(at_work))
            return
        self._seen = still
        self._ticks += 1
        if self._ticks >= TICKS_MAX:
            self._seen, self._ticks = [], 0
            raise self._error(self._path, still[-1].f_lineno)  # what it calls comes back; it does not
