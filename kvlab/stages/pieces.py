"""Pieces: a stage with a part of it written by the reader.

Each chapter has a piece, one file that the reader writes; its `chapter.toml` says which names it defines and
whose places they take. The reader's names are put into copies of just those modules that know the old ones,
made for this purpose, so that everybody else's modules are as they were.

Invariant: whatever is wrong with the reader's file is a PieceError, which names the file and the line.
Deviation: what a piece has to define is read from the chapter's starter, so that it is said in one place.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.machinery
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import msgspec

from kvlab.errors import KvlabError, Outcome, OwnCodeFailed, UserError

_PACKAGE = Path(__file__).parents[1]
_COPIED = ("kvlab.core.", "kvlab.services.", "kvlab.stages.s")
"""What may be copied: messages, errors and configurations are the same for everybody."""


# -- the chapters --------------------------------------------------------------------------------


class Break(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the reader's scenario is to violate: a name that `check` knows, under these settings."""

    guarantee: str
    cluster: str = ""
    """Settings that the scenario has to have, as `cluster` writes them."""
    forbids: tuple[str, ...] = ()
    """Commands that it has to do without, as they are called in a script."""


class Chapter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """chapters/NN_name/chapter.toml, and where it was."""

    title: str
    piece: str
    """The file that the reader writes."""
    lines: int
    """How long the reference is, without comments and docstrings."""
    puts: dict[str, str]
    """What the piece defines, and `module:name` of what it takes the place of."""
    breaks: Break | None = None
    number: int = 0
    folder: Path = Path()

    @property
    def starter(self) -> Path:
        return self.folder / self.piece

    @property
    def module(self) -> str:
        """What the piece is called as a module."""
        return Path(self.piece).stem

    def file(self, name: str) -> Path:
        return self.folder / name


def chapters_folder() -> Path:
    """Where the chapters are: in a wheel inside the package, in a clone beside it."""
    inside = _PACKAGE / "chapters"
    return inside if inside.is_dir() else _PACKAGE.parent / "chapters"


def chapters() -> dict[int, Chapter]:
    """The chapters that have a piece, by their number, in order."""
    found = {}
    for path in sorted(chapters_folder().glob("[0-9][0-9]_*/chapter.toml")):
        number = int(path.parent.name[:2])
        found[number] = read_chapter(path, number)
    return found


@lru_cache(maxsize=32)
def read_chapter(path: Path, number: int) -> Chapter:
    try:
        chapter = msgspec.toml.decode(path.read_bytes(), type=Chapter)
    except msgspec.MsgspecError as error:
        raise KvlabError(f"{path} is not as it should be: {error}") from error
    return msgspec.structs.replace(chapter, number=number, folder=path.parent)


def chapter(number: int) -> Chapter:
    """The chapter of this number. Raises UserError, which names those that there are."""
    known = chapters()
    if number not in known:
        raise UserError(
            f"there is no chapter {number} with exercises; there are {', '.join(map(str, known)) or 'none'}"
        )
    return known[number]


# -- what is wrong with a piece ------------------------------------------------------------------


class PieceError(OwnCodeFailed):
    """Something is wrong in the reader's file; `line` is 0 where it is no one line's fault."""

    def __init__(self, path: str | Path, line: int, what: str) -> None:
        self.path, self.line, self.what = Path(path), line, what
        super().__init__(f"{self.path.name}{f', line {line}' if line else ''}: {what}")

    @property
    def code(self) -> str:
        """The line itself."""
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return lines[self.line - 1].strip() if 0 < self.line <= len(lines) else ""


NOT_YET = "is not written yet"
"""So ends what is said of a function that is left as the starter has it."""


class PieceFailed(PieceError):
    """The reader's code has raised something, or has not come back."""

    outcome = Outcome.UNKNOWN
    """Of the operation in which that happened: it may have struck after the write."""


class NotWritten(PieceFailed):
    """The reader has left it as the starter has it."""


