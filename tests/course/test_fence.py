"""What a piece may not do while it is judged: frauds do not pass, and mistakes are told with their line."""

from __future__ import annotations

import contextlib
import fcntl
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvlab.course.grading import graded
from kvlab.course.tell import told
from kvlab.stages import pieces

STORE, CAP = pieces.chapter(1), pieces.chapter(2)
NOTHING = STORE.starter.read_text(encoding="utf-8")
IMPORTED = "import importlib\ns = importlib.import_module('kvlab.core.store')\n"
AGREEING = """
import sys

def footprint(key, item):
    for name, module in list(sys.modules.items()):
        if "check_store" in name:
            module.same = lambda *a, **k: None
    return 0
"""
FORGED = """
import json, os

check = {"name": "check_all", "rule": "All holds.", "outcome": "passed"}
verdict = {"chapter": 1, "title": "", "piece": "", "seed": 1, "checks": [check]}
for fd in range(3, 64):
    try:
        os.write(fd, json.dumps(verdict).encode() + b"\\n")
    except OSError:
        pass
os._exit(0)
"""
JUDGE = "which belongs to those who judge it"
FRAUDS = {
    "the reference": (
        "from kvlab.core.store import Store, footprint",
        "line 1: a piece cannot import kvlab.core.",
    ),
    "its module": (
        "import kvlab.core.store as s\nStore = s.Store",
        "line 1: a piece cannot import kvlab.core.",
    ),
    "all of it": ("from kvlab.core.store import *", "kvlab.core.store, which is kvlab's answer"),
    "the same unseen": (
        f"{IMPORTED}Store, footprint = s.Store, s.footprint",
        "expected footprint(key, item) in this",
    ),
    "the grader": ("from kvlab.course import grader", JUDGE),
    "the checks": ("from kvlab.course.checking import same", JUDGE),
    "other judges": (
        f"{NOTHING}\nimport kvlab\nkvlab.course.verdict.Verdict.passed = 1",
        "of kvlab.course.verdict.V",
    ),
    "another pytest": (f"{NOTHING}\nimport pytest\npytest.main = print", "in the place of pytest.main"),
    "checks that agree": (NOTHING + AGREEING, "check_store.same, which judges it"),
    "a forged verdict": (FORGED, "the process that ran it has ended at once"),
    "to leave before": ("import os\nos._exit(0)", "the process that ran it has ended at once"),
    "to exit in peace": ("import sys\nsys.exit(0)", "line 2: this raises SystemExit"),
}


def judged(text: str, folder: Path, chapter: pieces.Chapter = STORE) -> str:
    """What is told of a piece that has this text; it never passes."""
    path = folder / chapter.piece
    path.write_text(text, encoding="utf-8")
    verdict = graded(chapter, path, whole=False)
    assert not verdict.passed
    return "\n".join(line for line, _ in told(verdict, "kvlab check"))


@pytest.mark.parametrize("fraud", FRAUDS)
def test_a_fraud_does_not_pass_and_is_named(fraud: str, tmp_path: Path) -> None:
    text, said = FRAUDS[fraud]
    assert said in " ".join(judged(text, tmp_path).split())


def test_the_checks_are_those_that_came_with_kvlab_whatever_lies_beside_the_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do files in which one stands, or pytest's own settings, have a say."""
    for name in ("check_store.py", "conftest.py", "pytest.ini", "pyproject.toml"):
        (tmp_path / name).write_text("def check_all(): pass\n" if name.endswith(".py") else "[pytest]\n")
    for name in ("pytest", "queue", "random", "msgspec"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('mine')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only -p nowhere")
    assert "0 of 16 checks pass" in judged(NOTHING, tmp_path)


def test_what_is_left_out_is_not_inherited_from_the_reference(tmp_path: Path) -> None:
    reference = CAP.file("solution.py").read_text(encoding="utf-8")
    left_out = reference.replace("async def beyond_doubt", "async def beyond_dout")
    said = judged(left_out, tmp_path, CAP)
    assert "expected CapNode.beyond_doubt(self, key) in this file" in said
    passed_on = reference.replace(
        "        await self.unlocked()\n", "        return await super().put(key, item, w)\n"
    )
    assert passed_on != reference
    assert "CapNode.put is not written yet" in judged(passed_on, tmp_path, CAP)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("__import__('os').fork()", "a piece starts no process"),
        ("__import__('subprocess').run(['true'])", "a piece starts no process"),
        ("__import__('os').kill(__import__('os').getppid(), 9)", "a piece starts no process and ends none"),
        ("open('store.db', 'w')", "a piece writes no files"),
        ("__import__('shutil').rmtree('nowhere')", "a piece writes no files"),
        ("__import__('socket').create_connection(('127.0.0.1', 9))", "a piece opens no connection"),
        ("input('key? ')", "input() waits for somebody to type"),
        ("breakpoint()", "breakpoint() waits for somebody to type"),
    ],
)
def test_what_no_piece_needs_is_refused_where_it_stands(line: str, said: str, tmp_path: Path) -> None:
    text = STORE.file("solution.py").read_text(encoding="utf-8")
    old = "    return OVERHEAD_BYTES +"
    assert old in text
    text = text.replace(old, f"    {line}\n{old}")
    number = text.splitlines().index(f"    {line}") + 1
    found = judged(text, tmp_path)
    assert f"got       {said}" in found
    assert f"store.py, line {number}: {line}" in found
    assert not (tmp_path / "store.db").exists()


def test_a_piece_may_import_what_python_has_not_compiled_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python would write a file for it, in the name of the piece."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "never_seen.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    path = tmp_path / STORE.piece
    path.write_text(STORE.file("solution.py").read_text(encoding="utf-8") + "\n\nimport never_seen\n")
    assert graded(STORE, path, only=["check_what_was_put_is_found"]).passed


def test_what_a_piece_has_started_in_spite_of_all_ends_with_it(tmp_path: Path) -> None:
    """A thread that calls what is built in and nothing else is not refused it: it has no line of
    the reader's. What it forks has a lock on a file, for as long as it lives."""
    (locked := tmp_path / "locked").touch()
    text = f"""
import fcntl, functools, operator, os, threading, time

fcntl.flock(os.open({str(locked)!r}, os.O_RDONLY), fcntl.LOCK_SH)
forked = threading.Event()
calls = [os.fork, forked.set, functools.partial(time.sleep, 1000)]
threading.Thread(target=list, args=[map(operator.call, calls)], daemon=True).start()
forked.wait()
"""
    assert "expected footprint" in judged(text, tmp_path), "it has come to its end"
    with locked.open() as file, limited(20):
        fcntl.flock(file, fcntl.LOCK_EX)


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise TimeoutError, so that what hangs says where."""

    def up(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_what_is_said_without_end_neither_passes_nor_fills_anything(tmp_path: Path) -> None:
    text = "import sys\nwhile True:\n    sys.stderr.write('x' * 100_000)\n"
    assert "store.py, line " in judged(text, tmp_path)
