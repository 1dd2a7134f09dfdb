"""Grading: a process of its own for each piece, ended when its time is up, and a verdict whatever happens."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
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
    with tempfile.TemporaryDirectory(prefix="kvlab-check-") as folder:
        answer, traceback = Path(folder, "answer"), Path(folder, "traceback")
        job = {
            "chapter": chapter.number, "pieces": [str(piece)], "seed": seed, "only": [list(only)],
            "answer": str(answer), "traceback": str(traceback), "seconds": limit_s, "megabytes": memory_mb,
            "whole": whole, "tick_s": tick_s,
        }  # fmt: skip
        said = run(job, limit_s)
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(answer.read_bytes(), type=Verdict)
        empty = Verdict(chapter.number, chapter.title, str(piece), seed, ())
        if traceback.exists() and (where := traceback.read_text(encoding="utf-8", errors="replace")):
            return msgspec.structs.replace(empty, problem=timed_out(piece, where, limit_s), seconds=limit_s)
        return msgspec.structs.replace(empty, problem=fallen(piece, said))


def run(job: dict[str, object], limit_s: float) -> str:
    """Run the grader's process; returns the end of what it said on stderr."""
    text = msgspec.json.encode(job).decode()
    process = subprocess.Popen(
        [sys.executable, "-m", "kvlab.course.grader", text],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=limit_s + 5)
    except subprocess.TimeoutExpired:
        process.kill()
        _, said = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    return "\n".join(said.strip().splitlines()[-5:])


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
