"""The scenario language: what it says back, what it refuses, and how it points at a mistake."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvlab import stages
from kvlab.script.commands import (
    USAGE,
    At,
    Cluster,
    Command,
    DecideMessage,
    Expect,
    Load,
    LoseMessage,
    Partition,
    Put,
    Rot,
    Say,
    Skew,
    Slow,
    StopLoad,
    WaitUntil,
)
from kvlab.script.conditions import (
    CONDITION_USAGE,
    Condition,
    GetIs,
    HeldIs,
    HintsAre,
    Home,
    NodeName,
    ResultIs,
)
from kvlab.script.parse import Problem, ScriptError, parse, parse_line
from kvlab.script.words import RESERVED
from tests.script import script_lines

FROM_THE_DESIGN = """\
cluster stage=8 nodes=5 n=3 r=2 w=2 seed=17
say    "Three replicas; the third is about to die."
put    cart:42 milk via cart:42#1
kill   cart:42#3
put    cart:42 bread via cart:42#1
expect hints total = 1
restart cart:42#3
wait   until hints total = 0 within 5s
expect cart:42 at cart:42#3 = bread
"""


def refused(text: str) -> str:
    """The message with which this line is refused."""
    with pytest.raises(ScriptError) as caught:
        parse_line(text)
    return str(caught.value)


def test_the_scenario_of_the_design_is_understood() -> None:
    first, third = Home(b"cart:42", 1), Home(b"cart:42", 3)
    commands = parse(FROM_THE_DESIGN).commands
    assert commands[0] == Cluster(stage=8, nodes=5, n=3, r=2, w=2, seed=17)
    assert commands[1] == Say("Three replicas; the third is about to die.")
    assert commands[2] == Put(b"cart:42", b"milk", first)
    assert commands[7] == WaitUntil(HintsAre(None, "=", 0), 5000)
    assert commands[8] == Expect(HeldIs(b"cart:42", third, "=", (b"bread",)))


@given(script_lines.commands)
def test_a_command_is_read_back_from_the_line_it_prints(command: Command) -> None:
    assert parse_line(str(command)) == command


@given(script_lines.conditions)
def test_a_condition_is_read_back_from_what_it_prints(condition: Condition) -> None:
    assert parse_line(f"expect {condition}") == Expect(condition)


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_a_word_of_the_language_in_quotes_is_a_key_and_a_value(word: str) -> None:
    data = word.encode()
    for condition in (HeldIs(data, NodeName("n1"), "=", (data, b"x")), GetIs(data, "=", (data,))):
        assert parse_line(str(WaitUntil(condition, 1))) == WaitUntil(condition, 1)


@given(script_lines.commands)
def test_a_command_prints_itself_on_one_line(command: Command) -> None:
    assert "\n" not in str(command)
    assert str(command).isprintable()


@given(script_lines.clusters, st.lists(script_lines.lines, max_size=5))
def test_a_file_of_printed_commands_is_read_back(first: Cluster, others: list[Command]) -> None:
    text = "".join(f"{command}\n" for command in (first, *others))
    assert parse(text.encode()).commands == (first, *others)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    assert all(problem.message for problem in _problems(data))


@given(st.text(max_size=80) | script_lines.commands.map(str).flatmap(lambda line: _mangled(line)))
def test_no_line_crashes_the_parser(line: str) -> None:
    """What is refused is refused with a place inside the line, or just after it."""
    for problem in _problems("cluster stage=4\n" + line):
        assert 0 <= problem.start < problem.end <= len(problem.line) + 1
        assert problem.shown("script")


def _problems(source: str | bytes) -> tuple[Problem, ...]:
    """Every problem of a file; () if it is understood."""
    try:
        parse(source)
    except ScriptError as error:
        return error.problems
    return ()


def _mangled(line: str) -> st.SearchStrategy[str]:
    """A valid line with one piece of it replaced by something else."""
    return st.builds(
        lambda start, length, piece: line[:start] + piece + line[start + length :],
        st.integers(0, len(line)),
        st.integers(0, 8),
        st.text(max_size=5),
    )


def test_every_error_of_a_file_is_reported_at_once_and_in_order() -> None:
    with pytest.raises(ScriptError) as caught:
        parse("cluster stage=4\nkil n1\n\nput x\nget y\nwait 5\n", "bad.scenario")
    assert [problem.number for problem in caught.value.problems] == [2, 4, 6]


def test_a_mistake_is_shown_with_its_line_a_caret_and_the_usage() -> None:
    with pytest.raises(ScriptError) as caught:
        parse("cluster stage=4\nkil n1  # oh\n", "bad.scenario")
    assert str(caught.value).splitlines() == [
        "bad.scenario, line 2: there is no command kil; the nearest is `kill`",
        "    kil n1  # oh",
        "    ^^^",
        "    usage: kill NODE",
    ]


@pytest.mark.parametrize(
    ("line", "column", "said"),
    [
        ("kill 42", 5, "expected a node"),
        ("kill", 4, "expected a node"),
        ("kill n1 n2", 8, "expected the end of the line, not n2"),
        ("kill cart#0", 5, "counted from 1"),
        ("delete k", 0, "the nearest is `del`"),
        ("xyzzy", 0, "the commands are cluster, put"),
        ('"kill" n1', 0, "there is no command"),
        ("put k v wia n1", 8, "did you mean via?"),
        ("put k v w=0", 10, "a whole number, 1 or more"),
        ("put k v w=2 w=2", 12, "stands here twice"),
        ("put k v via", 11, "expected a node"),
        ("put '' v", 4, "a key cannot be empty"),
        ('put k "v', 6, "never closed"),
        ('put k "\\xg1"', 7, "two hexadecimal digits"),
        ("put k \u201cv\u201d", 6, "curly quote"),
        ("put k\u00a0v", 5, "U+00A0 cannot be seen"),
        ("put k v\\", 7, "backslash"),
        ("wait 5", 5, "the unit is missing"),
        ("wait 0.5ms", 5, "whole milliseconds"),
        ("wait untill get k = v", 5, "or `until`"),
        ("wait until get k = v withing 5s", None, ""),
        ("wait until result = ok 5s", 23, "within"),
        ("partition n1 n2", 15, "two groups"),
        ("partition n1|n2", 10, "spaces around `|`"),
        ("partition n1 | n2 n1", 18, "n1 stands here twice"),
        ("lose n1 n1 10%", 8, "no link to itself"),
        ("lose n1 n2 101%", 11, "0% to 100%"),
        ("skew n1 fast", 8, "a duration"),
        ("add cart#1", 4, "a name of its own"),
        ("load 0/s for 1s", 5, "1/s to 10000/s"),
        ("load 5/s 1s", 9, "`for`"),
        ("check convergance", 6, "did you mean convergence?"),
        ("expect result = okay", 16, "ok, failed, unknown"),
        ("expect result=ok", 7, "spaces around"),
        ("expect get k=v", 14, "expected a comparison"),
        ("expect get k v=", 13, "spaces around"),
        ("expect get k < v", 13, "`<` makes no sense here"),
        ("expect get k = a missing", 17, "stands alone"),
        ("expect resul = ok", 7, "begins none"),
        ("expect n1 sees n2 = dead", 20, "one of alive, suspect, failed"),
        ("cluster nodes=3", 15, "stage=N"),
        ("cluster stage=x", 14, "a whole number"),
        ("at 5ms at 6ms heal", 7, "no place in a timeline"),
        ("at 5 heal", 3, "the unit is missing"),
        ("lose Keep of w1 n1 to n2", 16, "`from`"),
        ("put k v as a/b", 11, "a short name"),
        ("say two words", 8, "stands in quotes"),
        ('say "\\xff"', 4, "UTF-8"),
        ('predict "q" "a"', 12, "`=`"),
    ],
)
def test_an_error_points_at_the_column_and_says_what_was_expected(
    line: str, column: int | None, said: str
) -> None:
    if column is None:  # "withing" is one more value of the key
        assert isinstance(parse_line(line), WaitUntil)
        return
    with pytest.raises(ScriptError) as caught:
        parse_line(line)
    (problem,) = caught.value.problems
    assert (problem.start, said in problem.message) == (column, True), problem.message


@pytest.mark.parametrize(
    ("text", "number", "said"),
    [
        ("kill n1\n", 1, "a file begins with `cluster`"),
        ("# nothing\n\n", 3, "there is no command here"),
        ("cluster stage=4\ncluster stage=4\n", 2, "a second `cluster`"),
        (b"cluster stage=4\nput k \xff\n", 2, "not a character in UTF-8"),
    ],
)
def test_a_file_begins_with_one_cluster(text: str | bytes, number: int, said: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse(text)
    problem = caught.value.problems[0]
    assert problem.number == number
    assert said in problem.message


def test_a_hash_begins_a_comment_only_at_the_start_of_a_word() -> None:
    assert parse_line("put cart#1 v#2  # a comment") == Put(b"cart#1", b"v#2")
    assert parse_line('say "one # two"') == Say("one # two")


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm() -> None:
    assert parse(b"\xef\xbb\xbfcluster stage=4\r\nheal\r\n").commands[0] == Cluster(stage=4)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ('put \'a b\' "c\\"d" via n2 w=1', Put(b"a b", b'c"d', NodeName("n2"), 1)),
        ("put a\\ b c", Put(b"a b", b"c")),
        ("cluster stage=1 memory=64kb timeout=1s", Cluster(stage=1, memory=65536, timeout=1000)),
        ("put k v ttl=1.5s blind", Put(b"k", b"v", ttl=1500, blind=True)),
        ("slow n1 n4 80ms+-20ms", Slow(NodeName("n1"), NodeName("n4"), 80, 20)),
        ("slow k#2 1s", Slow(Home(b"k", 2), None, 1000)),
        ("rot cart:42 at k#2", Rot(b"cart:42", Home(b"k", 2))),
        ("message n1.0.7 twice", DecideMessage("n1.0.7", "twice")),
        ("load stop", StopLoad()),
        ("skew n5 -200ms", Skew(NodeName("n5"), -200)),
        ("load 200/s for 1m reads=50% keys=9 zipf", Load(200, 60_000, 50.0, 9, True)),
        ("partition n1 | n2 n3", Partition(((NodeName("n1"),), (NodeName("n2"), NodeName("n3"))))),
        ("at 1s put k v as w1", At(1000, Put(b"k", b"v", name="w1"))),
        ("lose Keep of w1 from n1 to n2", LoseMessage("Keep", "w1", NodeName("n1"), NodeName("n2"))),
        ('expect get k = "missing"', Expect(GetIs(b"k", "=", (b"missing",)))),
        ("expect get k != missing", Expect(GetIs(b"k", "!=", ()))),
        ("expect result = WritesLocked", Expect(ResultIs("=", "WritesLocked"))),
    ],
)
def test_a_line_means_this(line: str, command: Command) -> None:
    assert parse_line(line) == command


def test_every_usage_begins_with_the_name_of_its_command() -> None:
    for name, usage in USAGE.items():
        assert usage.startswith(name)
        assert "there is no command" not in _message(name)


@pytest.mark.parametrize("usage", CONDITION_USAGE.values())
def test_the_usages_of_conditions_are_conditions(usage: str) -> None:
    example = re.sub(r" \[.*?\]|\.\.\.| \| missing", "", usage).replace("NODE|total", "total")
    example = example.replace("NODE", "n1").replace("ErrorName", "NodeDown")
    example = re.sub(r"\|\w+", "", example)
    assert isinstance(parse_line(f"expect {example}"), Expect)


def _message(line: str) -> str:
    try:
        return str(parse_line(line))
    except ScriptError as error:
        return str(error)


def test_a_very_long_line_is_shown_around_the_mistake() -> None:
    message = refused("put k " + "v" * 5000 + " oops")
    assert "oops" in message
    assert max(map(len, message.splitlines())) < 200


@pytest.mark.parametrize(
    "line",
    [
        "cluster stage=4",
        "cluster stage=4 nodes=7 n=2 w=1 seed=9 zones=3 vnodes=8 memory=64kb timeout=1500ms",
        "cluster stage=3 vnodes=8",
        "cluster stage=1 memory=1mb",
    ],
)
def test_a_configuration_is_told_by_the_line_that_asks_for_it(line: str) -> None:
    command = parse_line(line)
    assert isinstance(command, Cluster)
    assert Cluster.of(stages.checked(command.config())) == command
