"""What a reader is told: failures to the letter, and whatever goes wrong in a file, in plain words."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from kvlab.course import checking, reports
from kvlab.course.grading import graded
from kvlab.course.tell import told
from kvlab.course.verdict import Check, Failure, Outcome, Verdict
from kvlab.stages import pieces

GOLDEN = Path(__file__).parent / "golden"
STORE, QUORUM = pieces.chapter(1), pieces.chapter(5)


def piece(folder: Path, old: str, new: str, chapter: pieces.Chapter = STORE) -> Path:
    """The reference with one change, as a reader's file."""
    text = chapter.file("solution.py").read_text(encoding="utf-8")
    assert old in text
    path = folder / chapter.piece
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def text_of(verdict: Verdict) -> str:
    lines = [line.rstrip() for line, _ in told(verdict, f"kvlab check {verdict.chapter}")]
    text = re.sub(r"\(\d+\.\d s\)", "(0.0 s)", "\n".join(lines)) + "\n"
    return re.sub(r"line 6[56]: (while self.bytes.*|pass)", "line 65 or 66", text)  # wherever the loop was


def is_golden(name: str, text: str) -> bool:
    """Whether it is what stands in the file. To change a text, delete its file, and read the new one."""
    path = GOLDEN / f"{name}.txt"
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path} was not there; read what it says now")
    return path.read_text(encoding="utf-8") == text


EXPIRY = "item.expires_ms <= now_ms"

