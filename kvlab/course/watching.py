"""Watch: the loop of save and verdict. What is on the screen, and which keys do something just now.

The loop itself (kvlab/cli/watch.py) knows about files, keys and terminals; here are the decisions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from kvlab.course.page import WIDTH_MAX, filled, near
from kvlab.course.tell import Line, next_steps, told
from kvlab.course.verdict import Outcome, Verdict
from kvlab.stages.pieces import Chapter


class Stand(msgspec.Struct, frozen=True):
    """Where the reader is."""

    chapter: Chapter
    verdict: Verdict
    next_chapter: int | None
    """The next one that does not pass yet, if there is another."""
    hints_left: int

    @property
    def untouched(self) -> bool:
        """Nothing is written yet."""
        return bool(self.verdict.checks) and all(
            check.outcome is Outcome.TO_DO for check in self.verdict.checks
        )

    @property
    def keys(self) -> Mapping[str, str]:
        """The keys that do something now, and what."""
        keys = {"enter": "check again"}
        if self.verdict.passed:
            if self.next_chapter is not None:
                keys["n"] = f"on to chapter {self.next_chapter}"
            keys["s"] = "the reference"
        elif self.hints_left:
            keys["h"] = "a hint"
        if sum(check.failure is not None for check in self.verdict.checks) > 1 and not self.untouched:
            keys["a"] = "all failures"
        return {**keys, "q": "quit"}

    def screen(
        self, file: Path, *, whole: bool = False, columns: int = WIDTH_MAX, rows: int | None = None
    ) -> list[Line]:
        """What is shown; what would be taller than `rows`, without the list of all checks."""
        lines = list(self._screen(file, whole, False, columns))
        if whole or rows is None or len(lines) < rows:
            return lines
        return list(self._screen(file, whole, True, columns))

    def _screen(self, file: Path, whole: bool, folded: bool, columns: int) -> Iterator[Line]:
        if self.untouched:
            red = "All of it is red: that is where one starts. Nothing is broken, it is only not written yet."
            yield from ((line, "") for line in filled(red, columns=columns).splitlines())
            lesson, piece = near(file.with_name("lesson.md")), near(file)
            edit = f"Read {lesson}; open {piece} in your editor, and save it as often as you like."
            yield from ((line, "bold") for line in filled(edit, columns=columns).splitlines())
            yield "", ""
        again = f"kvlab check {self.chapter.number}"
        yield from told(self.verdict, again, whole=whole, folded=folded, columns=columns)
        yield "", ""
        if self.verdict.passed:
            yield from next_steps(self.chapter.number)
            yield "", ""
        yield "   ".join(f"{key}: {what}" for key, what in self.keys.items()), "bright_black"
