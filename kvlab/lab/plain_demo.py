"""A demo without a screen: what is said, what is done, and Enter for the next step.

For a terminal that cannot draw, a screen reader, and a pipe: where the input ends, nobody is waited for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from kvlab.errors import KvlabError
from kvlab.lab.presenter import Group, Presenter, scenes
from kvlab.script.parse import Scenario
from kvlab.script.session import Failure, Session, Step
from kvlab.world.world import World

Ask = Callable[[str], Awaitable[str | None]]
"""Show a prompt and wait for a line; None where no more will come."""


async def present(scenario: Scenario, world: World, tell: Callable[[str], object], ask: Ask) -> bool:
    """Present it on a world that has been started; returns whether all of it held."""
    presenter, session, held = Presenter(scenes(scenario)), Session(world), True
    _introduce(presenter, tell)
    while True:
        while lines := presenter.due:
            failure = await _done(lines, session, tell)
            if failure is None:
                presenter.done()
            else:
                held = False
                presenter.failed(failure)
        scene = presenter.scene
        if presenter.failure is not None:
            tell("  This step expects the cluster to be elsewhere:")
            tell(f"    expected  {presenter.failure.expected}")
            tell(f"    found     {presenter.failure.found}")
            wish = await ask("[r: try again, c: go on without it, q: leave] ")
            if wish is None or wish == "q":
                return False
            if wish == "r":
                presenter.retry()
            elif wish == "c":
                presenter.go_on()
            continue
        if presenter.phase == "done" and scene.answer:
            tell(f"\n  ANSWER: {scene.answer}")
        if presenter.why_not_next():
            return held
        wish = await ask(f"[Enter: {'see' if presenter.phase == 'asked' else 'next'}, q: leave] ")
        if wish == "q":
            return held
        before = presenter.at
        presenter.next()
        if presenter.at != before:
            _introduce(presenter, tell)


def _introduce(presenter: Presenter, tell: Callable[[str], object]) -> None:
    tell(f"\n{presenter.at + 1} of {len(presenter.scenes)}")
    for text in presenter.scene.said:
        tell(f"  {text}")
    if presenter.scene.question:
        tell(f"  QUESTION: {presenter.scene.question}")


async def _done(lines: Group, session: Session, tell: Callable[[str], object]) -> Failure | None:
    """Do them, together, and say what came of each; returns how one of them fell short, if it did."""
    try:
        steps = await asyncio.gather(*(session.do(line.command, line.number) for line in lines))
    except KvlabError as error:
        return Failure("; ".join(str(line.command) for line in lines), str(error))
    for step in steps:
        tell(f"    {_line(step)}")
    return next((step.failure for step in steps if step.failure is not None), None)


def _line(step: Step) -> str:
    return f"{step.command}   {step.text}".rstrip()


class Enter:
    """Lines of a file descriptor, without holding up the loop where that can be had.

    A terminal or a pipe is waited for; a regular file cannot be, and never makes anybody wait.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._read = b""
        self._ended = False

    async def asked(self, prompt: str) -> str | None:
        """Show the prompt and wait for a line."""
        print(prompt, end="", flush=True)
        while b"\n" not in self._read and not self._ended:
            await self._readable()
            chunk = os.read(self._fd, 4096)
            self._read += chunk
            self._ended = not chunk
        if self._ended and not self._read:
            print()
            return None
        if not os.isatty(self._fd):  # where nobody has pressed Enter, nothing has begun a new line
            print()
        line, _, self._read = self._read.partition(b"\n")
        return line.decode("utf-8", "replace").strip()

    async def _readable(self) -> None:
        """Wait until there is something to read, or the end."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            loop.add_reader(self._fd, ready.set)
        except (OSError, NotImplementedError):  # a regular file; or virtual time, which may stand still
            return
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._fd)
