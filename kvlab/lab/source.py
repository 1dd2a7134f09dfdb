"""The stage's source as the code tab shows it, and which of its lines an event belongs to.

What a node sends and stores says itself at which line it was (trace/events.py). What has no line, because
no code of the stage was at work just then, belongs to a line all the same: a question that arrives comes in
at its handler, a reply goes out where the handler makes it, and an answer is what the asking line waits for.

The file is read once, when its code is first looked at: whoever changes it while nodes run sees what they
run after a restart of the lab.
"""

from __future__ import annotations

import ast
import importlib
import io
import keyword
import re
import tokenize
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from kvlab.stages import Stage
from kvlab.trace.events import AnyEvent, Delivered, MessageDropped, OpEnded, OpStarted, Removed, Sent, Stored

Role: TypeAlias = Literal["plain", "keyword", "string", "comment", "name"]
"""What a piece of source is; `name` is that of a method or class where it is defined."""


class Method(msgspec.Struct, frozen=True):
    """A method of the file: `owner` is its class, `first` and `last` its lines, counted from 1."""

    owner: str
    name: str
    first: int
    last: int
    makes: dict[str, int]
    """At which line it returns a message of which type."""

    @property
    def title(self) -> str:
        return f"{self.owner}.{self.name}" if self.owner else self.name


class Source(msgspec.Struct, frozen=True):
    """A file: its lines, each in pieces of one role, and its methods in order."""

    path: str
    """Shortened, to be read."""
    lines: tuple[tuple[tuple[str, Role], ...], ...]
    methods: tuple[Method, ...]

    def method_at(self, line: int) -> Method | None:
        """The innermost method that this line is in."""
        around = [method for method in self.methods if method.first <= line <= method.last]
        return max(around, key=lambda method: method.first) if around else None

    def named(self, name: str) -> Method | None:
        return next((method for method in self.methods if method.name == name), None)

    def handler(self, kind: str) -> Method | None:
        """What takes this type of message: `on_keep` for Keep, or else `on`, which takes them all."""
        return self.named("on" + re.sub("([A-Z])", r"_\1", kind).lower()) or self.named("on")


class Place(msgspec.Struct, frozen=True):
    """Where in the file an event belongs; `how`, to be read after it, says in what way."""

    line: int
    how: str


# -- reading a file ------------------------------------------------------------------------------


def source_of(stage: Stage, mine: str | None = None) -> Source | None:
    """The file that runs in this stage; the reader's own piece, if that does."""
    if mine is not None:
        return _read(Path(mine))  # it may have been edited since
    module = importlib.import_module(stage.path.split(":")[0])
    return read(Path(module.__file__ or ""))


@lru_cache(maxsize=9)
def read(path: Path) -> Source | None:
    """What `_read` finds, once: a stage of kvlab does not change while it runs."""
    return _read(path)


def _read(path: Path) -> Source | None:
    """Some milliseconds; None if it can no longer be read, or is half-way to something else."""
    try:
        return parsed(shortened(path), path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None


def shortened(path: Path) -> str:
    """From the folder that a person works in, or else its last three parts."""
    if path.is_relative_to(Path.cwd()):
        return str(path.relative_to(Path.cwd()))
    return str(Path(*path.parts[-3:]))


def parsed(path: str, text: str) -> Source:
    tree = ast.parse(text)
    return Source(path, tuple(_lines(text)), tuple(_methods(tree, "")))


def _methods(tree: ast.AST, owner: str) -> Iterator[Method]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _methods(node, node.name)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Method(owner, node.name, node.lineno, node.end_lineno or node.lineno, _makes(node))
            yield from _methods(node, owner)


def _makes(method: ast.AST) -> dict[str, int]:
    made: dict[str, int] = {}
    for node in ast.walk(method):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Name):
                made.setdefault(called.id, node.lineno)
    return made


