"""The table of stages, and what is said of one that is not in it."""

from __future__ import annotations

import ast
import difflib
from itertools import pairwise
from pathlib import Path

import pytest

from kvlab.errors import UserError
from kvlab.stages import STAGES, find

FILES = sorted((Path(__file__).parents[2] / "kvlab" / "stages").glob("s0[1-9]_*.py"))
LINES_MAX = 190
NEW_MAX = 80
"""Lines that a stage may have, and that may be new in it below its header. More belong in a component."""


def code(path: Path) -> list[str]:
    """The lines below the header."""
    text = path.read_text(encoding="utf-8")
    return text.splitlines()[ast.parse(text).body[0].end_lineno :]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_stage_is_one_short_file(path: Path) -> None:
    assert len(FILES) == len(STAGES)
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_MAX


@pytest.mark.parametrize(("before", "after"), list(pairwise(FILES)), ids=lambda path: path.stem)
def test_what_is_new_in_a_stage_is_its_lesson_and_nearly_nothing_else(before: Path, after: Path) -> None:
    changes = difflib.unified_diff(code(before), code(after), n=0, lineterm="")
    new = [line for line in changes if line.startswith("+") and not line.startswith("+++")]
    assert 0 < len(new) <= NEW_MAX


def test_who_asks_for_a_stage_that_is_not_there_reads_which_are() -> None:
    with pytest.raises(UserError) as caught:
        find(10)
    said = str(caught.value)
    assert said.startswith("there is no stage 10; there are 1 hashmap, 2 cap, 3 ring")
    assert all(f"{number} {stage.name}" in said for number, stage in enumerate(STAGES, start=1))
