"""The lab, presenting: a scenario told to a room, one key a step, on a cluster that lives.

What is due, and whose turn it is, presenter.py knows; here it is done, on whichever driver there is, and
shown. Everything else of the lab works as ever: who wants to kill a node in between, kills it. If the
cluster is then not where a step expects it, that is said, with two ways on.

To look back (b, <) is to look at the log: the next step goes on from the present, whatever is looked at.
To go back a step is to start a new cluster and to do all that came before, without a pause. For the
simulator that is a moment; real processes take as long as their time-outs do.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from itertools import combinations
from typing import ClassVar

import msgspec
from textual.binding import Binding, BindingType

from kvlab.errors import KvlabError
from kvlab.lab import actions
from kvlab.lab.app import LabApp
from kvlab.lab.draw.theme import Theme
from kvlab.lab.driver import SimDriver, WorldDriver
from kvlab.lab.presenter import JUDGEMENTS, Group, Presenter, scenes
from kvlab.lab.view import Narration, View
from kvlab.messages import NodeId
from kvlab.script.commands import Heal
from kvlab.script.parse import Scenario
from kvlab.script.session import Failure

READ_S = 1.5
"""What is said can be read for so long before anything moves."""
PACE_S = 0.8
"""And so long what was done can be seen before the next thing is."""
HURRY_S = 0.25
"""Simulated seconds at a time, on the way back to a step."""
SLOW_SHARE = 5
"""In slow motion a message takes the time-out divided by this: there, and back, and on the way there be one
more, and still nobody counts as silent for it."""


class DemoApp(LabApp):
    """A talk over the drivers that `make_driver` makes: one cluster, and another each time it goes back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(action.key, f"act('{action.name}')", action.label, show=False)
        for action in actions.PRESENTING
    ]

    def __init__(
        self,
        scenario: Scenario,
        make_driver: Callable[[], WorldDriver],
        theme: Theme,
        *,
        animate: bool = True,
        pace: float = 1.0,
    ) -> None:
        """`pace` stretches the pauses between lines; 0 is without any."""
        super().__init__(make_driver(), theme, animate=animate, first_put=False)
        self.presenter = Presenter(scenes(scenario))
        self.make_driver, self.pace = make_driver, pace
        self._unseen = False
        """Whether lines have been done since the last pause."""
        self._talk: asyncio.Task[None] | None = None
        self._ending: list[WorldDriver] = []
        self._slow_motion = False
        self._hurried = asyncio.Event()
        """Whoever presses `next` while the cluster is at work wants no pauses."""

    async def _open(self) -> None:
        self._talk = asyncio.current_task()
        await self._start()

    async def _start(self) -> None:
        """Start the cluster, and do what is due on it."""
        await super()._open()
        await self._slow_links()
        await self._present()

    # -- doing what is due -----------------------------------------------------------------------

    async def _present(self) -> None:
        """Do what is due until it is the person's turn."""
        self._hurried.clear()
        if self.presenter.target is None and not self.presenter.scene.question:
            await self._pause(READ_S)
        while lines := self.presenter.due:
            failure = await self._do_lines(lines)
            if failure is not None:
                self.presenter.failed(failure)
            else:
                await self._let_it_be_seen(lines)
                self.presenter.done()
            self._dirty = True

    async def _do_lines(self, lines: Group) -> Failure | None:
        """Do them, together; returns how one of them fell short, if it did."""
        begun = [self.driver.do(line.command) for line in lines]
        while self.presenter.target is not None and isinstance(self.driver, SimDriver):
            if all(step.done() for step in begun):
                break
            self._dirty |= self.driver.hurry(HURRY_S)
            await asyncio.sleep(0)
        try:
            steps = await asyncio.gather(*begun)
        except KvlabError as error:
            asked = "; ".join(str(line.command) for line in lines)
            return Failure(asked, str(error))
        return next((step.failure for step in steps if step.failure is not None), None)

    async def _let_it_be_seen(self, lines: Group) -> None:
        if any(isinstance(line.command, Heal) for line in lines):
            await self._slow_links()  # it has mended those as well
        self._unseen |= any(not isinstance(line.command, JUDGEMENTS) for line in lines)
        if self.presenter.judged_next:
            return  # that is about this moment: a value may expire while the room looks
        if self._unseen and self.presenter.target is None:
            await self._pause(PACE_S)
        self._unseen = False

    async def _pause(self, seconds: float) -> None:
        """Let the room look, unless it has been told to go on."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds * self.pace):
                await self._hurried.wait()

    async def _begin_again(self, before: asyncio.Task[None] | None) -> None:
        """End this cluster, and bring a new one to where the presenter wants it."""
        if before is not None:
            before.cancel()
            await asyncio.gather(before, return_exceptions=True)
        assert isinstance(self.driver, WorldDriver)
        self._ending.append(self.driver)
        await self.replace_driver(self.make_driver())
        self._ending.clear()
        await self._start()

    async def shut_down(self) -> None:
        await super().shut_down()
        for driver in self._ending:  # somebody left while they were being ended
            await driver.close()

    # -- keys ------------------------------------------------------------------------------------

    def action_act(self, name: str) -> None:
        if name == "retry" and self.presenter.phase != "failed":
            name = "restart"
        if name == "next" and self.presenter.phase == "doing" and self.presenter.target is None:
            self._hurried.set()
            self._say("Without pauses, up to the next step.")
            return
        super().action_act(name)

    def _on_screen(self, name: str, view: View) -> None:
        presenter = self.presenter
        match name:
            case "next":
                self._on(presenter.next)
            case "retry":
                self._on(presenter.retry)
            case "go_on":
                self._on(presenter.go_on)
            case "back":
                presenter.back_to(presenter.shown - 1)
                self._hold(False)
                self._talk = self._begin(self._begin_again(self._talk))
            case "slow_motion" | "full_speed":
                self._change_speed(slower=name == "slow_motion")
            case _:
                super()._on_screen(name, view)
        self._dirty = True

    def _pick(self, action: actions.Action, view: View, name: NodeId) -> None:
        if action.name != "jump":
            super()._pick(action, view, name)
            return
        self._hold(False)
        if self.presenter.go_to(int(name) - 1):
            self._talk = self._begin(self._begin_again(self._talk))
        else:
            self._talk = self._begin(self._present())

    def _on(self, move: Callable[[], None]) -> None:
        """The person has decided: do what is due now."""
        self._hold(False)  # a simulated world would stand still
        move()
        self._talk = self._begin(self._present())

    def _change_speed(self, *, slower: bool) -> None:
        if isinstance(self.driver, SimDriver):
            self.driver.change_speed(-1 if slower else 1)
            self._say(f"{self.driver.speed:g} simulated seconds a second.")
            return
        self._slow_motion = slower
        delay_ms = self._slow_ms
        self._say(f"Slow motion: a message takes {delay_ms} ms." if slower else "Full speed.")
        self._begin(self._slow_links() if slower else self._free_links())

    # -- slow motion of real processes -----------------------------------------------------------

    @property
    def _slow_ms(self) -> int:
        return self.driver.config.timeout_ms // SLOW_SHARE

    async def _slow_links(self) -> None:
        """In slow motion, slow every link that the script itself has left alone."""
        if self._slow_motion:
            await self._set_links({0.0}, self._slow_ms)

    async def _free_links(self) -> None:
        await self._set_links({float(self._slow_ms)}, 0)

    async def _set_links(self, having_ms: set[float], delay_ms: int) -> None:
        assert isinstance(self.driver, WorldDriver)
        world = self.driver.world
        for a, b in combinations(world.members(), 2):
            try:
                if world.faults.link(a, b).delay_ms in having_ms:
                    await world.slow(a, b, delay_ms)
            except KvlabError as error:  # as when one of them has left meanwhile, or does not answer
                self._say(f"{a}-{b}: {error}")

    # -- what is shown ---------------------------------------------------------------------------

    def why_not_do(self) -> str:
        past = "End goes back to the present" if self.driver.behind else ""
        return past or super().why_not_do()

    def narration(self) -> Narration:
        return msgspec.structs.replace(narration_of(self.presenter), past=self.driver.behind)


def narration_of(presenter: Presenter) -> Narration:
    """What the room sees of where a talk stands."""
    scene, failure = presenter.scenes[presenter.shown], presenter.failure
    return Narration(
        place=presenter.shown + 1,
        of=len(presenter.scenes),
        said=scene.said,
        question=scene.question,
        answer=scene.answer if presenter.phase == "done" else "",
        busy=presenter.phase == "doing",
        failed=(failure.expected, failure.found) if failure is not None else None,
        again=presenter.anew,
        why_not_next=presenter.why_not_next(),
    )
