"""`kvlab init`, `hint`, `reset`, `solution` and `progress`: the workspace and what is in it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from kvlab.cli.say import say
from kvlab.course import workspace
from kvlab.course.hints import hints
from kvlab.course.page import near, reflowed
from kvlab.course.workspace import EXERCISES, Workspace
from kvlab.errors import KvlabError, UserError
from kvlab.stages import pieces
from kvlab.stages.pieces import Chapter


def chosen(mine: Workspace, number: int | None) -> Chapter:
    """The chapter that is asked for; without a number, the one that the reader is at."""
    return pieces.chapter(number or workspace.current(mine))


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--update", is_flag=True, help="Put what is new in kvlab into a workspace that is there.")
def init_command(folder: Path, update: bool) -> None:
    """Make FOLDER your workspace: the starters, the lessons, and your progress in a text file."""
    try:
        if update:
            made = workspace.find(folder).fill(pieces.chapters().values())
            say(f"{len(made)} files are new in {folder}; nothing that was there has been changed")
            return
        workspace.begin(folder.expanduser())
    except KvlabError as error:
        raise click.UsageError(str(error)) from None
    first = next(iter(pieces.chapters().values()))
    say(
        f"{folder} is your workspace: what you write is in chapters/, how far you are in "
        f"{workspace.PROGRESS}.\n\n"
        f"    cd {folder}\n"
        "    kvlab doctor         is this machine fit?\n"
        f"    kvlab watch          the loop: save {first.piece}, and a second later you know\n\n"
        f"Read chapters/{first.folder.name}/lesson.md first. All checks are red: that is where one starts."
    )


@click.command("hint")
@click.argument("chapter", type=int, required=False)
@click.option("--again", is_flag=True, help="Show those that you have had, and no new one.")
def hint_command(chapter: int | None, again: bool) -> None:
    """Show the next hint for CHAPTER: a nudge, then the idea, then nearly all."""
    try:
        mine = workspace.find()
        of = chosen(mine, chapter)
        known = hints(of)
        had = min(int(mine.done().get((of.number, "hint"), "0") or 0), len(known))
        upto = had if again else min(had + 1, len(known))
        if again and not had:
            raise UserError(f"you have had no hint for chapter {of.number} yet; `kvlab hint {of.number}`")
        for number, hint in enumerate(known[:upto] if again else known[upto - 1 : upto], start=1):
            shown = number if again else upto
            click.echo(click.style(f"Hint {shown} of {len(known)}: {hint.title}", bold=True))
            click.echo(f"\n{reflowed(hint.text)}\n")
        if upto > had:
            mine.note(of.number, "hint", str(upto))
        if upto < len(known):
            say(f"`kvlab hint {of.number}` shows the next one.")
        else:
            give_up = "" if (of.number, "build") in mine.done() else " --give-up"
            say(f"There are no more. `kvlab solution {of.number}{give_up}` shows the reference.")
    except KvlabError as error:
        raise click.UsageError(str(error)) from None


@click.command("reset")
@click.argument("chapter", type=int)
def reset_command(chapter: int) -> None:
    """Put the starter of CHAPTER into place again; what you had is kept beside it."""
    try:
        mine = workspace.find()
        kept = mine.reset(of := pieces.chapter(chapter))
    except KvlabError as error:
        raise click.UsageError(str(error)) from None
    was = f"; what was there is {kept.name} now" if kept is not None else ""
    say(f"{near(mine.chapter_folder(of) / of.piece)} is the starter again{was}")


@click.command("solution")
@click.argument("chapter", type=int)
@click.option("--give-up", is_flag=True, help="Show it although your piece does not pass yet.")
def solution_command(chapter: int, give_up: bool) -> None:
    """Show the reference of CHAPTER, once yours passes (or with --give-up)."""
    try:
        mine = workspace.find()
        of = pieces.chapter(chapter)
        if (chapter, "build") not in mine.done():
            if not give_up:
                raise UserError(
                    f"your {of.piece} does not pass yet. `kvlab hint {chapter}` helps a step further; to see "
                    f"the reference all the same, `kvlab solution {chapter} --give-up`"
                )
            mine.note(chapter, "solution", "before it passed")
    except KvlabError as error:
        raise click.UsageError(str(error)) from None
    click.echo(of.file("solution.py").read_text(encoding="utf-8"), nl=False)


@click.command("progress")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
def progress_command(as_json: bool) -> None:
    """Show how far you are."""
    try:
        mine = workspace.find()
        done = mine.done()
    except KvlabError as error:
        raise click.UsageError(str(error)) from None
    known = pieces.chapters()
    if as_json:
        told = {number: {exercise: (number, exercise) in done for exercise in EXERCISES} for number in known}
        click.echo(json.dumps({"folder": str(mine.folder), "chapters": told}))
        return
    width = max(len(of.title) for of in known.values())
    click.echo((" " * (width + 7) + "".join(f"{exercise:<10}" for exercise in EXERCISES)).rstrip())
    for number, of in known.items():
        cells = ["done" if (number, exercise) in done else "-" for exercise in EXERCISES]
        click.echo(f"{number:>3}  {of.title:<{width}}  " + "".join(f"{cell:<10}" for cell in cells).rstrip())
    count = sum((number, exercise) in done for number in known for exercise in EXERCISES)
    click.echo(f"\n{count} of {len(known) * len(EXERCISES)}; next: kvlab check {workspace.current(mine)}")