CASES = {
    "a_call": (STORE, EXPIRY, "item.expires_ms < now_ms"),
    "a_property": (STORE, "            self.bytes -= footprint(key, self.held[key])\n", "            pass\n"),
    "raised": (STORE, "        for key in gone:\n", "        for key in self.held:\n"),
    "endless": (STORE, 'self.remove(next(iter(self.held)), "evicted")', "pass"),
    "a_cluster": (QUORUM, '        raise too_few("the write", tally)', "        return"),
    "never_awaited": (QUORUM, "await self.write(key, version, w or", "self.write(key, version, w or"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_failure_is_told_as_the_golden_text_has_it(name: str, tmp_path: Path) -> None:
    chapter, old, new = CASES[name]
    verdict = graded(chapter, piece(tmp_path, old, new, chapter), whole=False, tick_s=0.05)
    assert is_golden(name, text_of(verdict))


def test_the_same_seed_gives_the_same_verdict_and_another_seed_other_examples(tmp_path: Path) -> None:
    path = piece(tmp_path, "            self.bytes -= footprint(key, self.held[key])\n", "            pass\n")
    only = ["check_bytes_are_what_is_held"]
    first, again = (graded(STORE, path, seed=7, only=only, whole=False) for _ in range(2))
    assert text_of(first) == text_of(again)
    assert "--seed 7" in text_of(first)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("def footprint(", "def footprint((", r"store.py, line 18: this is not Python"),
        ("    def peek(", "    def look(", r"store.py: expected Store.peek\(self, key, now_ms\)"),
        (
            "class Store(",
            "while True:\n    pass\n\n\nclass Store(",
            r"store.py, line 2\d: this does not come back",
        ),
        ("class Store(", "import os\n\nos._exit(3)\n\n\nclass Store(", r"store.py: the process that ran it"),
        (
            "class Store(",
            "HUGE = bytes(10**12)\n\n\nclass Store(",
            r"store.py, line 27: this raises MemoryError",
        ),
    ],
)
def test_a_file_that_cannot_be_checked_is_told_with_its_line(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    verdict = graded(STORE, piece(tmp_path, old, new), tick_s=0.05)
    assert verdict.problem is not None
    assert re.search(said, text_of(verdict))


def test_what_even_a_signal_does_not_wake_ends_with_the_time_and_names_the_line(tmp_path: Path) -> None:
    path = piece(
        tmp_path, "    return OVERHEAD_BYTES +", "    sum(range(10**15))\n    return OVERHEAD_BYTES +"
    )
    verdict = graded(STORE, path, limit_s=2)
    assert verdict.problem is not None
    assert (verdict.problem.line, verdict.problem.code) == (20, "sum(range(10**15))")
    assert "time was up" in verdict.problem.got


def test_a_sleep_in_a_node_is_refused_where_it_stands(tmp_path: Path) -> None:
    path = piece(
        tmp_path,
        "        tally = Tally(w, self.replicas(key))\n",
        "        import time; time.sleep(60)\n        tally = Tally(w, self.replicas(key))\n",
        QUORUM,
    )
    verdict = graded(QUORUM, path, only=["check_what_is_written_is_read"])
    assert "time.sleep stops the whole node" in text_of(verdict)


def test_what_the_reader_prints_is_shown_with_the_failure(tmp_path: Path) -> None:
    path = piece(
        tmp_path, "        item = self.held.get(key)\n", "        print('got', key)\n        item = None\n"
    )
    verdict = graded(STORE, path, only=["check_what_was_put_is_found"])
    assert "your code printed, at last:\n    got b'a'\n" in text_of(verdict)


def test_what_is_wrong_with_the_answer_itself_goes_before_the_misconception_of_the_check(
    tmp_path: Path,
) -> None:
    path = piece(tmp_path, "    return OVERHEAD_BYTES +", "    OVERHEAD_BYTES +")
    verdict = graded(STORE, path, only=["check_footprint_counts_key_value_and_overhead"])
    assert "nothing is returned: there is no `return` with a value in footprint." in text_of(verdict)


@pytest.mark.parametrize(("got", "expected"), [([1, 2], (1, 2)), ((1, 2), [1, 2])])
def test_of_a_list_that_should_be_a_tuple_it_is_told_that_only_the_type_is_wrong(
    got: object, expected: object
) -> None:
    checking.begin()
    with pytest.raises(checking.Wrong) as caught:
        checking.same(got, expected, likely="a wrong number")
    assert "what is in it is right" in caught.value.failure.likely


def test_where_nothing_is_written_or_read_the_diagram_shows_who_takes_whom_for_what(tmp_path: Path) -> None:
    others = "        others = self.membership.others()\n"
    living = '        others = [n for n in self.membership.others() if self.belief(n) == "alive"]\n'
    path = piece(tmp_path, others, living, pieces.chapter(7))
    verdict = graded(pieces.chapter(7), path, only=["check_the_halves_of_a_cut_find_each_other"])
    assert re.search(r"^ +\d+  .*\|  +n1 takes n3 for failed$", text_of(verdict), re.MULTILINE)


def test_what_is_judged_of_an_answer_is_named_beside_the_call() -> None:
    checking.begin()
    checking.call(sorted, [3, 1])
    checking.regarding("its length")
    with pytest.raises(checking.Wrong) as caught:
        checking.same(2, 3)
    assert caught.value.failure.call == "sorted([3, 1])  # its length"


def test_what_is_wrong_is_told_before_what_is_not_written_yet(tmp_path: Path) -> None:
    begins = "def digest_of(copy: Siblings) -> Digest:\n"
    merkle = pieces.chapter(9)
    path = piece(tmp_path, begins, f"{begins}    raise NotImplementedError\n", merkle)
    path.write_text(
        path.read_text(encoding="utf-8").replace("sorted({*one, *other})", "sorted(one)"), "utf-8"
    )
    only = ["check_equal_copies_have_equal_digests", "check_keys_differ_on_either_side"]
    verdict = graded(merkle, path, only=only)
    assert [check.outcome for check in verdict.checks] == [Outcome.TO_DO, Outcome.FAILED]
    assert "call      differing_keys(" in text_of(verdict)
    assert "is not written yet" not in text_of(verdict)


# -- reports -------------------------------------------------------------------------------------

VERDICT = Verdict(
    1, "A <store>", "store.py", 3,
    (
        Check("check_a", "A holds.", Outcome.PASSED, 0.1),
        Check("check_b", "B & C hold.", Outcome.FAILED, 0.2,
              Failure(call="f(1)", expected="2", got="\x003 < 4", trail=("f(1)",))),
        Check("check_c", "C holds.", Outcome.NOT_TRIED),
    ),
    seconds=0.5,
)  # fmt: skip


def test_junit_has_a_case_a_check_and_survives_whatever_a_value_holds() -> None:
    (suite,) = ET.fromstring(reports.junit([VERDICT]))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    failure = suite.find("testcase[@name='check_b']/failure")
    assert failure is not None
    assert failure.get("message") == "B & C hold."
    assert "expected  2" in (failure.text or "")


def test_gradescope_has_a_point_a_check() -> None:
    found = json.loads(reports.gradescope([VERDICT]))
    assert [test["score"] for test in found["tests"]] == [1, 0, 0]
    assert all(test["max_score"] == 1 for test in found["tests"])
    assert "expected  2" in found["tests"][1]["output"]


def test_a_file_that_cannot_be_read_is_an_error_in_every_report() -> None:
    broken = Verdict(
        1, "A store", "store.py", 1, (), Failure(got="this is not Python", file="store.py", line=3)
    )
    assert "store.py, line 3: this is not Python" in reports.junit([broken])
    (test,) = json.loads(reports.gradescope([broken]))["tests"]
    assert (test["score"], test["output"]) == (0, "store.py, line 3: this is not Python")
    assert json.loads(reports.as_json(broken))["passed"] is False
