"""Gauge: how much of the machine a node process takes, as the operating system counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


class Gauge:
    """Reads one process. About a tenth of a millisecond a reading."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._process: psutil.Process | None = None

    def read(self) -> tuple[float, int] | None:
        """(CPU since the last reading, in percent of one core; resident memory, in bytes).

        None the first time, for there is nothing to count from yet, and when the process is gone.
        """
        import psutil

        try:
            if self._process is None:
                self._process = psutil.Process(self._pid)
                self._process.cpu_percent()
                return None
            with self._process.oneshot():
                return self._process.cpu_percent(), self._process.memory_info().rss
        except psutil.Error:
            return None