def _lines(text: str) -> Iterator[tuple[tuple[str, Role], ...]]:
    """Each line in pieces."""
    lines = text.splitlines()
    roles: list[list[Role]] = [["plain"] * len(line) for line in lines]
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        role = _role(token, before)
        before = token.string
        if role == "plain":
            continue
        (first, start), (last, end) = token.start, token.end
        for y in range(first, last + 1):
            left = start if y == first else 0
            right = end if y == last else len(lines[y - 1])
            roles[y - 1][left:right] = [role] * (right - left)
    for line, of in zip(lines, roles, strict=True):
        runs = groupby(zip(line, of, strict=True), key=lambda pair: pair[1])
        yield tuple(("".join(char for char, _ in pairs), role) for role, pairs in runs)


def _role(token: tokenize.TokenInfo, before: str) -> Role:
    if token.type == tokenize.COMMENT:
        return "comment"
    if tokenize.tok_name[token.type] in ("STRING", "FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END"):
        return "string"
    if token.type == tokenize.NAME and before in ("def", "class"):
        return "name"
    if token.type == tokenize.NAME and (keyword.iskeyword(token.string) or token.string in ("match", "case")):
        return "keyword"
    return "plain"


# -- which line an event belongs to --------------------------------------------------------------


def place(source: Source, events: Sequence[AnyEvent], event: AnyEvent) -> Place | None:
    """Where in the file this event belongs, one of an operation's; None if nowhere."""
    if isinstance(event, Sent | Stored | Removed | OpEnded) and event.line:
        return Place(event.line, _HOW[type(event).__name__])
    match event:
        case OpStarted():
            return _at_method(source.named(event.kind), "begins here")
        case OpEnded():
            if last := _last_line(events, event):
                return Place(last, "this is the last that it had to do")
            return _at_method(source.named(event.kind), "this has returned")
        case Sent() if event.answers:
            return _reply(source, _sent(events, event.answers), event)
        case MessageDropped():
            sent = _sent(events, event.msg)
            found = None if sent is None else place(source, events, sent)
            return None if found is None else Place(found.line, "was sent from here")
        case Delivered():
            return _arrival(source, events, _sent(events, event.msg))
        case _:
            line = _last_line(events, event)
            return Place(line, "comes of this") if line else None


_HOW = {
    "Sent": "is sent from here",
    "Stored": "is stored here",
    "Removed": "is removed here",
    "OpEnded": "is raised here",
}


def _at_method(method: Method | None, how: str) -> Place | None:
    return None if method is None else Place(method.first, how)


def _reply(source: Source, question: Sent | None, reply: Sent) -> Place | None:
    """A reply goes out where the handler makes it, or at the handler, if it does not say so plainly."""
    method = None if question is None else source.handler(question.kind)
    if method is not None and reply.kind in method.makes:
        return Place(method.makes[reply.kind], "is made here")
    return _at_method(method, "this has returned")


def _arrival(source: Source, events: Sequence[AnyEvent], sent: Sent | None) -> Place | None:
    """A question comes in at its handler; an answer, at the line that has waited for it."""
    if sent is None:
        return None
    if not sent.answers:
        return _at_method(source.handler(sent.kind), "comes in here")
    question = _sent(events, sent.answers)
    if question is None or not question.line:
        return None
    return Place(question.line, "is waited for here")


def _sent(events: Sequence[AnyEvent], msg: str) -> Sent | None:
    """The sending of this message."""
    return next((event for event in events if isinstance(event, Sent) and event.msg == msg), None)


def _last_line(events: Sequence[AnyEvent], until: AnyEvent) -> int:
    """Where the node had last asked somebody before this, or stored something, if it asked nobody."""
    asked = stored = 0
    for event in events:
        if event is until:
            break
        if event.node != until.node:
            continue
        if isinstance(event, Sent) and event.line:
            asked = event.line
        elif isinstance(event, Stored | Removed) and event.line:
            stored = event.line
    return asked or stored
