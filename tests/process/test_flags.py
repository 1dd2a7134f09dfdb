"""Mistakes at the command line: one clear sentence each, and nothing is started."""

from __future__ import annotations

import subprocess

import pytest
from click.testing import CliRunner

from kvlab.cli import main


@pytest.fixture(autouse=True)
def _no_process_may_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*command: object, **_: object) -> None:
        raise AssertionError(f"started {command}")

    monkeypatch.setattr(subprocess, "Popen", refuse)


MISTAKES = [
    ("up 99", "there is no stage 99; there are 1 hashmap"),
    ("up 0", "there is no stage 0; there are 1 hashmap"),
    ("lab 99", "there is no stage 99; there are 1 hashmap"),
    ("lab 4 --nodes 99", "must be 3 to 12, and is 99"),
    ("lab 4", "the lab needs a terminal"),
    ("up x", "'x' is not a valid integer"),
    ("up", "Missing argument 'STAGE'"),
    ("up 4 --nodes 0", "must be 3 to 12, and is 0"),
    ("up 4 --nodes 2", "must be 3 to 12, and is 2"),
    ("up 4 --nodes 13", "must be 3 to 12, and is 13"),
    ("up 4 --nodes x", "'--nodes': 'x' is not a valid integer"),
    ("up 4 --n 9", "n, the replicas of a key, must be 1 to 5, and is 9: each copy needs a node of its own"),
    ("up 4 --w 2", "w=2 is not to be had: a number between them is a quorum, which stage 5 adds"),
    ("up 4 --w 0", "w, of n=3 replicas, must be 1 to 3, and is 0"),
    ("up 4 --r 2", "r=2 comes with stage 5"),
    ("up 4 --memory 10", "must be 1024 bytes or more, and is 10"),
    ("up 4 --memory 5parsecs", "expected a number of bytes such as 65536, 64kb or 100mb, and got '5parsecs'"),
    ("up 4 --zones 0", "zones must be 1 to 5, and is 0"),
    ("up 4 --zones 7", "zones must be 1 to 5, and is 7: a zone holds at least one node"),
    ("up 4 --vnodes 0", "vnodes must be 1 to 512, and is 0"),
    ("up 3 --n 3 --w 2", "stage 3, ring, keeps one copy of a key; leave out --n --w"),
    ("up 4 --timeout 0", "must be 10 to 60000, and is 0"),
    ("up 4 --port 80", "a port is 1024 to 65523, and is 80; leave it out to have one found"),
    ("up 4 --port 65530", "a port is 1024 to 65523, and is 65530; leave it out to have one found"),
    ("up 4 --preset strong", "stage 4, replication, has no --preset; stage 5 adds it"),
    ("up 4 --no-hints", "stage 4, replication, has no --hints; stage 8 adds it"),
    ("up 4 --choice ap", "stage 4, replication, makes no choice between CP and AP; stage 2 does"),
    ("up 5 --preset strong --r 1", "preset=strong says what r and w are; leave them out, or the preset"),
    ("up 5 --preset mighty", "'mighty' is not one of 'strong', 'weak', 'eventual'"),
    ("up 5 --read-write-back --r 1", "only if r + w > n, and 1 + 2 is not above 3"),
    ("up 5 --memory 1mb", "stage 5, quorum, has no byte budget"),
    ("diff 4 4", "that is one stage; `kvlab diff 4 5` shows what the next changes"),
    ("diff 9 9", "that is one stage; `kvlab diff 8 9` shows what it changes"),
    ("up 4 --prot 7001", "No such option '--prot'"),
]


@pytest.mark.parametrize(("line", "expected"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_answered_in_one_sentence(line: str, expected: str) -> None:
    result = CliRunner().invoke(main, line.split())
    # What was asked is wrong; or, once, there is only no terminal to do it on.
    assert result.exit_code == (1 if "needs a terminal" in expected else 2)
    assert isinstance(result.exception, SystemExit)  # and no other: no traceback
    complaints = [said for said in result.stderr.splitlines() if said.startswith("Error: ")]
    assert len(complaints) == 1
    assert expected in complaints[0]
    assert result.stderr.splitlines()[-1] == complaints[0]
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("lba", "there is no command 'lba'; did you mean lab?"),
        ("Lab", "there is no command 'Lab'; did you mean lab?"),
        ("stage", "there is no command 'stage'; did you mean stages?"),
        ("xyzzy", "there is no command 'xyzzy'; the commands are lab, serve, demo, up"),
    ],
)
def test_an_unknown_command_is_answered_with_the_nearest(word: str, answer: str) -> None:
    result = CliRunner().invoke(main, [word])
    assert result.exit_code == 2
    assert answer in result.stderr
