"""The lab as a person has it: started on a terminal of its own (a pty), watched from outside.

Only the drawing of a frame is measured inside, in this process. What a person waits for is timed from the
key to the first bytes on the terminal that show it; what the lab costs is the processor time of its own
process, without its nodes.
"""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import multiprocessing
import os
import pty
import select
import signal
import socket
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

import psutil

from bench.figure import Figure
from kvlab.config import ClusterConfig
from kvlab.lab.draw.screen import screen
from kvlab.lab.draw.theme import Theme
from kvlab.lab.view import view_of
from kvlab.script.parse import parse_line
from kvlab.script.session import Session
from kvlab.trace.events import OpStarted
from kvlab.trace.model import Model
from kvlab.trace.recording import Recording
from kvlab.world.sim import SimWorld

LIMIT_S = 30.0
COLUMNS, ROWS = 120, 40
STARTS = 5
KEYS = 40
WATCH_S = 5.0
BUSY_RATE = 5000  # events a second
PORT = 7431
"""Of the first node, for the program that writes; the others' follow."""


class Terminal:
    """A program on a terminal of 120x40; nothing is read from it but while somebody waits."""

    def __init__(self, *arguments: str) -> None:
        self.started = time.perf_counter()
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LC_ALL="C.UTF-8")
            os.execv(sys.executable, [sys.executable, "-m", "kvlab", *arguments])
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = psutil.Process(self.pid)

    def press(self, keys: str) -> None:
        os.write(self.file, keys.encode())

    def wait_for(self, text: str, since: float) -> float:
        """How many seconds after `since` this text was written to the terminal."""
        seen = b""
        while text.encode() not in seen:
            if not select.select([self.file], [], [], LIMIT_S)[0]:
                raise TimeoutError(f"the lab did not show {text!r}; it wrote {seen[-2000:]!r}")
            seen += os.read(self.file, 1 << 16)
        return time.perf_counter() - since

    def watch(self, seconds: float) -> float:
        """Read what is written for so long; returns the share of a core that the program used."""
        end = time.perf_counter() + seconds
        before = sum(self.process.cpu_times()[:2])
        while (left := end - time.perf_counter()) > 0:
            if select.select([self.file], [], [], left)[0]:
                os.read(self.file, 1 << 16)
        return (sum(self.process.cpu_times()[:2]) - before) / seconds

    def memory_mb(self) -> float:
        """What would be free if it ended."""
        return float(self.process.memory_full_info().uss) / 1e6

    def close(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        deadline = time.perf_counter() + LIMIT_S
        while os.waitpid(self.pid, os.WNOHANG)[0] == 0 and time.perf_counter() < deadline:
            if select.select([self.file], [], [], 0.1)[0]:
                try:
                    os.read(self.file, 1 << 16)
                except OSError:  # Linux: the other end is closed
                    continue
        os.close(self.file)


def measure() -> Iterator[Figure]:
    yield from _starting()
    yield from _idle_and_moving()
    yield from _busy()
    yield from _frames()


def _starting() -> Iterator[Figure]:
    paints, ready = [], []
    for _ in range(STARTS):
        lab = Terminal("lab", "4")
        paints.append(lab.wait_for("stage 4", lab.started))
        ready.append(lab.wait_for("5/5 up", lab.started))
        lab.close()
    yield Figure("lab: start to first paint", paints, "s", 0.7, at_most=True)
    yield Figure("lab: start to five nodes ready", ready, "s", 2.0, at_most=True)


def _key_to_paint(lab: Terminal) -> list[float]:
    """Open and leave the help, again and again."""
    took = []
    for _ in range(KEYS):
        pressed = time.perf_counter()
        lab.press("?")
        took.append(1000 * lab.wait_for("end every node and leave", pressed))
        lab.watch(0.05)
        lab.press("\x1b")
        lab.watch(0.2)  # Escape alone is told from a longer key by waiting
    return took


def _idle_and_moving() -> Iterator[Figure]:
    lab = Terminal("lab", "4")
    lab.wait_for("is written", lab.started)
    lab.watch(2)
    yield Figure("lab: idle, share of a core", [lab.watch(WATCH_S) for _ in range(3)], "", 0.01, at_most=True)
    yield _slowest("lab: key to paint when idle, p95 of 40", _key_to_paint(lab))
    lab.press(":slow n1 20s\r")
    lab.watch(1)
    lab.press(":get far via n1\r")
    lab.watch(0.5)
    moving = [lab.watch(WATCH_S / 3) for _ in range(3)]  # a request stops moving when it is given up
    yield Figure("lab: messages moving at 20 a second, share of a core", moving, "", 0.1, at_most=True)
    yield Figure("lab: memory", [lab.memory_mb()], "MB", 80, at_most=True)
    lab.close()


def _busy() -> Iterator[Figure]:
    """Another program writes so much that the nodes tell of 5,000 events a second."""
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "writes.kvrec"
        lab = Terminal("lab", "4", "--port", str(PORT), "--record", str(recording))
        lab.wait_for("is written", lab.started)
        with _writing(100):
            lab.watch(5)
        lab.close()
        operations = [event for event in Recording(recording) if isinstance(event, OpStarted)]
        first_ms = operations[1].at_ms  # the first of all is the lab's own
        told = sum(1 for event in Recording(recording) if event.at_ms >= first_ms)
    rate = round(BUSY_RATE * (len(operations) - 1) / told)
    lab = Terminal("lab", "4", "--port", str(PORT))
    lab.wait_for("is written", lab.started)
    with _writing(rate):
        lab.watch(3)
        shares = [lab.watch(WATCH_S) for _ in range(3)]
        yield Figure("lab: folding 5,000 events/s, share of a core", shares, "", 0.2, at_most=True)
        yield _slowest("lab: key to paint under that, p95 of 40", _key_to_paint(lab))
        before = lab.memory_mb()
        lab.watch(6 * WATCH_S)
        after = lab.memory_mb()
    yield Figure("lab: memory under that", [after], "MB", 80, at_most=True)
    yield Figure("lab: memory after 30 s more of that / before", [after / before], "ratio", 1.1, at_most=True)
    lab.close()


@contextmanager
def _writing(rate: int) -> Iterator[None]:
    """Meanwhile a process writes at this rate, to the node at PORT."""
    writer = multiprocessing.get_context("spawn").Process(target=_write, args=(rate,), daemon=True)
    writer.start()
    try:
        yield
    finally:
        writer.terminate()
        writer.join()


def _write(rate: int) -> None:
    with socket.create_connection(("127.0.0.1", PORT)) as connection:
        begun = time.perf_counter()
        for number in itertools.count():
            time.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            connection.sendall(b"SET key:%d v%d\r\n" % (number % 97, number))
            connection.recv(100)


def _slowest(what: str, took_ms: list[float]) -> Figure:
    return Figure(what, [quantiles(took_ms, n=20)[-1]], "ms", 50, at_most=True)


def _frames() -> Iterator[Figure]:
    yield Figure("lab: one frame, 5 nodes, 120x40", _draw(5, (120, 40)), "ms", 5, at_most=True)
    yield Figure("lab: one frame, 12 nodes, 200x60", _draw(12, (200, 60)), "ms", 8, at_most=True)


def _draw(nodes: int, size: tuple[int, int]) -> list[float]:
    """A put under way, drawn at each millisecond of it."""
    world = SimWorld(ClusterConfig(stage=4, nodes=nodes, seed=7))
    model, theme = Model(world.config), Theme()
    world.watch(model.apply)
    took = []

    async def main() -> None:
        async with world:
            session = Session(world)
            await session.do(parse_line("slow n1 50ms"))
            put = world.put(b"cart:42", b"milk", via="n1")
            task = asyncio.ensure_future(put)
            while not task.done():
                await asyncio.sleep(0.001)
                view = view_of(model, None, world.at_ms())
                began = time.perf_counter()
                screen(view, size, theme)
                took.append(1000 * (time.perf_counter() - began))

    world.run(main())
    return took
