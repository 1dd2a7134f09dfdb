"""A class of twelve is graded: each by itself, whatever the others' code does, and each in every report."""

from __future__ import annotations

import csv
import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from click.testing import CliRunner

from kvlab.cli import main
from kvlab.course.batch import Graded
from kvlab.stages import pieces

STORE = pieces.chapter(1)
RIGHT = STORE.file("solution.py").read_text(encoding="utf-8")
GET = "        item = self.held.get(key)\n"


def at_each_get(line: str) -> str:
    assert GET in RIGHT
    return RIGHT.replace(GET, f"        {line}\n{GET}")


PEEKING = """
import kvlab, pathlib
for path in pathlib.Path(kvlab.__file__).parents[1].rglob("check_store.py"):
    path.read_text()
"""
CLASS = {
    "ann": (RIGHT, "all 16 checks pass"),
    "bea": (STORE.starter.read_text(encoding="utf-8"), "0 of 16 checks pass"),
    "cid": (
        RIGHT.replace("expires_ms <= now_ms", "expires_ms < now_ms"),
        "no An item is there until its expires_ms",
    ),
    "dan": (RIGHT.replace("OVERHEAD_BYTES + ", ""), "no An entry costs its key, its value"),
    "eve": ("def (", "this is not Python"),
    "fay": (at_each_get("while True: pass"), "this does not come back"),
    "gus": (at_each_get("hog = [bytes(10**8) for _ in range(100)]"), "MemoryError"),
    "hal": (at_each_get("__import__('os').fork()"), "a piece starts no process"),
    "ida": (None, "There is no file to check"),
    "jon": (RIGHT + PEEKING, "all 16 checks pass"),  # they are no secret: the seed is
    "kim": (at_each_get("print('x' * 10_000_000)"), "all 16 checks pass"),
    "leo": ("import os\nos._exit(0)\n", "the process that ran it has ended at once"),
}
PASSED = {"ann", "jon", "kim"}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of reports, after `kvlab grade`."""
    folder = tmp_path_factory.mktemp("class")
    for student, (text, _) in CLASS.items():
        (folder / "all" / student).mkdir(parents=True)
        if text is not None:
            (folder / "all" / student / STORE.piece).write_text(text, encoding="utf-8")
    out = folder / "out"
    done = CliRunner().invoke(
        main, ["grade", str(folder / "all"), "--chapter", "1", "--seed", "47", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    (out / "said").write_text(done.output, encoding="utf-8")
    return out


def test_each_is_told_their_own(graded: Path) -> None:
    for student, (_, said) in CLASS.items():
        assert said in " ".join((graded / f"{student}.txt").read_text(encoding="utf-8").split()), student
        kept = msgspec.json.decode((graded / f"{student}.json").read_bytes(), type=Graded)
        verdict = kept.verdict(1)
        assert (verdict is not None and verdict.passed) == (student in PASSED), student


def test_the_table_has_a_row_for_everybody(graded: Path) -> None:
    printed = [line.split() for line in (graded / "said").read_text(encoding="utf-8").splitlines()[1:13]]
    assert [row[0] for row in printed] == list(CLASS)
    cells = {row[0]: row[-1] for row in printed}
    assert (cells["ann"], cells["bea"], cells["eve"], cells["ida"]) == ("16/16", "0/16", "error", "-")
    said = (graded / "said").read_text(encoding="utf-8")
    (why,) = [line for line in said.splitlines() if "eve.txt" in line]
    assert "ch 1: store.py" in why
    assert "ann.txt" not in said
    with (graded / "table.csv").open(encoding="utf-8", newline="") as file:
        scores = {row["student"]: row["chapter 1"] for row in csv.DictReader(file)}
    assert {student for student, score in scores.items() if score == "16"} == PASSED
    assert scores["ida"] == ""


# Gradescope's results.json as its site describes it ("Autograder Specifications", Output format): a `score`
# for all or one for each test, and no other fields than these.
Seen = Literal["hidden", "after_due_date", "after_published", "visible"]
Format = Literal["text", "html", "simple_format", "md", "ansi"]


class Tested(msgspec.Struct, forbid_unknown_fields=True):
    score: float | None = None
    max_score: float | None = None
    status: Literal["passed", "failed"] | None = None
    name: str = ""
    name_format: Format = "text"
    number: str = ""
    output: str = ""
    output_format: Format = "text"
    tags: list[str] = []
    visibility: Seen = "visible"
    extra_data: dict[str, Any] = {}


class Results(msgspec.Struct, forbid_unknown_fields=True):
    score: float | None = None
    execution_time: float | None = None
    output: str = ""
    output_format: Format = "text"
    test_output_format: Format = "text"
    test_name_format: Format = "text"
    visibility: Seen = "visible"
    stdout_visibility: Seen = "hidden"
    extra_data: dict[str, Any] = {}
    tests: list[Tested] = []
    leaderboard: list[dict[str, Any]] = []


@pytest.mark.parametrize("student", CLASS)
def test_gradescope_and_junit_can_read_what_is_theirs(student: str, graded: Path) -> None:
    found = msgspec.json.decode((graded / f"{student}.gradescope.json").read_bytes(), type=Results)
    assert found.score is not None or (found.tests and all(test.score is not None for test in found.tests))
    points = sum(test.score or 0 for test in found.tests)
    assert (points == 16) == (student in PASSED)
    assert all(test.score == test.max_score for test in found.tests) == (student in PASSED or not found.tests)

    root = ET.parse(graded / f"{student}.junit.xml").getroot()
    bad = sum(int(suite.get(kind, "0")) for suite in root for kind in ("failures", "errors"))
    assert root.tag == "testsuites"
    assert (bad == 0) == (student in PASSED or student == "ida")


def test_what_leads_out_of_a_submission_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "all" / "mal").mkdir(parents=True)
    shutil.copyfile(STORE.file("solution.py"), tmp_path / "elsewhere.py")
    (tmp_path / "all" / "mal" / STORE.piece).symlink_to(tmp_path / "elsewhere.py")
    out = tmp_path / "out"
    done = CliRunner().invoke(main, ["grade", str(tmp_path / "all"), "--json", "--out", str(out)])
    assert json.loads(done.output)["chapters"]["1"]["passed"] is False
    assert "a link that leads out of the submission" in (out / "mal.txt").read_text(encoding="utf-8")
