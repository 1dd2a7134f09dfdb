"""The lessons: what they show is printed, what they include is what runs, and the site has them all."""

from __future__ import annotations

import ast
import doctest
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from kvlab.cli import main

ROOT = Path(__file__).parents[2]
LESSONS = sorted(ROOT.glob("chapters/*/lesson.md"))
HEADINGS = [
    "The problem",
    "The idea",
    "A worked example",
    "What must always hold",
    "What real systems do",
    "Still broken",
    "Predict before you run",
    "Your task",
    "Questions",
    "Further reading",
]
WORDS_MIN, WORDS_MAX = 1_500, 3_000
FENCE = re.compile(r"^( *)```(?P<info>.+)\n(?P<text>(?:.*\n)*?)\1```$", re.MULTILINE)
INCLUDE = re.compile(r'--8<-- "(?P<path>[^":]+)(?::(?P<first>\d+):(?P<last>\d+))?"')
each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.parent.name)


def blocks(lesson: Path, language: str) -> Iterator[tuple[str, str]]:
    """(what stands behind the language, the text) of each fenced block in this language."""
    for match in FENCE.finditer(lesson.read_text(encoding="utf-8")):
        word, _, rest = match["info"].partition(" ")
        if word == language:
            yield rest, match["text"]


def shown(lesson: Path) -> list[tuple[str, str]]:
    """Each command of a `console` block that prints the same every time, and what it is said to print."""
    found = []
    for _, text in blocks(lesson, "console"):
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            words = command.split()
            if words[:2] in (["kvlab", "stages"], ["kvlab", "diff"], ["kvlab", "fuzz"]) or (
                words[:2] == ["kvlab", "run"] and "--world sim" in command
            ):
                found.append((command, output))
    return found


def prints(output: str, told: str) -> bool:
    """Whether this was printed; a line of three dots stands for any number of lines."""
    lines = [re.escape(line.rstrip()) + "\n" for line in told.splitlines()]
    pattern = "".join(r"(?:.*\n)*?" if line == re.escape("...") + "\n" else line for line in lines)
    return re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in output.splitlines())) is not None


def lines_of(path: str, name: str) -> tuple[int, int]:
    """The first and the last line of a class, a method or a function: `Ring.owner`."""
    node: ast.AST = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    first = last = 0
    for word in name.split("."):
        *_, node = [  # the last: before it stand its overloads
            child
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.name == word
        ]
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        last = node.end_lineno or first
    return first, last


@each_lesson
def test_a_lesson_has_its_parts_in_order_and_is_neither_a_note_nor_a_book(lesson: Path) -> None:
    text = FENCE.sub("", lesson.read_text(encoding="utf-8"))
    assert re.findall(r"^## ([^:\n]+)", text, re.MULTILINE) == HEADINGS
    assert re.match(rf"# {int(lesson.parent.name[:2])}\. ", text)
    told, _, _ = text.partition("## Further reading")
    assert WORDS_MIN <= len(told.split()) <= WORDS_MAX


@pytest.mark.parametrize(
    ("command", "told"),
    [
        pytest.param(command, told, id=f"{lesson.parent.name}: {command}")
        for lesson in LESSONS
        for command, told in shown(lesson)
    ],
)
def test_what_a_lesson_shows_is_what_is_printed(
    command: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chapters").symlink_to(ROOT / "chapters")  # what a command writes stays in the other folder
    monkeypatch.chdir(tmp_path)
    output = CliRunner().invoke(main, command.split()[1:]).output
    assert prints(output, told), f"$ {command}\n{output}"


@each_lesson
def test_the_python_that_a_lesson_types_answers_as_it_says(lesson: Path) -> None:
    session = "\n".join(text for _, text in blocks(lesson, "pycon"))
    examples = doctest.DocTestParser().get_doctest(session, {}, lesson.parent.name, str(lesson), 0)
    told: list[str] = []
    doctest.DocTestRunner(verbose=False).run(examples, out=told.append)
    assert told == []


@each_lesson
def test_a_lesson_includes_code_by_the_lines_on_which_it_stands(lesson: Path) -> None:
    """Snippets know line numbers; the title says whose they are: `kvlab/core/ring.py: Ring.owner`."""
    for match in FENCE.finditer(lesson.read_text(encoding="utf-8")):
        include = INCLUDE.search(match["text"])
        if include is None:
            continue
        titled = re.search(r'title="([^":]+)(?:: ([\w.]+))?"', match["info"])
        assert titled, f"a title is missing: {match['info']}"
        assert titled[1] == include["path"]
        if titled[2] is None:
            assert (ROOT / titled[1]).is_file()
            assert include["first"] is None, f"{titled[1]}: a part of a file needs its name in the title"
        else:
            first, last = lines_of(titled[1], titled[2])
            assert match["text"].strip() == f'--8<-- "{titled[1]}:{first}:{last}"'


def test_the_site_publishes_every_lesson_and_every_page() -> None:
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").glob("*.md")}
    lessons = {path.relative_to(ROOT).as_posix() for path in LESSONS}
    published = re.findall(r"^ +- .*?([\w/-]+\.md)$", config, re.MULTILINE)
    assert sorted(published) == sorted(pages | lessons)
    assert [page for page in published if page in lessons] == sorted(lessons)
    assert (ROOT / "docs" / "chapters").resolve() == ROOT / "chapters"


@pytest.mark.parametrize("page", [*LESSONS, *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.stem)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        target, _, anchor = link.partition("#")
        assert "://" in link or link.startswith("#") or (page.parent / target).is_file(), link
        if anchor and target.endswith(".md"):
            headings = re.findall(r"^#+ (.+)$", (page.parent / target).read_text(), re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in slugs, link


@each_lesson
def test_a_script_that_a_lesson_includes_and_does_not_run_holds(lesson: Path) -> None:
    included = re.findall(r'--8<-- "(chapters/[^"]+\.scenario)"', lesson.read_text(encoding="utf-8"))
    run = {word for command, _ in shown(lesson) for word in command.split()}
    for script in set(included) - run:
        done = CliRunner().invoke(main, ["run", str(ROOT / script), "--world", "sim"])
        assert done.exit_code == 0, done.output