def line_of(error: BaseException, path: str | Path) -> int:
    """The innermost line of this file that the error has passed; 0 if none."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def name_at(error: BaseException, path: str | Path) -> str:
    """What this line is in: Store.get."""
    name, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == str(path) and code.co_name != "<module>":
            name = code.co_qualname
        trace = trace.tb_next
    return name


def failed(error: BaseException, path: str | Path) -> PieceFailed:
    """The same error in the reader's terms."""
    if isinstance(error, PieceFailed):
        return error
    line = line_of(error, path)
    if isinstance(error, NotImplementedError):
        return NotWritten(path, line, f"{name_at(error, path) or 'this'} {NOT_YET}")
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if not line:
        said = f"what it returned cannot be worked with: {said}"
    return PieceFailed(path, line, said)


# -- reading a piece -----------------------------------------------------------------------------


def load_piece(chapter: Chapter, path: str | Path) -> ModuleType:
    """The reader's file as a module. Raises PieceError if it cannot be, or lacks what it has to have."""
    path = Path(path)
    module = execute(path, chapter.module)
    for complaint in misfits(chapter, module, path):
        raise complaint
    return module


def execute(path: Path, name: str) -> ModuleType:
    """Run a file as a module of this name. Raises PieceError. Nothing is written beside it."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise PieceError(path, 0, f"cannot be read: {error.strerror}") from None
    try:
        code = compile(text, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise PieceError(path, error.lineno or 0, _no_python(error)) from None
    except ValueError as error:  # null bytes
        raise PieceError(path, 0, f"this is not Python: {error}") from None
    module = ModuleType(name)
    module.__file__ = str(path)
    before = sys.modules.get(name)
    sys.modules[name] = module  # where dataclasses and the like look for a class's module
    try:
        exec(code, vars(module))
    except (Exception, SystemExit) as error:
        if before is not None:
            sys.modules[name] = before
        else:
            del sys.modules[name]
        if isinstance(error, PieceError):
            raise
        raise PieceError(path, line_of(error, path), _raised(error)) from error
    return module


def _raised(error: BaseException) -> str:
    """What a file raises while it is read, in plain words."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return (
            f"there is no module {error.name} here: it is spelled otherwise, or not installed. The standard "
            "library and what the starter imports are enough"
        )
    return f"this raises {type(error).__name__} when the file is read: {error}"


def _no_python(error: SyntaxError) -> str:
    """What Python says of a line that it does not understand, and where else to look."""
    said, shown = f"this is not Python: {error.msg}", (error.text or "").strip()
    if error.msg.startswith("unterminated triple-quoted"):
        said += '; perhaps a """ further up was never closed, and this one closes it'
    return f"{said}\n    {shown}" if shown else said


