"""`kvlab watch`: save, and a second later you know."""

from __future__ import annotations

import contextlib
import select
import shutil
import sys
import termios
import tty
from collections.abc import Iterator
from pathlib import Path

import click

from kvlab.errors import KvlabError

LOOK_S = 0.2
"""How often it is looked whether the file has been saved."""


@click.command("watch")
@click.argument("chapter", type=int, required=False)
def watch_command(chapter: int | None) -> None:
    """Check your piece each time that you save it; the next chapter follows when it passes."""
    from kvlab.course import workspace
    from kvlab.course.grading import graded
    from kvlab.course.hints import hints
    from kvlab.course.page import width
    from kvlab.course.watching import Stand
    from kvlab.stages import pieces

    def next_after(number: int) -> int | None:
        done = mine.done()
        return next((n for n in pieces.chapters() if n != number and (n, "build") not in done), None)

    def stand(number: int) -> Stand:
        of = pieces.chapter(number)
        verdict = graded(of, mine.piece(of), whole=False)
        if verdict.passed:
            mine.note(number, "build")
        had = int(mine.done().get((number, "hint"), "0") or 0)
        count = len(hints(of)) if of.file("hints.md").is_file() else 0
        return Stand(of, verdict, next_after(number), max(0, count - had))

    def show(now: Stand, *, whole: bool = False) -> None:
        if sys.stdout.isatty():
            click.clear()
        rows = shutil.get_terminal_size().lines if sys.stdout.isatty() else None
        for line, colour in now.screen(mine.piece(now.chapter), whole=whole, columns=width(), rows=rows):
            click.echo(
                click.style(line, bold=True) if colour == "bold" else click.style(line, fg=colour or None)
            )

    try:
        mine = workspace.find()
        number = chapter or workspace.current(mine)
        pieces.chapter(number)
        with _keys() as keys:
            while True:
                of = pieces.chapter(number)
                seen = _state(mine.piece(of))
                click.echo(f"checking {of.piece} ...")
                now = stand(number)
                show(now)
                key = _wait(mine.piece(of), seen, keys, now)
                while key in ("a", "h", "s"):
                    if key == "a":
                        every = graded(of, mine.piece(of))
                        show(Stand(of, every, now.next_chapter, now.hints_left), whole=True)
                    else:
                        _other(["hint" if key == "h" else "solution", str(number)])
                    key = _wait(mine.piece(of), seen, keys, now)
                if key == "q":
                    return
                if key == "n" and now.next_chapter is not None:
                    number = now.next_chapter
    except KvlabError as error:
        raise click.UsageError(str(error)) from None
    except KeyboardInterrupt:
        return


def _other(arguments: list[str]) -> None:
    """Do another command of kvlab's, and go on."""
    from kvlab.cli.course import hint_command, solution_command

    command = hint_command if arguments[0] == "hint" else solution_command
    with contextlib.suppress(click.exceptions.Exit):
        command.main(arguments[1:], standalone_mode=False)


def _state(path: Path) -> object:
    with contextlib.suppress(OSError):
        stat = path.stat()
        return stat.st_mtime_ns, stat.st_size
    return None


@contextlib.contextmanager
def _keys() -> Iterator[bool]:
    """Read single keys from the terminal; False where there is none."""
    if not sys.stdin.isatty():
        yield False
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield True
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _wait(path: Path, seen: object, keys: bool, now: object) -> str:
    """Wait until the file is saved ("") or a key is pressed that does something; without a keyboard, for the
    end of stdin ("q")."""
    from kvlab.course.watching import Stand

    assert isinstance(now, Stand)
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], LOOK_S)
        if ready:
            typed = sys.stdin.read(1) if keys else sys.stdin.readline().strip()[:1]
            if not keys and not typed and sys.stdin.closed:
                return "q"
            if typed in ("", "\x04"):
                return "q"
            if typed in now.keys:
                return typed
            if typed == "\n":
                return ""
        if (state := _state(path)) is not None and state != seen:
            return ""
