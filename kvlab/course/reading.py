"""A lesson as it is read outside of the site: with the code that it includes in its place.

The published site includes code from the files that run, by their lines (docs/writing-a-chapter.md). A reader
who has no such site opens lesson.md in an editor, and should not find there where the code would have been.
"""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent, indent

from kvlab.stages.pieces import chapters_folder

PACKAGE = Path(__file__).parents[1]
INCLUDE = re.compile(r'^( *)--8<-- "(kvlab|chapters)/([^":]+)(?::(\d+):(\d+))?"$', re.MULTILINE)


def with_its_code(lesson: str) -> str:
    """The same text, in which each line that includes code is that code, as far indented."""

    def code(include: re.Match[str]) -> str:
        margin, folder, path, first, last = include.groups()
        text = ((PACKAGE if folder == "kvlab" else chapters_folder()) / path).read_text(encoding="utf-8")
        if first is not None:
            text = dedent("".join(text.splitlines(keepends=True)[int(first) - 1 : int(last)]))
        return indent(text.rstrip("\n"), margin)

    return INCLUDE.sub(code, lesson)
