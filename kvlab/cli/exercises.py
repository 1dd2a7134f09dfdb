"""`kvlab predict N`, `kvlab break N FILE` and `kvlab measure N`: the exercises beside the piece."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import click

from kvlab.cli.say import say
from kvlab.course import workspace
from kvlab.course.page import filled, near, offered, width
from kvlab.course.workspace import Workspace
from kvlab.errors import KvlabError, UserError
from kvlab.script.parse import ScriptError
from kvlab.script.rehearsal import read_scenario
from kvlab.stages import pieces


def _mine() -> Workspace | None:
    """Where progress is noted, if one stands in a workspace: these exercises can be done without one."""
    try:
        return workspace.find()
    except UserError:
        return None


# -- predict -------------------------------------------------------------------------------------


@click.command("predict")
@click.argument("chapter", type=int)
@click.option("--answers", metavar="1,3,...", help="Your choices, for want of a keyboard.")
def predict_command(chapter: int, answers: str | None) -> None:
    """Guess, five times, what a cluster of CHAPTER will do; then see it do it.

    Nobody has written the answers down: each is looked up in the run. Exit code: 0 if all five are right.
    """
    from kvlab.course.predict import Answered, Question, ask_all, questions

    try:
        of = pieces.chapter(chapter)
        path = of.file("predict.scenario")
        if not path.is_file():
            raise UserError(f"chapter {chapter} has no questions")
        scenario = read_scenario(path)
        given = _choices(answers, len(questions(scenario)))

        def ask(question: Question) -> int | None:
            click.echo("\n" + click.style(filled(question.text, f"{question.number}. "), bold=True))
            for number, choice in enumerate(question.choices, start=1):
                click.echo(filled(choice, f"   {number}  "))
            if given is not None:
                click.echo(f"   : {given[question.number - 1] + 1}")
                return given[question.number - 1]
            choices = len(question.choices)
            number = click.prompt(f"   1 to {choices}, or q to leave", value_proc=_one_of(choices))
            return int(number) - 1

        def tell(answered: Answered) -> None:
            right = " or ".join(answered.question.choices[i] for i in answered.right)
            if answered.correct:
                click.echo(click.style(f"   yes: {right}", fg="green"))
            else:
                click.echo(click.style(f"   no, it is: {right}", fg="red"))

        found = ask_all(scenario, ask, tell, lambda text: click.echo(filled(text, "   ")))
    except KvlabError as error:
        raise click.UsageError(str(error)) from None
    correct = sum(answered.correct for answered in found)
    run = f"kvlab run {shlex.quote(str(near(path)))} --world sim"
    click.echo("\n" + offered(f"{correct} of {len(found)}. To see it again:", run))
    if (mine := _mine()) is not None:
        mine.note(chapter, "predict", f"{correct}/{len(found)}")
    sys.exit(0 if correct == len(found) else 1)


def _one_of(count: int) -> Callable[[str], int]:
    def read(typed: str) -> int:
        if typed.strip() == "q":
            raise click.Abort
        if not typed.strip().isdecimal() or not 1 <= int(typed) <= count:
            raise click.UsageError(
                f"type the number of a choice, 1 to {count}, or q to leave, and not {typed!r}"
            )
        return int(typed)

    return read


def _choices(answers: str | None, count: int) -> list[int] | None:
    """What --answers says, counted from 0."""
    if answers is None:
        return None
    words = answers.split(",")
    if len(words) != count or not all(word.strip().isdecimal() and int(word) > 0 for word in words):
        raise UserError(f"expected {count} numbers with commas between them, and got {answers!r}")
    return [int(word) - 1 for word in words]


# -- break ---------------------------------------------------------------------------------------


@click.command("break")
@click.argument("chapter", type=int)
@click.argument("file", type=click.Path(path_type=Path), required=False)
def break_command(chapter: int, file: Path | None) -> None:
    """Break stage CHAPTER with the scenario in FILE: the guarantee that its break.scenario names.

    Without FILE, your break.scenario. Exit code: 0 if it is broken, 1 if not, 2 if FILE makes no sense.
    """
    from kvlab.course.breaking import Became, try_to_break, wanted
    from kvlab.fuzz.tell import narrowed

    mine = _mine()
    try:
        of = pieces.chapter(chapter)
        guarantee = wanted(of).guarantee
        if file is None:
            if mine is None:
                raise UserError(
                    "which scenario? As in `kvlab break 5 FILE`, or in your workspace without FILE"
                )
            file = near(mine.chapter_folder(of) / "break.scenario")
        elif mine is not None and not file.exists() and len(file.parts) == 1:
            file = near(mine.chapter_folder(of) / file)
        tried = try_to_break(of, read_scenario(file))
    except ScriptError as error:
        say(str(error), err=True)
        sys.exit(2)
    except KvlabError as error:
        say(f"kvlab break: {error}", err=True)
        sys.exit(2)
    match tried.became:
        case Became.BROKEN:
            say(f"{guarantee} is broken: {tried.sentence}", fg="green")
            if mine is not None:
                mine.note(chapter, "break", file.name)
        case Became.HELD:
            say(f"Not broken: {tried.sentence}.", fg="red")
            say(f"Change {file} until {guarantee} is violated; break.scenario says with what means.")
        case Became.UNDECIDED:
            say(f"It cannot be told whether {guarantee} is broken: {tried.sentence}", fg="red")
        case Became.ASTRAY:
            say(f"Your scenario itself goes astray: {tried.sentence}", fg="red")
    proof = "what was done and found:" if tried.became is Became.HELD else "the proof:"
    for title, lines in ((proof, tried.proof), ("", narrowed(tried.diagram, width()))):
        if lines:
            shown = [title, *(filled(line, "  ", "    ") for line in lines)] if title else lines
            click.echo("\n" + "\n".join(shown))
    click.echo("\n" + offered("To watch it:", f"kvlab run {shlex.quote(str(file))} --world sim"))
    sys.exit(0 if tried.became is Became.BROKEN else 1)


# -- measure -------------------------------------------------------------------------------------


@click.command("measure")
@click.argument("chapter", type=int)
@click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), help="Where to write the CSV."
)
@click.option("--quick", is_flag=True, help="Fewer repetitions: in a second, and less exact.")
def measure_command(chapter: int, csv_file: Path | None, quick: bool) -> None:
    """Run the experiment of CHAPTER: a table, a plot, and a CSV, with what theory says beside it."""
    from kvlab.course.measuring import as_csv, as_lines, measured

    try:
        of = pieces.chapter(chapter)
        if not of.file("measure.py").is_file():
            raise UserError(f"chapter {chapter} has no experiment")
        table = measured(of, quick=quick, tell=lambda text: say(text, err=True))
    except KvlabError as error:
        raise click.UsageError(str(error)) from None
    for line in as_lines(table, width()):
        click.echo(line)
    mine = _mine()
    if csv_file is None and mine is not None:
        csv_file = mine.chapter_folder(of) / "measure.csv"
    if csv_file is not None:
        csv_file.write_text(as_csv(table), encoding="utf-8")
        say(f"\nthe numbers are in {near(csv_file)}")
        if table.beside is not None:
            beside = csv_file.with_name(f"{csv_file.stem}_beside{csv_file.suffix}")
            beside.write_text(as_csv(table.beside), encoding="utf-8")
            say(f"and those of the second table in {near(beside)}")
    if mine is not None:
        mine.note(chapter, "measure")
