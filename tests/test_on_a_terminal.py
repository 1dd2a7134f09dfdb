"""What commands print on a terminal: the words that they print into a pipe, with none broken."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.console import Console

from kvlab.cli.under_way import LONG_S, UnderWay
from kvlab.config import ClusterConfig
from kvlab.course import workspace
from kvlab.script.parse import Line, parse_line
from kvlab.world.sim import SimWorld

COLUMNS = 76
WRONG = "cluster stage=5 nodes=5 n=3 r=2 w=2\nput cart:42 milk via cart:42#out\nexpect get cart:42 = honey\n"


def kvlab(folder: Path, *words: str, terminal: bool) -> str:
    """What a command prints, in this folder: on a terminal of so many columns, or into a pipe."""
    command = [sys.executable, "-c", "from kvlab.cli import main; main()", *words]
    env = {
        **os.environ,
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "NO_COLOR": "1",
        "TERM": "xterm",
    }
    env.pop("COLUMNS", None)
    if not terminal:
        return subprocess.run(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        ).stdout  # fmt: skip
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    with subprocess.Popen(command, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        read = b""
        while chunk := _read(ours):
            read += chunk
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", read.decode().replace("\r\n", "\n"))


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 4096)
    except OSError:  # EIO: whoever wrote has gone
        return b""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    mine = workspace.begin(tmp_path / "kv")
    (mine.folder / "wrong.scenario").write_text(WRONG)
    return mine.folder


@pytest.mark.parametrize(
    "words",
    [
        "lab 99", "up 4 --r 9", "init .", "init other", "reset 1", "reset 77", "solution 3", "hint 2",
        "check 2", "check 2 --piece nowhere.py", "break 5", "break 5 wrong.scenario", "fuzz 4 zones=9",
        "fuzz 5 r=2 w=2 repair=off --check linearizable --faults loss,partition --seeds 28..28",
        "run wrong.scenario --world sim", "run nowhere.scenario", "demo --list", "stages", "progress",
        "replay wrong.scenario",        "predict 5 --answers 1", "measure 1 --quick",
    ],
)  # fmt: skip
def test_no_word_is_broken_and_what_is_to_be_copied_stays_whole(folder: Path, words: str) -> None:
    shown, piped = (kvlab(folder, *words.split(), terminal=terminal) for terminal in (True, False))
    for line in shown.splitlines():
        copied = "kvlab " in line or "/" in line
        assert len(line) <= COLUMNS or copied, line
    same = re.sub(r"\d+\.\d s|store\.\d+\.bak", "", shown), re.sub(r"\d+\.\d s|store\.\d+\.bak", "", piped)
    if words.split()[0] not in ("measure", "hint", "fuzz") and words != "init other":  # plots, a further hint
        assert same[0].split() == same[1].split()


def test_a_table_of_claims_that_would_be_too_wide_is_told_in_sentences(folder: Path) -> None:
    shown = " ".join(kvlab(folder, "stages", "5", "--claims", terminal=True).split())
    assert "no-lost-writes: under every fault but amnesia, skew; given r+w>n; beyond: a clock" in shown
    assert "convergence: not claimed" in shown
    assert shown.endswith("failed-is-failed: under every fault")
    assert "yes" not in shown


def test_a_long_step_says_what_it_is_at_and_how_long_it_may_be() -> None:
    seconds = 0.0
    world = SimWorld(ClusterConfig(stage=4))
    under_way = UnderWay(Console(), seen=False, seconds=lambda: seconds)
    lines = [
        Line(i, text, parse_line(text)) for i, text in enumerate(("wait until hints total = 0", "heal"), 2)
    ]

    def shown() -> str:
        console = Console(width=80)
        with console.capture() as captured:
            console.print(under_way.shown(), end="")
        return captured.get()

    with under_way.shown_for(world):
        assert shown() == ""
        seconds += LONG_S
        assert "starting 5 nodes" in shown()
        for line in lines:
            under_way.begin(line)
        assert shown() == ""
        seconds += LONG_S
        assert shown().strip() == "0.00s  wait until hints total = 0 and 1 more: 0 of 5 s"
        under_way.end(2)
        assert shown().strip() == "0.00s  heal: 0 s"
        under_way.end(3)
        assert shown() == ""
