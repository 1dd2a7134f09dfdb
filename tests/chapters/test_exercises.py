"""The exercises beside the piece, of every chapter that has them: predict, break, measure, and the hints."""

from __future__ import annotations

import csv
import io
import operator
import re
from collections.abc import Sequence
from random import Random

import pytest

from kvlab.course.breaking import Became, try_to_break
from kvlab.course.hints import hints
from kvlab.course.measuring import as_csv, as_lines, measured
from kvlab.course.predict import COUNT, ask_all
from kvlab.script.rehearsal import read_scenario, understood
from kvlab.stages import pieces

CHAPTERS = pieces.chapters()


@pytest.mark.parametrize("number", CHAPTERS)
def test_five_questions_have_one_answer_each_and_it_is_looked_up(number: int) -> None:
    found = ask_all(read_scenario(CHAPTERS[number].file("predict.scenario")), lambda question: None)
    assert len(found) == COUNT
    for answered in found:
        assert together(answered.question.choices) == [], answered.question.text
        assert len(answered.right) == 1, f"{answered.question.text}: {answered.right}"
        assert len(answered.question.choices) >= 2
    assert len({answered.right for answered in found}) > 1, "always the same place"


def together(choices: Sequence[str]) -> list[int]:
    """The numbers for which two of these choices would be right."""

    def right(choice: str, number: int) -> bool:
        first, *others = re.split(r" to |(?<=[<>=]) ", choice)
        match first:
            case "<" | "<=" | ">" | ">=":
                compare = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[first]
                return bool(compare(number, int(others[0])))
            case _ if first.isdecimal():
                return int(first) <= number <= int(others[0] if others else first)
        return False

    return [number for number in range(200) if sum(right(choice, number) for choice in choices) > 1]


def test_choices_of_which_two_may_be_right_are_found() -> None:
    assert together(["< 5", "> 10", "> 40"]) == list(range(41, 200))
    assert together(["< 10", "10 to 40", "> 40", "milk"]) == []
    assert together(["10 to 40", "40"]) == [40]


@pytest.mark.parametrize("number", [n for n, chapter in CHAPTERS.items() if chapter.breaks is not None])
def test_what_is_to_be_broken_holds_at_first_and_can_be_broken(number: int) -> None:
    chapter = CHAPTERS[number]
    starter = try_to_break(chapter, read_scenario(chapter.file("break.scenario")))
    assert starter.became is Became.HELD, starter.sentence
    broken = try_to_break(chapter, read_scenario(chapter.file("break_solution.scenario")))
    assert broken.became is Became.BROKEN, broken.sentence
    assert broken.proof


def test_what_is_still_on_its_way_when_a_script_ends_breaks_no_convergence() -> None:
    late = "cluster stage=7 n=3 r=2 w=2 seed=7\nslow k#3 1s\nput k v via k#1\nexpect k at k#3 = missing\n"
    tried = try_to_break(CHAPTERS[7], understood(late))
    assert tried.became is Became.HELD, tried.sentence


@pytest.mark.parametrize("number", CHAPTERS)
def test_an_experiment_has_a_table_a_plot_and_a_csv(number: int) -> None:
    table = measured(CHAPTERS[number], quick=True, tell=lambda text: None)
    assert len(table.rows) >= 3
    assert all(len(row) == len(table.columns) for row in table.rows)
    values, theory = table.values(table.measured), table.values(table.theory)
    assert len(set(values)) > 1, "nothing was measured"
    assert len(set(theory)) > 1
    shown = "\n".join(as_lines(table))
    assert all(word in shown for column in table.columns for word in column.split())
    assert all(len(line) <= 80 for line in as_lines(table, 80)), "it fits a small terminal"
    assert "#" in shown
    assert len(list(csv.reader(io.StringIO(as_csv(table))))) == len(table.rows) + 1


def test_the_model_of_staleness_comes_to_what_its_paper_has() -> None:
    """Bailis et al. 2012: of the delays fitted to real stores, when 99.9% of reads see the write."""
    table = pieces.execute(CHAPTERS[5].file("measure.py"), "measure_5").paper(40_000, Random(1))
    assert abs(table.values("fresh at once")[1] - 0.439) < 0.01, "on disks, read at once"
    for found, printed in zip(table.values(table.measured), table.values(table.theory), strict=True):
        assert 0.7 < found / printed < 1.4, "the tail is a matter of few draws"


@pytest.mark.parametrize("number", CHAPTERS)
def test_hints_have_three_tiers_that_say_something(number: int) -> None:
    found = hints(CHAPTERS[number])
    assert len(found) >= 3
    assert all(len(hint.text) > 80 for hint in found)
