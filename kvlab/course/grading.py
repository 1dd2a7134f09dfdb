"""Grading: a process of its own for each piece, ended when its time is up, and a verdict whatever happens."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from kvlab.course.verdict import Failure, Verdict
from kvlab.errors import KvlabError
from kvlab.stages.pieces import Chapter, PieceFailed
from kvlab.world.guard import TICK_S

LIMIT_S = 60.0
"""For one piece. What does not come back is ended after two seconds of computing (world/guard.py); this is
for what even a signal does not wake, such as a number with a billion digits."""

MEMORY_MB = 1024

START = "import gc; gc.disable(); from kvlab.course import grader; gc.freeze(); gc.enable(); grader.main()"
"""Nothing that is imported is ever garbage: to look for some meanwhile takes a tenth of a verdict's time."""


def graded(
    chapter: Chapter,
    piece: Path,
    *,
    seed: int = 1,
    only: Sequence[str] = (),
    whole: bool = True,
    limit_s: float = LIMIT_S,
    memory_mb: int = MEMORY_MB,
    tick_s: float = TICK_S,
) -> Verdict:
    """Check one piece in a process of its own. Raises KvlabError if that process itself fails."""
    job = {
        "chapter": chapter.number, "pieces": [str(piece)], "seed": seed, "only": [list(only)],
        "megabytes": memory_mb, "whole": whole, "tick_s": tick_s,
    }  # fmt: skip
    answer = run(job, limit_s)
    if answer.verdicts:
        return answer.verdicts[0]
    empty = Verdict(chapter.number, chapter.title, str(piece), seed, ())
    if answer.traceback.startswith("Timeout"):  # as faulthandler begins
        problem = timed_out(piece, answer.traceback, limit_s)
        return msgspec.structs.replace(empty, problem=problem, seconds=limit_s)
    return msgspec.structs.replace(empty, problem=fallen(piece, answer.said))


class Answer(msgspec.Struct, frozen=True):
    """What a grader's process has left."""

    verdicts: tuple[Verdict, ...]
    said: str
    """The end of what it said on stderr."""
    traceback: str
    """Where it was, if its time was up."""


def run(job: dict[str, object], limit_s: float) -> Answer:
    """Run the grader's process, and end whatever it has started.

    The job goes in through stdin, where `ps` does not show the seed, and comes with a sign that is made up
    anew each time: what does not begin with it was not written by the grader.
    """
    with tempfile.TemporaryDirectory(prefix="kvlab-check-") as folder, tempfile.TemporaryFile() as said:
        answer, traceback = Path(folder, "answer"), Path(folder, "traceback")
        sign = secrets.token_hex(16)
        whole = {**job, "answer": str(answer), "traceback": str(traceback), "seconds": limit_s, "sign": sign}
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", START],
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(msgspec.json.encode(whole), timeout=limit_s + 5)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said.seek(max(0, said.seek(0, os.SEEK_END) - 4000))
        words = said.read().decode(errors="replace")
        verdicts = tuple(_signed(answer, sign.encode()))
        where = traceback.read_text(encoding="utf-8", errors="replace") if traceback.exists() else ""
    return Answer(verdicts, "\n".join(words.strip().splitlines()[-5:]), where)


def _environment() -> dict[str, str]:
    """kvlab is found where this process has found it, and whoever grades has no settings of pytest's.

    With -P nothing is found in the folder in which one stands: a queue.py of the reader's is not Python's.
    """
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    calm = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return {**calm, "PYTHONPATH": os.pathsep.join(paths), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def _signed(answer: Path, sign: bytes) -> Iterator[Verdict]:
    """The verdicts in this file that the grader has written."""
    if not answer.exists():
        return
    for line in answer.read_bytes().splitlines():
        if line.startswith(sign):
            with contextlib.suppress(msgspec.MsgspecError):
                yield msgspec.json.decode(line.removeprefix(sign), type=Verdict)


def timed_out(piece: Path, traceback: str, limit_s: float) -> Failure:
    """What faulthandler wrote when the time was up: the innermost line of the reader's file in it."""
    found = re.search(rf'File "{re.escape(str(piece))}", line (\d+)', traceback)
    error = PieceFailed(piece, int(found[1]) if found else 0, f"time was up: {limit_s:g} s for all checks")
    return Failure(got=error.what, file=piece.name, line=error.line, code=error.code)


def fallen(piece: Path, said: str) -> Failure:
    """The process has ended without a word."""
    if "MemoryError" in said:
        return Failure(got="memory is full", file=piece.name)
    if not said:
        return Failure(
            got="the process that ran it has ended at once: os._exit, a crash in C, or too little memory",
            file=piece.name,
        )
    raise KvlabError(f"the grader itself has failed; this is not your fault:\n{said}")
