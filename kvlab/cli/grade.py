"""`kvlab grade DIR...`: an instructor grades a folder of submissions."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from kvlab.cli.say import say
from kvlab.course.page import filled
from kvlab.course.verdict import Verdict
from kvlab.errors import KvlabError


def _cell(verdict: Verdict | None) -> str:
    """What stands in the table."""
    if verdict is None:
        return "-"
    if verdict.problem is not None or verdict.broken:
        return "error"
    return f"{verdict.score}/{len(verdict.checks)}"


def _why(verdict: Verdict) -> str:
    """Of an error, the first line: all of it is in the student's report."""
    if verdict.problem is None:
        return f"the check itself is broken: {verdict.broken}"
    line = f", line {verdict.problem.line}" if verdict.problem.line else ""
    return f"{verdict.problem.file}{line}: {verdict.problem.got.partition(chr(10))[0]}"


@click.command("grade")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--chapter", "numbers", multiple=True, type=int, help="Only this chapter; may be given again.")
@click.option("--seed", type=click.IntRange(min=1), default=1, show_default=True, help="Keep it to yourself.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Where the reports go, one a student; what stands there already is not graded again.",
)
@click.option(
    "--limit",
    "limit_s",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="For one piece.",
)
@click.option(
    "--memory", "memory_mb", type=click.IntRange(min=256), default=1024, show_default=True, metavar="MB",
    help="For one piece.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), help="Pieces at a time.  [default: one a core]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a student and line.")
def grade_command(
    folders: tuple[Path, ...],
    numbers: tuple[int, ...],
    seed: int,
    out: Path,
    limit_s: int,
    memory_mb: int,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Grade the submissions in FOLDERS: workspaces, or folders of them.

    Each piece runs in a process of its own, with a limit on its time and its memory. An interrupted run goes
    on where it was. Exit code: 0 if all could be graded, whatever came of it.
    """
    from kvlab.course.batch import Graded, grade_all, submissions, table
    from kvlab.stages import pieces

    def tell(done: Graded) -> None:
        if as_json:
            scores = {
                number: {"score": verdict.score, "of": len(verdict.checks), "passed": verdict.passed}
                for number, (_, verdict) in done.verdicts.items()
            }
            click.echo(json.dumps({"student": done.student, "chapters": scores}))
        else:
            cells = [_cell(done.verdict(chapter.number)) for chapter in chapters]
            click.echo(f"{done.student:<{width}}  " + "  ".join(f"{cell:>6}" for cell in cells))

    try:
        chapters = [pieces.chapter(number) for number in numbers] or list(pieces.chapters().values())
        students = submissions(folders, chapters)
        width = max(7, *(len(student.student) for student in students))
        if not as_json:
            heads = "  ".join(f"{f'ch {chapter.number}':>6}" for chapter in chapters)
            click.echo(f"{'student':<{width}}  {heads}")
        found = grade_all(
            students, chapters, out, seed=seed, limit_s=limit_s, memory_mb=memory_mb, jobs=jobs, tell=tell
        )
        csv_file = table(out, found, chapters)
    except KvlabError as error:
        say(f"kvlab grade: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        say(f"kvlab grade: interrupted; the same command goes on where it was ({out})", err=True)
        sys.exit(130)
    if not as_json:
        errors = [
            f"{out / one.student}.txt  ch {verdict.chapter}: {_why(verdict)}"
            for one in found
            for verdict in (one.verdict(chapter.number) for chapter in chapters)
            if verdict is not None and _cell(verdict) == "error"
        ]
        if errors:
            say("\nerror is what could not be judged; why, and the file to read:")
        for why in errors:
            click.echo(filled(why, "  ", "      "))
        say(
            f"\nin {out}: this table ({csv_file.name}), and of each student .txt to read, .junit.xml, .json, "
            "and .gradescope.json, which is Gradescope's results.json"
        )
