"""Guard: a shell that puts the terminal right if the lab is gone without a word, as after SIGKILL.

The lab turns echo off, hides the cursor and shows another screen. Nothing in a killed process can undo that,
so a small child waits at the end of a pipe: a word through it means that all is well; its end without one
means that the lab was killed. What it resets is what Textual sets, and the modes only if they still are that
way: a shell that is back already has set the terminal for itself.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

_SCRIPT = r"""
trap '' INT TERM HUP QUIT TTOU TTIN TSTP
before=$(stty -g </dev/tty) || exit
read word
[ "$word" = well ] && exit
printf '\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[?1015l\033[?1004l\033[?2004l\033[?2026l' >/dev/tty
printf '\033[<u\033[0m\033[?1049l\033[?25h\r\nkvlab: the lab was killed; its nodes end with it.\r\n' >/dev/tty
case $(stty -a </dev/tty) in *-isig*) stty "$before" </dev/tty ;; esac
"""


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Whatever ends this process in here, the terminal is put right."""
    guard = subprocess.Popen(["/bin/sh", "-c", _SCRIPT], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert guard.stdin is not None
    try:
        yield
    finally:
        with contextlib.suppress(BrokenPipeError):  # somebody has ended it
            guard.stdin.write(b"well\n")
            guard.stdin.close()
        guard.wait()
