"""The grader proves itself, on every chapter that there is: each starter fails, each reference passes, and
each wrong answer is caught by the check that it names."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from kvlab.course.grading import run
from kvlab.course.verdict import Outcome, Verdict
from kvlab.stages import pieces
from kvlab.stages.pieces import Chapter

CHAPTERS = pieces.chapters()
WRONG_MIN = 6


def wrong_answers(chapter: Chapter) -> list[Path]:
    return sorted((chapter.folder / "wrong").glob("*.py"))


def caught_by(path: Path) -> str:
    """The check that a wrong answer says it is caught by."""
    found = re.search(r"^Caught by: (check_\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, f"{path} does not say `Caught by: check_...` in its docstring"
    return found[1]


def graded(number: int) -> dict[Path, Verdict]:
    """The starter and the reference whole, and each wrong answer by the check it names, in one process."""
    chapter = CHAPTERS[number]
    wrong = wrong_answers(chapter)
    tried = [chapter.starter, chapter.file("solution.py"), *wrong]
    only: list[Sequence[str]] = [[], [], *([caught_by(path)] for path in wrong)]
    job = {"chapter": number, "pieces": list(map(str, tried)), "only": only, "small": False, "tick_s": 0.05}
    answer = run(job, limit_s=120)
    assert not answer.said, answer.said
    return dict(zip(tried, answer.verdicts, strict=True))


@pytest.mark.parametrize("number", CHAPTERS)
def test_a_chapter_proves_its_checks(number: int) -> None:
    """The starter is where one starts: nothing passes, and nothing in it is an error. The reference passes.
    There are wrong answers enough, and each is caught, by the check that it names."""
    chapter = CHAPTERS[number]
    found = graded(number)
    assert [verdict.broken for verdict in found.values() if verdict.broken] == []

    starter = found[chapter.starter]
    assert starter.problem is None
    assert {check.outcome for check in starter.checks} == {Outcome.TO_DO}
    for check in starter.checks:
        assert 10 < len(check.rule) <= 100, f"a rule is one line: {check.name}: {check.rule!r}"

    reference = found[chapter.file("solution.py")]
    assert reference.problem is None
    assert [check for check in reference.checks if not check.passed] == []

    wrong = wrong_answers(chapter)
    assert len(wrong) >= WRONG_MIN
    escaped = [path.name for path in wrong if found[path].problem is not None or found[path].passed]
    assert escaped == [], "not caught by the check that they name"
    for path in wrong:
        (check,) = found[path].checks
        assert check.outcome in (Outcome.FAILED, Outcome.RAISED, Outcome.ENDLESS), f"{path.name}: {check}"
        assert check.failure is not None
        assert check.failure.got
        assert check.failure.likely or check.outcome is Outcome.ENDLESS, f"{check.name} has no `Likely: `"


def code_lines(path: Path) -> int:
    """Lines of a file that do something: docstrings, comments and imports left out."""
    import ast

    tree = ast.parse(path.read_text(encoding="utf-8"))
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Module):
            continue
        documented = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.stmt) and not documented:
            lines.add(node.lineno)
    return len(lines)


@pytest.mark.parametrize("number", CHAPTERS)
def test_a_starter_says_truly_how_long_the_reference_is(number: int) -> None:
    chapter = CHAPTERS[number]
    said = f"{chapter.lines} lines"
    assert said in chapter.starter.read_text(encoding="utf-8"), f"the starter does not say {said!r}"
    assert 0.75 < code_lines(chapter.file("solution.py")) / chapter.lines < 1.33


def test_at_least_three_chapters_have_their_reader_write_what_waits_for_others() -> None:
    """A coordinator is written with async, and not only what it counts with."""
    asked = {
        number: [
            line for line in chapter.starter.read_text(encoding="utf-8").splitlines() if "async def" in line
        ]
        for number, chapter in CHAPTERS.items()
    }
    assert sum(len(lines) >= 1 for lines in asked.values()) >= 3
    assert (
        sum(any("def put(" in line or "def get(" in line for line in lines) for lines in asked.values()) >= 2
    )


@pytest.mark.parametrize("number", CHAPTERS)
def test_a_piece_is_called_as_no_module_of_pythons(number: int) -> None:
    assert CHAPTERS[number].module not in sys.stdlib_module_names