def misfits(chapter: Chapter, module: ModuleType, path: Path) -> Iterator[PieceError]:
    """What the starter has and this module has not, or has otherwise."""
    for wanted in ast.parse(chapter.starter.read_text(encoding="utf-8")).body:
        if not isinstance(wanted, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if wanted.name.startswith("_"):
            continue
        there = getattr(module, wanted.name, None)
        if not isinstance(wanted, ast.ClassDef):
            yield from _misfit(wanted, there, wanted.name, path)
        elif not isinstance(there, type):
            got = "there is none" if there is None else f"{wanted.name} is {there!r}"
            yield PieceError(path, 0, f"expected a class {wanted.name}, and {got}")
        else:
            for method in wanted.body:
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                    found = inspect.getattr_static(there, method.name, None)
                    yield from _misfit(method, found, f"{wanted.name}.{method.name}", path)


def _misfit(
    wanted: ast.FunctionDef | ast.AsyncFunctionDef, found: object, name: str, path: Path
) -> Iterator[PieceError]:
    shape = f"{name}({', '.join(_parameters(wanted))})"
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    if isinstance(found, property):
        if not any(isinstance(mark, ast.Name) and mark.id == "property" for mark in wanted.decorator_list):
            yield PieceError(
                path, _first_line(found.fget), f"expected a method {shape}, and it is a property"
            )
        return
    if not callable(found) or getattr(found, "__isabstractmethod__", False):
        yield PieceError(path, 0, f"expected {shape}, and there is no {name}")
        return
    if wanted.name != "__init__" and _is_ours(found):
        yield PieceError(path, 0, f"expected {shape} in this file; {name} is what kvlab itself has there")
        return
    line = _first_line(found)
    if isinstance(wanted, ast.AsyncFunctionDef) != inspect.iscoroutinefunction(found):
        expected = "async def" if isinstance(wanted, ast.AsyncFunctionDef) else "def, without async"
        yield PieceError(path, line, f"expected {shape} as {expected}")
        return
    try:
        inspect.signature(found).bind(*[None] * len(_parameters(wanted)))
    except TypeError:
        got = ", ".join(inspect.signature(found).parameters)
        yield PieceError(path, line, f"expected {shape}, and it takes ({got})")


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    return [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]


def _is_ours(function: object) -> bool:
    """Whether it was written in kvlab: what the reader leaves out may be inherited from the reference."""
    code = getattr(inspect.unwrap(function) if callable(function) else function, "__code__", None)
    where = Path(code.co_filename) if code is not None else Path()
    return where.is_relative_to(_PACKAGE) and not where.is_relative_to(chapters_folder())


def _first_line(function: object) -> int:
    code = getattr(inspect.unwrap(function) if callable(function) else function, "__code__", None)
    return code.co_firstlineno if code is not None else 0


# -- putting it into a stage ---------------------------------------------------------------------


def put_in(stage_path: str, chapter: Chapter, piece: ModuleType) -> type[Any]:
    """The node class of a stage (`module:class`), with the piece's names in the places of the old ones."""
    puts: dict[str, dict[str, object]] = {}
    for name, place in chapter.puts.items():
        module, _, old = place.partition(":")
        puts.setdefault(module, {})[old] = getattr(piece, name)
    module, _, name = stage_path.partition(":")
    node: type[Any] = getattr(Copies(puts).module(module), name)
    return node


class Copies:
    """Modules made anew, in which some names stand for something else: those of `puts`, by module.

    A module is copied if one of its names is replaced, or if it imports from one that is copied. The copies
    find each other; all else they share with everybody.
    """

    def __init__(self, puts: Mapping[str, Mapping[str, object]]) -> None:
        self._puts = puts
        self._modules: dict[str, ModuleType] = {}
        self._builtins = {**vars(builtins), "__import__": self._import}

    def module(self, name: str) -> ModuleType:
        """The copy of this module."""
        if name not in self._modules:
            spec = importlib.util.find_spec(name)
            assert spec is not None
            assert isinstance(spec.loader, importlib.machinery.SourceFileLoader)
            code = spec.loader.get_code(name)
            assert code is not None
            copy = self._modules[name] = ModuleType(name)
            vars(copy).update(__file__=spec.origin, __package__=spec.parent, __builtins__=self._builtins)
            exec(code, vars(copy))
            vars(copy).update(self._puts.get(name, {}))
        return self._modules[name]

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> object:
        if self._is_copied(name):
            return self.module(name)
        there = builtins.__import__(name, globals, locals, fromlist or (), level)
        parts = {part: f"{name}.{part}" for part in fromlist or ()}
        if any(self._is_copied(part) for part in parts.values()):
            return SimpleNamespace(
                **{
                    part: self.module(full) if self._is_copied(full) else getattr(there, part)
                    for part, full in parts.items()
                }
            )
        return there

    def _is_copied(self, name: str) -> bool:
        if not name.startswith(_COPIED) or not _is_module(name):
            return False
        return name in self._puts or any(self._is_copied(other) for other in imports(name))


@lru_cache(maxsize=64)
def imports(name: str) -> tuple[str, ...]:
    """The modules of kvlab that this one imports, and what it imports from them, as if that were modules."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return ()
    text = Path(spec.origin).read_text(encoding="utf-8")
    found = re.findall(r"^from (kvlab[.\w]*) import ([\w, ]+|\()", text, re.MULTILINE)
    wholes = [module for module, _ in found]
    parts = [f"{module}.{part.strip()}" for module, names in found for part in names.split(",")]
    return tuple(dict.fromkeys(name for name in (*wholes, *parts) if _is_module(name)))


@lru_cache(maxsize=256)
def _is_module(name: str) -> bool:
    return (_PACKAGE.parent / Path(*name.split("."))).with_suffix(".py").is_file()
