"""`kvlab up` as a subprocess: its lines as they come, and what is left of it afterwards."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from kvlab.world.process.wire import is_free

ROOT = Path(__file__).parents[2]
LIMIT_S = 30.0


class Up:
    """A running `kvlab up`. `folder` is its temporary folder, so that one sees what it leaves there."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        path: Path = ROOT,
        stdout: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.pids: dict[str, int] = {}
        self.ports: dict[str, int] = {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kvlab", "up", *arguments],
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(path), "TMPDIR": str(folder), **(environment or {})},
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(line.rstrip("\n"))

    def line(self) -> str:
        """The next line, within the limit."""
        try:
            return self._lines.get(timeout=LIMIT_S)
        except queue.Empty:
            self.process.kill()
            raise AssertionError(f"no line came; it ended with {self.end()}") from None

    def ready(self, nodes: int = 3) -> list[str]:
        """Wait until so many nodes are ready; returns the lines that said so."""
        lines = [self.line() for _ in range(nodes)]
        for line in lines:
            said = (
                json.loads(line)
                if line.startswith("{")
                else re.match(r"(?P<node>\w+) ready [\d.]+:(?P<port>\d+) pid (?P<pid>\d+)", line)
            )
            assert said is not None, line
            self.pids[said["node"]], self.ports[said["node"]] = int(said["pid"]), int(said["port"])
        return lines

    def rest(self) -> list[str]:
        """The lines that nobody has asked for, after its end."""
        return [self._lines.get() for _ in range(self._lines.qsize())]

    def end(self) -> tuple[int, str]:
        """Wait for its end; returns the exit code and what it wrote to stderr."""
        code = self.process.wait(timeout=LIMIT_S)
        self._reader.join(LIMIT_S)
        assert self.process.stderr is not None
        return code, self.process.stderr.read()

    def assert_nothing_is_left(self) -> None:
        """No process, no port, no folder."""
        self.assert_no_process_is_left()
        assert list(self.folder.iterdir()) == []

    def assert_no_process_is_left(self) -> None:
        eventually(lambda: not any(map(runs, self.pids.values())), "its nodes to end")
        eventually(lambda: all(map(is_free, self.ports.values())), "its ports to be free")

    def __enter__(self) -> Up:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()  # and with it every node: that is what the tests are about
        self.process.wait()
        self._reader.join(LIMIT_S)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def runs(pid: int) -> bool:
    """Whether there is such a process; a dead one that nobody has reaped is none."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {LIMIT_S:g} s for {what}"
        threading.Event().wait(0.02)
