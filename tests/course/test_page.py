"""Text in the terminal: as wide as it is, with no word cut in two."""

from __future__ import annotations

import io

import pytest

from kvlab.course.measuring import Table, as_lines
from kvlab.course.page import WIDTH_MAX, filled, offered, reflowed, sentences, width
from kvlab.course.tell import failure, told
from kvlab.course.verdict import Check, Failure, Outcome, Verdict


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("terminal", "columns"), [("60", 60), ("200", WIDTH_MAX)])
def test_it_is_as_wide_as_the_terminal_and_no_wider_than_one_reads(
    terminal: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", terminal)
    assert width(Screen()) == columns


def test_into_a_pipe_no_line_is_broken_whatever_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert filled("word " * 1000) == ("word " * 1000).strip()


def test_what_is_to_be_copied_is_never_broken() -> None:
    path = "/a/very/long-path/with-hyphens/in.it"
    text = f"see {path} or `kvlab solution 5 --give-up` for it\n    kvlab run x --world sim --mine"
    assert sentences(text, 20).splitlines() == [
        "see", path, "or", "`kvlab solution 5 --give-up`", "for it",
        "    kvlab run x --world sim --mine",
    ]  # fmt: skip
    assert offered("To watch it:", "kvlab run x", 80) == "To watch it: kvlab run x"
    assert offered("To watch it: ", "kvlab run x", 20) == "To watch it:\n    kvlab run x"


def test_a_paragraph_stands_beside_what_comes_before_it() -> None:
    assert filled("one two three", "1. ", columns=10) == "1. one two\n   three"
    assert filled("a `--long-option` stays", columns=8) == "a\n`--long-option`\nstays"


def test_paragraphs_and_items_are_filled_anew_and_code_stays_as_it_is() -> None:
    before = "one two\nthree\n\n"
    kept = "    code   here\n    and here\n\n"
    items = "* an item\n  goes on\n* another\n\n```text\na  b\n```"
    assert reflowed(before + kept + items, columns=12) == before + kept + items
    assert reflowed(before + kept + items, columns=80) == (
        "one two three\n\n" + kept + items.replace("item\n  goes", "item goes")
    )


def test_a_verdict_in_a_small_terminal_cuts_no_word_in_two() -> None:
    failure = Failure(call="f(1)", expected="2", got="3", why="because " * 20, likely="likely " * 20)
    verdict = Verdict(
        1, "A store", "store.py", 1, (Check("check_a", "rule " * 30, Outcome.FAILED, 0, failure),)
    )
    lines = [line for line, _ in told(verdict, "kvlab check 1", columns=50)]
    assert max(map(len, lines)) <= 50
    assert sum("because" in line for line in lines) > 2


def test_what_is_not_written_yet_is_told_in_lines_that_fit() -> None:
    to_do = Check("check_a", "rule", Outcome.TO_DO, 0, Failure(got="Store.__init__ is not written yet"))
    lines = [line for line, _ in failure(to_do, "kvlab check 1", 1, columns=50)]
    assert max(map(len, lines)) <= 50
    assert " ".join(" ".join(lines).split()).endswith("That is where one starts.")


def test_a_call_that_needs_no_other_before_it_is_not_told_twice() -> None:
    alone, second = Failure(call="f(1)", trail=("f(1)",)), Failure(call="f(1)", trail=("f(0)", "f(1)"))
    checks = [Check("check_a", "A.", Outcome.FAILED, 0, found) for found in (alone, second)]
    one, two = ("\n".join(line for line, _ in failure(check, "kvlab check 1", 1)) for check in checks)
    assert one.count("f(1)") == 1
    assert "the smallest that shows it is that call alone" in one
    assert "the smallest that shows it:\n    f(0)\n    f(1)" in two


def test_the_names_of_columns_stand_in_more_lines_where_the_table_would_be_too_wide() -> None:
    names = ("x", "one of the long names", "theory")
    table = Table(
        title="T", columns=names, rows=((1, 2.5, 3), (2, 1.5, 1)), measured=names[1], theory="theory"
    )
    wide, narrow = (list(as_lines(table, columns)) for columns in (80, 24))
    assert wide[2] == "  x  one of the long names  theory"
    assert narrow[2:4] == ["     one of the", "  x  long names  theory"]
