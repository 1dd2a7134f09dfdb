"""Hints: a chapter's hints.md, a section a tier, given one at a time."""

from __future__ import annotations

import re

import msgspec

from kvlab.errors import UserError
from kvlab.stages.pieces import Chapter


class Hint(msgspec.Struct, frozen=True):
    title: str
    text: str


def hints(chapter: Chapter) -> list[Hint]:
    """All of them, in the order in which they are given. Raises UserError if there are none."""
    path = chapter.file("hints.md")
    if not path.is_file():
        raise UserError(f"chapter {chapter.number} has no hints")
    sections = re.split(r"^## +(.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [Hint(title.strip(), text.strip()) for title, text in zip(*[iter(sections)] * 2, strict=True)]
