"""From text to commands: a pure parser that reports every line it cannot understand, all at once.

    parse(text, "demo.scenario")   a whole file -> Scenario; raises ScriptError
    parse_line("kill n3")          one line, as typed in the lab -> Command; raises ScriptError

A file begins with `cluster`, once. Whether a command makes sense at its stage is not decided here
(script/rehearsal.py does), but the two report in the same form.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kvlab.errors import UserError
from kvlab.script.commands import USAGE, Cluster, Command
from kvlab.script.grammar import command as read_command
from kvlab.script.words import Misread, split


class Line(msgspec.Struct, frozen=True):
    """A command and the line (counting from 1) it stands on."""

    number: int
    text: str
    command: Command


class Scenario(msgspec.Struct, frozen=True):
    """A file that has been understood; `name` is for messages."""

    name: str
    lines: tuple[Line, ...]

    @property
    def cluster(self) -> Cluster:
        """Its first command."""
        first = self.lines[0].command
        assert isinstance(first, Cluster)
        return first

    @property
    def commands(self) -> tuple[Command, ...]:
        return tuple(line.command for line in self.lines)


class Problem(msgspec.Struct, frozen=True):
    """One line that cannot be understood, or makes no sense: columns count from 0."""

    number: int
    line: str
    start: int
    end: int
    message: str
    usage: str = ""

    def shown(self, name: str) -> str:
        """As a person reads it: where, what, the line, a caret, the nearest valid command."""
        first = max(0, self.start - 60)  # a very long line is shown from near the trouble on
        window = "".join(c if c.isprintable() else " " for c in self.line[first : first + 100])
        caret = " " * (self.start - first) + "^" * max(1, min(self.end, first + 100) - self.start)
        shown = [f"{name}, line {self.number}: {self.message}", f"    {window}", f"    {caret}"]
        if self.usage:
            shown.append(f"    usage: {self.usage}")
        return "\n".join(shown)


PROBLEMS_SHOWN = 10
"""How many problems a person is told of at once: who has more has made one mistake many times."""


class ScriptError(UserError):
    """A script that cannot be understood; `problems` are all of them, in the order of their lines.

    Its text shows the first ten, and says how many more there are.
    """

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        self.name = name
        self.problems = tuple(sorted(problems, key=lambda problem: problem.number))
        shown = [problem.shown(name) for problem in self.problems[:PROBLEMS_SHOWN]]
        if more := len(self.problems) - len(shown):
            shown.append(f"... and {more} more line{'s'[: more > 1]} like these")
        super().__init__("\n\n".join(shown))


# -- files and lines -----------------------------------------------------------------------------


def parse(source: str | bytes, name: str = "script") -> Scenario:
    """Understand a whole file. Raises ScriptError with every problem in it."""
    scenario, problems = survey(source, name)
    if problems:
        raise ScriptError(name, problems)
    return scenario


def survey(source: str | bytes, name: str = "script") -> tuple[Scenario, list[Problem]]:
    """All that can be understood of a file, and a problem for every line that cannot."""
    lines: list[Line] = []
    problems: list[Problem] = []
    begun = False
    number = 0
    for number, text in enumerate(_text_lines(source), start=1):
        try:
            words = split(text)
            if not words:
                continue
            first, begun = not begun, True
            command = read_command(text, words)
            if isinstance(command, Cluster) is not first:
                raise Misread(
                    "a file begins with `cluster`: nothing runs yet"
                    if first
                    else "a second `cluster`; a file has one, and it comes first",
                    words[0].start,
                    words[0].end,
                    USAGE["cluster"] if first else "",
                )
            lines.append(Line(number, text.strip(), command))
        except Misread as misread:
            problems.append(Problem(number, text, misread.start, misread.end, misread.message, misread.usage))
    if not lines and not problems:
        message = "there is no command here; a file begins with `cluster`"
        problems.append(Problem(max(1, number), "", 0, 0, message, USAGE["cluster"]))
    return Scenario(name, tuple(lines)), problems


def parse_line(text: str) -> Command:
    """Understand one line. Raises ScriptError."""
    try:
        return read_command(text, split(text))
    except Misread as misread:
        problem = Problem(1, text, misread.start, misread.end, misread.message, misread.usage)
        raise ScriptError("command", [problem]) from None


def _text_lines(source: str | bytes) -> list[str]:
    """The lines of a file. Bytes that are not UTF-8 become lone surrogates, which words.split points at."""
    text = source.decode("utf-8", "surrogateescape") if isinstance(source, bytes) else source
    return [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
