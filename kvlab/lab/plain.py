"""`kvlab lab N --plain`: the lab without a screen, for screen readers and pipes.

Every event that a person would tell another of becomes one sentence on stdout, the same that the lab shows
(narrate.py). Lines of the scenario language come from stdin, one after the other; its end ends the cluster.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

from kvlab.course.page import sentences as sentences_of
from kvlab.course.page import width
from kvlab.errors import KvlabError
from kvlab.lab import actions
from kvlab.lab.crash import LabCrashed, crashed
from kvlab.lab.driver import Driver
from kvlab.lab.narrate import result_of, sentences
from kvlab.lab.view import view_of
from kvlab.script.commands import Cluster
from kvlab.script.help import help_on
from kvlab.script.parse import ScriptError, parse_line
from kvlab.trace.events import AnyEvent, LinkChanged
from kvlab.trace.model import Model

TICK_S = 0.05
"""How often a simulated world is let go on."""


class Teller:
    """Which events are worth a sentence, and which."""

    def __init__(self) -> None:
        self._latest: AnyEvent | None = None
        self._told = ""
        self._links: tuple[float, str] | None = None

    def take(self, model: Model, event: AnyEvent) -> list[str]:
        """What is to be told now that `model` has taken in this event.

        Links change together, and the last of them tells it all: what is to be told of them follows with
        the next event, or with `rest`.
        """
        if model.latest is self._latest:
            return []
        self._latest = model.latest
        sentence, _ = sentences(view_of(model, None, event.at_ms))
        if isinstance(event, LinkChanged):
            self._links = (event.at_ms, sentence)
            return []
        return [*self.rest(), *self._unless_told(event.at_ms, sentence)]

    def rest(self) -> list[str]:
        """What is still to be told of links."""
        links, self._links = self._links, None
        return self._unless_told(*links) if links is not None else []

    def _unless_told(self, at_ms: float, sentence: str) -> list[str]:
        before, self._told = self._told, sentence
        return [f"{at_ms / 1000:.1f} s: {sentence}"] if sentence != before else []


class Plain:
    """The lab over one driver, told in sentences."""

    def __init__(self, driver: Driver, source: TextIO, sink: TextIO) -> None:
        self.driver, self.source, self.sink = driver, source, sink
        self.unheard: OSError | None = None
        """Nobody reads any more: that ends the lab."""
        self._teller = Teller()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """From the first node to the last; every node is ended, whatever happens."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        self.driver.watch(self.on_cluster_event)
        work = [asyncio.ensure_future(part) for part in (self._work(), self._tick(), self._stop.wait())]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
        finally:
            for part in work:
                part.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await self.driver.close()

    def on_cluster_event(self, event: AnyEvent) -> None:
        """Tell it, if it is worth that."""
        self._tell(self._teller.take(self.driver.model, event))
        if isinstance(event, LinkChanged):  # those that change with it are told before anything else is done
            asyncio.get_running_loop().call_soon(lambda: self._tell(self._teller.rest()))

    def _tell(self, sentences: list[str]) -> None:
        for sentence in sentences:
            self._say(sentence)

    def crash(self, error: Exception) -> LabCrashed:
        """Leave a report of this, and return what is to be raised."""
        driver = self.driver
        told = list(driver.timeline.told())
        return crashed(error, driver.config, driver.kind, told, driver.transcript.scenario())

    def _say(self, text: str) -> None:
        try:
            print(sentences_of(text, width(self.sink)), file=self.sink, flush=True)
        except OSError as error:
            self.unheard = error
            self._stop.set()

    async def _tick(self) -> None:
        before_s = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = time.monotonic()
            self.driver.tick(now_s - before_s)
            before_s = now_s

    async def _work(self) -> None:
        """Start the cluster, and do what is typed until there is no more of it."""
        await self.driver.start()
        self._say(f"The cluster: {Cluster.of(self.driver.config)}. Type a line, such as: put cart:42 milk")
        self._say("help lists them, save FILE keeps what was done, quit or the end of the input ends it.")
        threading.Thread(target=self._read, args=(asyncio.get_running_loop(),), daemon=True).start()
        while (line := await self._lines.get()) is not None:
            text = line.strip().removeprefix(":").strip()
            if text == "quit":
                return
            if text and not text.startswith("#"):
                await self._do(text)

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread of its own: a file, a pipe and a terminal can all be read only by waiting."""
        try:
            for line in self.source:
                loop.call_soon_threadsafe(self._lines.put_nowait, line)
            loop.call_soon_threadsafe(self._lines.put_nowait, None)
        except RuntimeError:  # the loop is closed: the lab has ended meanwhile
            return

    async def _do(self, text: str) -> None:
        first, _, rest = text.partition(" ")
        try:
            if first == "help":
                page = help_on(rest.strip())
                self._say("\n".join([page.title, *page.paragraphs]))
            elif first in ("save", "save!") and rest:
                self.driver.transcript.save(Path(rest.strip()), overwrite=first == "save!")
                self._say(f"Saved: {rest.strip()}")
            elif actions.typed(" ".join(text.split())) is not None:
                self._say(f"{text}: that is for the lab with a screen; here are only sentences.")
            else:
                if result := result_of(await self.driver.do(parse_line(text))):
                    self._say(result)
        except ScriptError as error:
            problem = error.problems[0]
            self._say(f"{text}: {problem.message}." + (f" Usage: {problem.usage}" if problem.usage else ""))
        except KvlabError as error:
            self._say(f"{error}.")


async def run_plain(driver: Driver) -> None:
    """Run it on this process's input and output.

    Raises OSError if nobody reads any more; LabCrashed, once a report is written, for what nobody expected.
    """
    plain = Plain(driver, sys.stdin, sys.stdout)
    try:
        await plain.run()
    except KvlabError:
        raise
    except Exception as error:
        raise plain.crash(error) from error
    if plain.unheard is not None:
        raise plain.unheard
