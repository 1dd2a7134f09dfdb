"""The lab in a real terminal: tmux is the terminal, and looks at what is on it."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kvlab.trace.recording import Recording

ROOT = Path(__file__).parents[2]
LIMIT_S = 30.0
COMMAND = "from kvlab.cli import main; main()"

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Terminal:
    """A window of 80x24 in a tmux server of its own."""

    def __init__(self, folder: Path) -> None:
        self.socket, self.state = folder / "tmux", folder / "state"

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), "-f", "/dev/null", *words],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def start(self, *arguments: str, before: str = "") -> None:
        """`before` is run in the lab's process, before the lab."""
        command = shlex.join([sys.executable, "-c", before + COMMAND, "lab", *arguments])
        environment = {
            "PYTHONPATH": str(ROOT),
            "LC_ALL": "C.UTF-8",
            "PYTHONUTF8": "1",
            "XDG_STATE_HOME": str(self.state),
        }
        settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
        self.tmux(
            "new-session", "-d", "-x", "80", "-y", "24", f"env {settings} {command}; echo ended=$?; cat -v"
        )

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def shows(self, *words: str) -> None:
        """Wait until all of this is on the screen."""
        deadline = time.monotonic() + LIMIT_S
        while not all(word in (seen := self.screen()) for word in words):
            assert time.monotonic() < deadline, f"waited for {words}; the screen:\n{seen}"
            time.sleep(0.05)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    shown = Terminal(tmp_path)
    yield shown
    with contextlib.suppress(subprocess.CalledProcessError):  # it may have ended already
        shown.tmux("kill-server")


def nodes_of(terminal: Terminal) -> list[psutil.Process]:
    """Every process below the terminal's shell: the lab, and its nodes."""
    shell = psutil.Process(int(terminal.tmux("display-message", "-p", "#{pane_pid}")))
    return [child for child in shell.children(recursive=True) if "python" in child.name().lower()]


def test_from_the_first_put_to_the_end_of_every_process(terminal: Terminal) -> None:
    terminal.start("4", "--nodes", "3")
    terminal.shows("3/3 up", "LIVE", "milk is written")
    terminal.press("k", "2")
    terminal.shows("2/3 up", "n2 was killed")
    terminal.press(":")
    terminal.press("-l", "get cart:42 via n1")
    terminal.press("Enter")
    terminal.shows("n1 read cart:42: milk")
    running = nodes_of(terminal)
    assert len(running) >= 3  # the lab and two nodes
    terminal.press("q")
    terminal.shows("ended=0")
    _, alive = psutil.wait_procs(running, timeout=LIMIT_S)
    assert not alive


@pytest.mark.parametrize("end", ["ctrl-c", "SIGTERM"])
def test_ctrl_c_and_sigterm_end_it_as_q_does(terminal: Terminal, end: str) -> None:
    terminal.start("3", "--nodes", "3", "--ascii")
    terminal.shows("3/3 up", "milk is")
    running = nodes_of(terminal)
    if end == "ctrl-c":
        terminal.press("C-c")
    else:
        lab = min(running, key=lambda process: process.create_time())
        assert lab.pid != os.getpid()
        lab.terminate()
    terminal.shows("ended=0")
    _, alive = psutil.wait_procs(running, timeout=LIMIT_S)
    assert not alive


def sane(terminal: Terminal) -> None:
    """The terminal echoes what is typed, on the screen of before, without reports of the mouse."""
    terminal.press("-l", "typed after the end")
    terminal.shows("typed after the end")
    modes = "#{alternate_on}#{mouse_any_flag}#{mouse_sgr_flag}#{cursor_flag}#{bracket_paste_flag}"
    assert terminal.tmux("display-message", "-p", modes).strip() in ("00010", "0001")


def test_a_lab_that_is_killed_leaves_no_process_and_a_terminal_in_order(terminal: Terminal) -> None:
    terminal.start("3", "--nodes", "3")
    terminal.shows("3/3 up", "milk is")
    running = nodes_of(terminal)
    min(running, key=lambda process: process.create_time()).kill()
    terminal.shows("the lab was killed")
    _, alive = psutil.wait_procs(running, timeout=LIMIT_S)
    assert not alive
    sane(terminal)


def test_a_lab_whose_terminal_is_gone_ends_with_it(terminal: Terminal) -> None:
    terminal.start("3", "--nodes", "3")
    terminal.shows("3/3 up")
    running = nodes_of(terminal)
    assert len(running) >= 4
    terminal.tmux("kill-session")
    _, alive = psutil.wait_procs(running, timeout=LIMIT_S)
    assert not alive


BREAKS = """
from kvlab.lab.draw import screen
def broken(view, size, theme):
    if view.op is not None and view.op.outcome:
        raise ValueError("a bug in the lab")
    return real(view, size, theme)
real = screen.DRAWN["cluster"]
screen.DRAWN["cluster"] = broken
"""


def test_a_crash_of_the_lab_leaves_no_process_and_says_where_its_report_is(terminal: Terminal) -> None:
    terminal.start("3", "--nodes", "3", before=BREAKS)
    terminal.shows("the lab itself has failed: ValueError: a bug in the lab", "ended=1")
    report = next((terminal.state / "kvlab").glob("crash-*.txt")).read_text()
    assert "in broken" in report
    assert "stage = 3" in report
    assert "put cart:42 milk" in report
    assert list(Recording(next((terminal.state / "kvlab").glob("crash-*.kvlab"))))
    assert not nodes_of(terminal)
    sane(terminal)


def test_the_start_screen_opens_the_stage_chosen_and_remembers_it(terminal: Terminal) -> None:
    terminal.start("--world", "sim")
    terminal.shows("begin with 1")
    terminal.press("3")
    terminal.press("Enter")
    terminal.shows("stage 3", "5/5 up")
    terminal.press("q")
    terminal.shows("ended=0")
    assert (terminal.state / "kvlab" / "opened.txt").read_text().startswith("stage 3 ")
    sane(terminal)


def test_a_mistake_on_the_command_line_is_told_before_anything_starts(terminal: Terminal) -> None:
    terminal.start("4", "--nodes", "99")
    terminal.shows("the number of nodes of stage 4", "ended=2")
