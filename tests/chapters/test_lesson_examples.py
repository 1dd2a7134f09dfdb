"""What a lesson shows, it shows as it is: what the simulator prints, what Python answers, whole definitions.

In a ```console block, `$ kvlab run ... --world sim` and `$ kvlab fuzz N ... --seeds A..A` are run again, and
what follows has to be what they print (`...` alone in a line stands for lines left out). A ```pycon block is
a doctest. An include by lines has to be one whole definition. What real processes print is not held: it is
another each time.
"""

from __future__ import annotations

import ast
import doctest
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from kvlab.cli import main

ROOT = Path(__file__).parents[2]
LESSONS = {path.parent.name: path for path in sorted((ROOT / "chapters").glob("*/lesson.md"))}


@cache
def blocks(lesson: str, language: str) -> list[str]:
    """The fenced blocks of this language, without what indents them."""
    text = LESSONS[lesson].read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\b[^\n]*\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def commands(lesson: str) -> list[tuple[str, str]]:
    """Each command that can be run again, and what the lesson says that it prints."""
    told = [part for block in blocks(lesson, "console") for part in re.split(r"^\$ ", block, flags=re.M)]
    pairs = [(line, text) for line, _, text in (part.partition("\n") for part in told)]
    again = re.compile(r"kvlab (run .* --world sim|fuzz \d.* --seeds (\d+)\.\.\2)\b")
    return [(line, text) for line, text in pairs if again.match(line)]


COMMANDS = [(lesson, *command) for lesson in LESSONS for command in commands(lesson)]


@pytest.mark.parametrize(("lesson", "line", "told"), COMMANDS, ids=[f"{c[0]}: {c[1]}" for c in COMMANDS])
def test_a_command_prints_what_the_lesson_says(
    lesson: str, line: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    words = shlex.split(line)[1:]
    words += ["--out", str(tmp_path)] if words[0] == "fuzz" else []
    printed = CliRunner().invoke(main, words).stdout.replace(f"{tmp_path}/", "")
    pieces = re.split(r"^\.\.\.\n", told.strip("\n") + "\n", flags=re.M)
    pattern = "(.*\n)*".join(map(re.escape, pieces))
    assert re.fullmatch(pattern, printed.strip("\n") + "\n"), f"{line} prints now:\n{printed}"


@pytest.mark.parametrize("lesson", LESSONS)
def test_python_answers_what_the_lesson_says(lesson: str) -> None:
    session = "\n".join(blocks(lesson, "pycon"))
    test = doctest.DocTestParser().get_doctest(session, {}, lesson, str(LESSONS[lesson]), 0)
    told: list[str] = []
    result = doctest.DocTestRunner().run(test, out=told.append)
    assert not result.failed, "".join(told)


@pytest.mark.parametrize("lesson", LESSONS)
def test_an_include_by_lines_is_one_definition(lesson: str) -> None:
    text = LESSONS[lesson].read_text(encoding="utf-8")
    for name, first, last in re.findall(r'-8<-- "([^":]+\.py):(\d+):(\d+)"', text):
        nodes = ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8")))
        defined = {
            (node.lineno, node.end_lineno): node.name
            for node in nodes
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        }
        near = {lines: defined[lines] for lines in sorted(defined) if abs(lines[0] - int(first)) < 40}
        assert (int(first), int(last)) in defined, f"{name}:{first}:{last} is none of {near}"
