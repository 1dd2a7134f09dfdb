"""A reader's day: save, verdict, next; and the piece of each chapter in the real cluster, in the lab."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from kvlab.course import workspace
from kvlab.course.workspace import Workspace
from kvlab.stages import pieces

CHAPTERS = pieces.chapters()
ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0
NEEDED_TO_START = (1, 3, 7)
"""The chapters whose starter stops a node before it is up."""


@pytest.fixture
def mine(tmp_path: Path) -> Workspace:
    return workspace.begin(tmp_path / "kv")


@pytest.mark.parametrize("number", CHAPTERS)
def test_the_piece_of_each_chapter_runs_in_the_lab_on_real_processes(number: int, mine: Workspace) -> None:
    """The reference as one's own; and that it is at work is seen by what is said with the starter there."""
    of = CHAPTERS[number]
    told = lab(number, mine, "put k v", "get k")
    assert "is not written yet" in told
    assert (f"no node can start. Write it, run `kvlab check {number}`" in told) == (number in NEEDED_TO_START)
    shutil.copyfile(of.file("solution.py"), mine.piece(of))
    done = lab(number, mine, "put k v", "get k", "del k", "get k")
    assert "k: v" in done, done
    assert "no such key" in done, done
    assert "not written" not in done, done


def lab(number: int, mine: Workspace, *lines: str) -> str:
    """What `kvlab lab N --mine` says, without a screen, to these lines."""
    few = ["--nodes", "3"] if number > 2 else []  # stages 1 and 2 have their own number
    done = subprocess.run(
        [sys.executable, "-m", "kvlab", "lab", str(number), "--mine", "--plain", *few],
        cwd=mine.folder, input="\n".join([*lines, ""]), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("world", ["sim", "process"])
def test_what_is_not_written_is_no_mistake_of_the_script(world: str, mine: Workspace) -> None:
    script = mine.folder / "x.scenario"
    script.write_text("cluster stage=4 nodes=3\nexpect k at k#1 = missing\n")
    done = subprocess.run(
        [sys.executable, "-m", "kvlab", "run", str(script), "--mine", "--world", world],
        cwd=mine.folder, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert re.fullmatch(r"kvlab run: placement.py, line \d+: preference_list is not written yet", said)


def test_the_wheel_alone_has_the_course(tmp_path: Path) -> None:
    """Nothing depends on the clone: the chapters, their checks and their answers are in the package."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "built")],
        cwd=ROOT, check=True, capture_output=True, timeout=LIMIT_S,
    )  # fmt: skip
    with zipfile.ZipFile(next((tmp_path / "built").iterdir())) as wheel:
        wheel.extractall(tmp_path / "installed")

    def kvlab(*arguments: str, folder: Path = tmp_path) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "kvlab", *arguments], cwd=folder, capture_output=True, text=True,
            timeout=LIMIT_S, check=False, env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    kvlab("init", "kv")
    mine = Workspace(tmp_path / "kv")
    assert "0 of 16 checks pass" in kvlab("check", folder=mine.folder)
    given_up = kvlab("solution", "1", "--give-up", folder=mine.folder)
    mine.piece(CHAPTERS[1]).write_text(given_up, encoding="utf-8")
    assert "all 16 checks pass" in kvlab("check", "1", folder=mine.folder)
    reports = mine.folder / "store.xml", mine.folder / "results.json"
    several = kvlab(
        "check", "1", "--junit", str(reports[0]), "--gradescope", str(reports[1]), folder=mine.folder
    )
    assert "all 16 checks pass" in several
    assert all(report.is_file() for report in reports), "of one run"


# -- watch ---------------------------------------------------------------------------------------


class Watching:
    """`kvlab watch` on a terminal."""

    def __init__(self, mine: Workspace) -> None:
        self.pid, self._terminal = pty.fork()
        if not self.pid:
            os.chdir(mine.folder)
            os.execv(sys.executable, [sys.executable, "-m", "kvlab", "watch"])
        self._said = ""

    def press(self, key: str) -> None:
        os.write(self._terminal, key.encode())

    def until(self, text: str) -> str:
        """All that it says up to this, since it was last asked."""
        while text not in self._said:
            ready, _, _ = select.select([self._terminal], [], [], LIMIT_S)
            assert ready, f"it does not say {text!r}, but {self._said!r}"
            self._said += os.read(self._terminal, 65536).decode()
        before, _, self._said = self._said.partition(text)
        return before

    def end(self) -> int:
        with contextlib.suppress(OSError):  # Linux says so at the end
            while os.read(self._terminal, 65536):
                pass
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def watching(mine: Workspace) -> Watching:
    return Watching(mine)


def test_one_saves_and_has_the_verdict_and_goes_on_to_the_next(mine: Workspace, watching: Watching) -> None:
    first = watching.until("q: quit")
    assert "red: that is where one starts" in first
    assert "0 of 16 checks pass" in first
    mine.piece(CHAPTERS[1]).write_text("def (\n")  # saved
    assert "this is not Python" in watching.until("q: quit")
    shutil.copyfile(CHAPTERS[1].file("solution.py"), mine.piece(CHAPTERS[1]))
    passed = watching.until("q: quit")
    assert "all 16 checks pass" in passed
    assert "n: on to chapter 2" in passed
    assert mine.done() == {(1, "build"): ""}
    watching.press("n")
    assert "chapter 2: " in watching.until("q: quit")
    watching.press("h")
    assert "Hint 1 of 3" in watching.until("shows the next one")
    watching.press("q")
    assert watching.end() == 0
