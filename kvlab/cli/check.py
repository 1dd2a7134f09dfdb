"""`kvlab check [N]`: what is right and what is not yet."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from kvlab.cli.say import say
from kvlab.errors import KvlabError, UserError

NAME_MAX = 16


def _short(name: str) -> str:
    """Of a check's name, so many words that a command with it fits a line."""
    words = name.removeprefix("check_")
    return words if len(words) <= NAME_MAX else words[: NAME_MAX + 1].rpartition("_")[0]


@click.command("check")
@click.argument("chapter", type=int, required=False)
@click.option("--piece", type=click.Path(path_type=Path, dir_okay=False), help="This file, wherever it is.")
@click.option("--seed", type=click.IntRange(min=1), default=1, show_default=True, help="Of every chance.")
@click.option("--only", multiple=True, metavar="CHECK", help="Only this check.")
@click.option("--all", "whole", is_flag=True, help="Tell every failure, and not the first alone.")
@click.option("--json", "as_json", is_flag=True, help="The verdict as a JSON object.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a JUnit XML file.")
@click.option(
    "--gradescope", type=click.Path(path_type=Path, dir_okay=False), help="Write Gradescope's results.json."
)
def check_command(
    chapter: int | None,
    piece: Path | None,
    seed: int,
    only: tuple[str, ...],
    whole: bool,
    as_json: bool,
    junit: Path | None,
    gradescope: Path | None,
) -> None:
    """Check your piece of CHAPTER; without CHAPTER, of the first that does not pass yet.

    Exit code: 0 if all of it passes, 1 if not, 2 if there is nothing to check.
    """
    from kvlab.course import reports, workspace
    from kvlab.course.grading import graded
    from kvlab.course.page import near, offered, width
    from kvlab.course.tell import next_steps, told
    from kvlab.stages import pieces

    try:
        if piece is None:
            mine = workspace.find()
            chapter = chapter or workspace.current(mine)
            path = mine.piece(pieces.chapter(chapter))
        elif chapter is None:
            raise UserError("which chapter is this a piece of? As in `kvlab check 1 --piece store.py`")
        elif not piece.is_file():
            raise UserError(f"there is no file {piece} to check")
        else:
            mine, path = None, piece.resolve()
        every = whole or as_json or junit is not None or gradescope is not None
        verdict = graded(pieces.chapter(chapter), path, seed=seed, only=only, whole=every)
        if mine is not None and verdict.passed and not only:
            mine.note(chapter, "build", f"seed={seed}")
        if junit is not None:
            junit.write_text(reports.junit([verdict]), encoding="utf-8")
        if gradescope is not None:
            gradescope.write_text(reports.gradescope([verdict]), encoding="utf-8")
    except KvlabError as error:
        say(f"kvlab check: {error}", err=True)
        sys.exit(2)
    if as_json:
        click.echo(reports.as_json(verdict))
    else:
        again = f"kvlab check {chapter}" + (f" --piece {shlex.quote(str(piece))}" if piece else "")
        lines = told(verdict, again, whole=whole, columns=width())
        if mine is not None and verdict.passed and not only:
            lines += [("", ""), *next_steps(verdict.chapter)]
        for line, colour in lines:
            click.echo(
                click.style(line, bold=True) if colour == "bold" else click.style(line, fg=colour or None)
            )
        first = verdict.first
        if mine is not None and first is not None and first.failure is not None and first.failure.scenario:
            file = mine.folder / "failures" / f"{chapter:02}_{_short(first.name)}.scenario"
            file.parent.mkdir(exist_ok=True)
            file.write_text(first.failure.scenario, encoding="utf-8")
            run = f"kvlab run {shlex.quote(str(near(file)))} --world sim --mine"
            click.echo(offered("to watch the first:", run))
    sys.exit(0 if verdict.passed else 1)
