"""Guard: finds out that a reader's code does not come back, and ends it where it is.

A loop without end, or a call that waits (`time.sleep`), holds up everybody who runs in the same thread, and
whoever that is cannot look after itself. A signal can: at each tick it looks whether the same call into the
reader's file is still going on as some ticks before.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from kvlab.stages.pieces import PieceFailed

TICK_S = 0.5
TICKS_MAX = 4
"""A call that is seen by so many ticks in a row is not coming back."""


def not_back(path: str, line: int) -> PieceFailed:
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
    ) -> None:
        self._path, self._timer, self._error, self._tick_s = str(path), timer, error, tick_s
        self._signal = signal.SIGALRM if timer == signal.ITIMER_REAL else signal.SIGVTALRM
        self._seen: FrameType | None = None
        self._ticks = 0
        self._entered = False

    def __enter__(self) -> Guard:
        # Only the main thread gets signals; and where somebody ticks already, that one watches.
        here = threading.current_thread() is threading.main_thread()
        if here and signal.getsignal(self._signal) is signal.SIG_DFL:
            signal.signal(self._signal, self._tick)
            signal.setitimer(self._timer, self._tick_s, self._tick_s)
            self._entered = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._entered:
            signal.setitimer(self._timer, 0)
            signal.signal(self._signal, signal.SIG_DFL)
            self._entered = False

    def _tick(self, _: int, frame: FrameType | None) -> None:
        outermost: FrameType | None = None
        line = 0
        while frame is not None:
            if frame.f_code.co_filename == self._path:
                outermost = frame
                line = line or frame.f_lineno
            frame = frame.f_back
        if outermost is None or outermost is not self._seen:
            self._seen, self._ticks = outermost, 0
        self._ticks += outermost is not None
        if self._ticks >= TICKS_MAX:
            self._seen, self._ticks = None, 0
            raise self._error(self._path, line)
