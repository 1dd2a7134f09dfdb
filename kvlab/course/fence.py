"""Fence: what a reader's code may not do while it is judged.

It runs in the process that judges it. So it is looked through first for what it borrows from the reference,
the interpreter is told to refuse what no piece needs (processes, files to write, connections, the keyboard),
and afterwards it is seen whether the judges are still what they were.

Deviation: this stops mistakes and easy frauds. In one Python process nothing can be kept from code that is
determined to get at it; docs/instructors.md says what is not defended against.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from kvlab.stages.pieces import Chapter, PieceError, PieceFailed

# -- what is borrowed ----------------------------------------------------------------------------


def borrowed(chapter: Chapter, path: Path) -> Iterator[PieceError]:
    """Each import of what this chapter asks the reader to write, or of an answer to it."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return  # told otherwise
    answers = {place.replace(":", ".") for place in chapter.puts.values()}
    modules = {place.partition(":")[0] for place in chapter.puts.values()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in modules or _of_the_judges(alias.name):
                    yield _refusal(path, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                name = node.module if alias.name == "*" else f"{node.module}.{alias.name}"
                if name in answers | modules or _of_the_judges(name):
                    yield _refusal(path, node.lineno, name)


def _of_the_judges(name: str) -> bool:
    return name.startswith(("kvlab.course.", "kvlab.chapters")) and not f"{name}.".startswith(GIVEN)


GIVEN = "kvlab.course.given."


def _refusal(path: Path, line: int, name: str) -> PieceError:
    whose = "belongs to those who judge it" if _of_the_judges(name) else "is kvlab's answer to this chapter"
    return PieceError(path, line, f"a piece cannot import {name}, which {whose}")


# -- what is refused -----------------------------------------------------------------------------

_PROCESS = "a piece starts no process and ends none"
_FILES = "a piece writes no files: all that it keeps is in memory"
_NETWORK = "a piece opens no connection: it asks other nodes through what it was given"
_REFUSED = {
    **dict.fromkeys(
        ("os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system"), _PROCESS
    ),
    **dict.fromkeys(("subprocess.Popen", "os.kill", "os.killpg", "pty.spawn"), _PROCESS),
    **dict.fromkeys(("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink"), _FILES),
    **dict.fromkeys(("os.truncate", "os.chmod", "os.chown", "os.utime", "shutil.rmtree"), _FILES),
    **dict.fromkeys(("socket.connect", "socket.bind", "socket.sendto"), _NETWORK),
    "ctypes.dlopen": "a piece loads no library of C's",
    "builtins.input": "input() waits for somebody to type, and nobody will: a method is passed what it needs",
    "builtins.breakpoint": "breakpoint() waits for somebody to type, and nobody will; what is printed is "
    "shown with a failure",
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_fenced = ""
"""The file whose code is being judged; "" while nobody's is. An audit hook cannot be taken out again."""


def fence(path: Path | None) -> None:
    """From now on refuse it to whatever runs while this file is judged; None: to nobody any more."""
    global _fenced
    if path is not None and not _hooked:
        _hooked.append(True)
        sys.addaudithook(_audit)
    _fenced = "" if path is None else str(path)
    sys.dont_write_bytecode = path is not None  # what the piece imports would be written in its name


_hooked: list[bool] = []


def _audit(event: str, args: tuple[object, ...]) -> None:
    if not _fenced:
        return
    if event == "open":
        _, _, flags = args
        if not (isinstance(flags, int) and flags & _WRITING) or args[0] == os.devnull:
            return
        refusal = _FILES
    elif (found := _REFUSED.get(event)) is not None:
        refusal = found
    else:
        return
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename != _fenced:
        frame = frame.f_back  # type: ignore[assignment]
    if frame is not None:  # what is done for us by pytest, by Python itself, is none of theirs
        raise PieceFailed(_fenced, frame.f_lineno, refusal)


# -- who judges ----------------------------------------------------------------------------------

_JUDGES = ("builtins", "hypothesis", "hypothesis.core", "pytest", "_pytest.config", "_pytest.main")

Judges = dict[tuple[str, str], object]
"""Functions, classes and methods, by their module and name."""


def judges() -> Judges:
    """All by which a piece is judged: kvlab's own, and what matters of pytest, hypothesis and Python."""
    found: Judges = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("kvlab") or name in _JUDGES:
            found |= functions_of(module)
    return found


def functions_of(module: ModuleType) -> Judges:
    found: Judges = {}
    for key, value in list(vars(module).items()):
        if callable(value) and not key.startswith("__"):
            found[module.__name__, key] = value
            if isinstance(value, type) and value.__module__ == module.__name__:
                for of, method in list(vars(value).items()):
                    if callable(method) or isinstance(method, property):
                        found[module.__name__, f"{key}.{of}"] = method
    return found


def changed(before: Judges) -> str:
    """What is another one than it was: "kvlab.course.checking.same"; "" if nothing is."""
    for (name, attribute), value in before.items():
        now: object = sys.modules.get(name)
        for part in attribute.split("."):
            now = vars(now).get(part) if now is not None else None
        if now is not value:
            return f"{name}.{attribute}"
    return ""
