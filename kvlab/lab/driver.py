"""Driver: how the lab moves a cluster through time, whichever of the two worlds it lives in.

The lab has one event loop, the terminal's. Real processes live on it beside the screen. A simulated world
has a loop of its own on virtual time, which stands still unless somebody runs it: the lab's timer does, a
little at a time. What a command brings back crosses from that loop to the lab's as a plain future; both
loops are run by one thread, so nothing needs a lock.

A driver also has the log of all that was told (timeline.py), and the cursor into it: the screen shows the
cluster as it was there. Real processes go on while one looks back. A simulated world stands still; and
whoever does something while looking back begins a *branch*: the world is made again, brought to that step by
doing all over again what was done before it, and goes on from there. A recording (replay.py) is a log alone.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

import msgspec

from kvlab.config import ClusterConfig
from kvlab.errors import KvlabError, UserError
from kvlab.lab.timeline import Timeline
from kvlab.lab.transcript import Transcript
from kvlab.lab.view import Moment, clock, counted
from kvlab.lab.when import AtEnd, AtStart, AtStep, AtText, AtTime, When, is_news, is_step, said
from kvlab.messages import NodeId
from kvlab.script.commands import Cluster, Command
from kvlab.script.session import LoadUnderWay, Session, Step
from kvlab.trace.events import AnyEvent, LinkChanged, ScriptLine
from kvlab.trace.model import Model
from kvlab.trace.recording import Recorder
from kvlab.world.sim import SimWorld
from kvlab.world.sim.network import UnderWay
from kvlab.world.world import Watcher, World

SPEEDS = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)
"""Virtual seconds a second."""
SLICE_MS = 2.0
"""Virtual time that is run at once: messages take about as long."""
BUDGET_S = 0.008
"""Real time that the simulator may take from the screen at each tick."""
RUN_BUDGET_S = 0.03
"""And so much where somebody waits for it to get somewhere."""
HISTORY_MAX = 8_000
"""Operations that a `check` in the lab looks at; some 5 MB. A load of an hour makes more, and goes on."""
RUN_MS_MAX = 60_000.0
"""Virtual time after which nothing that is worth telling is waited for any more."""


class Driver(ABC):
    """A cluster under the lab's hands, the log of it, and a cursor into that."""

    kind: str
    """process or sim, as recordings name it."""
    speeds: ClassVar[tuple[float, ...]] = (1.0,)
    config: ClusterConfig
    timeline: Timeline
    transcript: Transcript

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []
        self._recorder: Recorder | None = None
        self._speed = self.speeds.index(1.0)

    # -- life ------------------------------------------------------------------------------------

    @abstractmethod
    async def start(self) -> str:
        """Start the cluster; on return it answers. Returns what is to be said, "" if nothing."""

    @abstractmethod
    async def close(self) -> None:
        """End every node."""

    def watch(self, watcher: Watcher) -> None:
        """Call it with every event, once that stands in the log."""
        self._watchers.append(watcher)

    def record(self, recorder: Recorder) -> None:
        """Write every event to it, whose owner closes it."""
        self._recorder = recorder

    # -- doing -----------------------------------------------------------------------------------

    @abstractmethod
    def do(self, command: Command) -> asyncio.Future[Step]:
        """Begin a command; the future, of the lab's loop, brings its Step, or what it raised."""

    @abstractmethod
    def why_not_do(self) -> str:
        """Why nothing can be done to the cluster where the cursor is; "" if it can."""

    async def branch(self) -> str:
        """Make the present of what the cursor shows; returns what is to be said of it."""
        return ""

    def leave_branch(self) -> bool:
        """Do not make the branch that is being made; False if none is."""
        return False

    def loading(self) -> LoadUnderWay | None:
        """The load that was begun last, if one is under way where the cursor is."""
        return None

    def under_way(self) -> list[UnderWay] | None:
        """The messages under way; None where only the events tell of them."""
        return None

    # -- time ------------------------------------------------------------------------------------

    @abstractmethod
    def tick(self, elapsed_s: float) -> bool:
        """So much real time has passed: go on, if time does; True if the picture is another now."""

    @property
    @abstractmethod
    def held(self) -> bool:
        """Whether what is shown stands still."""

    @property
    @abstractmethod
    def behind(self) -> bool:
        """Whether what is shown is not the present."""

    @abstractmethod
    def hold(self) -> None:
        """Let what is shown stand still."""

    @abstractmethod
    def go_on(self) -> None:
        """Let it go on: from the present, where there is one."""

    @abstractmethod
    def shown_ms(self) -> float:
        """The time of what is shown."""

    @property
    def in_hand(self) -> bool:
        """Whether it can be decided what becomes of the messages under way."""
        return False

    @property
    def model(self) -> Model:
        """The cluster as it was at the cursor."""
        return self.timeline.model

    @property
    def speed(self) -> float:
        """Seconds shown in a second."""
        return self.speeds[self._speed]

    def change_speed(self, by: int) -> None:
        """By so many doublings, up to the ends of the scale."""
        self._speed = min(max(0, self._speed + by), len(self.speeds) - 1)

    def moment(self) -> Moment:
        """Where in time the screen is."""
        log = self.timeline
        return Moment(
            kind="live",
            held=self.held,
            behind=self.behind,
            at_ms=self.shown_ms(),
            first_ms=log.first_ms,
            end_ms=max(log.end_ms, self.shown_ms()),
            place=log.at,
            first=log.first,
            end=log.end,
            speed=self.speed,
        )

    # -- the cursor: each returns what is to be said, "" if the picture says it all -----------------

    def seek(self, place: int) -> None:
        """Show the cluster as it was there, and stay."""
        self.hold()
        self.timeline.seek(place)

    def step(self) -> str:
        """One event further."""
        place = self.timeline.after(self.timeline.at, is_step)
        return self._go(place, "Nothing more was told up to now.")

    def back(self) -> str:
        """One event back."""
        return self._go(self.timeline.before(self.timeline.at, is_step), self._at_first())

    def next(self) -> str:
        """On to what somebody would tell of next."""
        k = self.timeline.at + 1
        while k <= self.timeline.end and not self._news(k):
            k += 1
        if k > self.timeline.end:
            return self._go(None, "Nothing more happened up to now that is worth a word.")
        return self._go(self._settled(k), "")

    def previous(self) -> str:
        """Back to what somebody would have told of before."""
        for k in range(self.timeline.at - 1, self.timeline.first, -1):
            if self._news(k) and (place := self._settled(k)) < self.timeline.at:
                return self._go(place, "")
        return self._go(None, self._at_first())

    def to_start(self) -> str:
        """As far back as one can look."""
        self.seek(self._first_place())
        return self._at_first()

    def to_end(self) -> str:
        """To the last that was told."""
        self.seek(self.timeline.end)
        return ""

    def go_to(self, when: When) -> str:
        """To this moment, step or event."""
        match when:
            case AtStart():
                return self.to_start()
            case AtEnd():
                return self.to_end()
            case AtStep():
                return "Only the simulator counts steps; go to a time, such as: goto 12.4s"
            case AtTime():
                return self._go_to_ms(when.ms + (self.shown_ms() if when.relative else 0.0))
            case AtText(text):
                return self._find(text)

    def _go_to_ms(self, at_ms: float) -> str:
        if at_ms > self.timeline.end_ms:
            self.to_end()
            return f"The log ends at {clock(self.timeline.end_ms)}."
        place = max(self.timeline.place_at(at_ms), self._first_place())
        self.seek(place)
        return self._at_first() if at_ms < self.timeline.first_ms else ""

    def _find(self, text: str) -> str:
        """To the next event that has this in what is told of it; from the end, on from the start."""

        def wanted(event: AnyEvent) -> bool:
            return is_step(event) and text.lower() in said(event).lower()

        log = self.timeline
        place = log.after(log.at, wanted)
        again = place is None
        if place is None:
            place = log.after(log.first, wanted)
        if place is None:
            return f"Nothing in the log has {text!r} in it; try a word of a line, such as kill, or a key."
        found = said(log.event(place - 1))
        self._go(self._settled(place), "")
        where = f"{clock(self.shown_ms())}: {found}"
        return f"None after this; the first from the start is at {where}." if again else f"At {where}."

    def _go(self, place: int | None, otherwise: str) -> str:
        """There, if there is such a place."""
        if place is None:
            self.hold()
            return otherwise
        self.seek(place)
        return ""

    def _news(self, place: int) -> bool:
        """Whether somebody would tell of what led to this place. Links that change together are one piece."""
        event = self.timeline.event(place - 1)
        if not isinstance(event, LinkChanged):
            return is_news(event)
        before = self.timeline.event(place - 2) if place - 2 >= self.timeline.first else None
        return not isinstance(before, LinkChanged)

    def _settled(self, place: int) -> int:
        """The place after all that belongs to what led to this one: of the same moment, or many links."""
        log, event = self.timeline, self.timeline.event(place - 1)
        while place < log.end:
            more = log.event(place)
            if more.at_ms != event.at_ms and not (
                isinstance(event, LinkChanged) and isinstance(more, LinkChanged)
            ):
                break
            place += 1
        return place

    def _first_place(self) -> int:
        return self.timeline.first

    def _at_first(self) -> str:
        log = self.timeline
        if log.first:
            return f"What was before {clock(log.first_ms)} is not kept: the log holds the last events alone."
        return "This is where it began."


class Run:
    """A cluster from its start: its world, who acts on it, all that was told and all that was done."""

    def __init__(self, world: World, told: Callable[[Run, AnyEvent], None]) -> None:
        self.world, self.session = world, Session(world, history_max=HISTORY_MAX)
        self.timeline, self.transcript = Timeline(world.config), Transcript(world.config)
        self._told = told
        world.watch(self._take)

    def _take(self, event: AnyEvent) -> None:
        self.timeline.append(event, self.world.moves if isinstance(self.world, SimWorld) else 0)
        self._told(self, event)

    async def start(self) -> None:
        """Start the cluster, and say by which line."""
        world = self.world
        await world.start()
        self.transcript.config = world.config  # data of before may have changed it
        world.tell(ScriptLine(world.at_ms(), NodeId(""), str(Cluster.of(world.config))))

    async def do(self, command: Command) -> Step:
        """Do it, and remember it. Raises what that raises."""
        begun = self.world.at_ms()
        try:
            step = await self.session.do(command)
        except KvlabError as error:
            self.transcript.not_done(str(command), begun, str(error))
            raise
        self.transcript.add(step)
        return step


class WorldDriver(Driver):
    """What both worlds have in common."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.run = Run(world, self._told)
        self.kind = "sim" if isinstance(world, SimWorld) else "process"

    @property
    def world(self) -> World:
        return self.run.world

    @property
    def session(self) -> Session:
        return self.run.session

    @property
    def config(self) -> ClusterConfig:  # type: ignore[override]  # and in the next two: nobody sets it
        return self.run.world.config

    @property
    def timeline(self) -> Timeline:  # type: ignore[override]
        return self.run.timeline

    @property
    def transcript(self) -> Transcript:  # type: ignore[override]
        return self.run.transcript

    def _told(self, run: Run, event: AnyEvent) -> None:
        """`run` has told something; one that is only on its way to a branch tells nobody."""
        if run is not self.run:
            return
        if self._recorder is not None:
            self._recorder(event)
        for watcher in self._watchers:
            watcher(event)

    def loading(self) -> LoadUnderWay | None:
        under_way = [] if self.behind else list(self.session.loading.values())
        return under_way[-1] if under_way else None

    async def close(self) -> None:
        await self.world.close()


class LiveDriver(WorldDriver):
    """Real processes: time passes whether one looks or not."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._held_ms = 0.0

    async def start(self) -> str:
        await self.run.start()
        return ""

    def do(self, command: Command) -> asyncio.Future[Step]:
        return asyncio.ensure_future(self.run.do(command))

    def why_not_do(self) -> str:
        return "the view is held, and shows the past; space goes back to the present" if self.held else ""

    def tick(self, elapsed_s: float) -> bool:
        return False

    @property
    def held(self) -> bool:
        return self.timeline.held

    @property
    def behind(self) -> bool:
        return self.timeline.held

    def hold(self) -> None:
        if not self.held:
            self.timeline.hold()
            self._held_ms = self.world.at_ms()

    def go_on(self) -> None:
        self.timeline.follow()

    def seek(self, place: int) -> None:
        super().seek(place)
        self._held_ms = self.model.at_ms

    def to_end(self) -> str:
        self.go_on()
        return ""

    def shown_ms(self) -> float:
        return self._held_ms if self.held else self.world.at_ms()


class SimDriver(WorldDriver):
    """The simulator: time passes as the lab lets it, faster, slower, or one step at a time."""

    speeds = SPEEDS

    def __init__(self, world: SimWorld) -> None:
        super().__init__(world)
        self._held = False
        self._until: Callable[[], bool] | None = None  # where it is to run to, without a look at the clock
        self._until_ms = 0.0
        self._again: Run | None = None  # on its way to a branch
        self._left_branch = False
        self._begun: list[tuple[int, asyncio.Future[Step]]] = []  # commands under way, and their moves
        self._branching = asyncio.Lock()

    @property
    def world(self) -> SimWorld:
        assert isinstance(self.run.world, SimWorld)
        return self.run.world

    async def start(self) -> str:
        here: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._submit(lambda run: run.start(), here)
        await here
        return ""

    def do(self, command: Command) -> asyncio.Future[Step]:
        here: asyncio.Future[Step] = asyncio.get_running_loop().create_future()
        self._begun = [begun for begun in self._begun if not begun[1].done()]
        self._begun.append((self.world.moves + 1, here))
        self._submit(lambda run: run.do(command), here)
        return here

    def _submit(self, action: Callable[[Run], Coroutine[Any, Any, Any]], here: asyncio.Future[Any]) -> None:
        """Begin something on the world's loop, now and in every branch from a later step; its first outcome
        arrives in a future of the running loop."""

        async def carry_out(world: SimWorld) -> None:
            run = self._again if self._again is not None and self._again.world is world else self.run
            try:
                result = await action(run)
            except Exception as error:  # whatever it is, it is for whoever waits for the future
                if not here.done():
                    here.set_exception(error)
            else:
                if not here.done():
                    here.set_result(result)

        self.world.submit(carry_out)

    def why_not_do(self) -> str:
        log = self.timeline
        if self.behind and log.first and log.at <= log.first:
            return "what led here is not kept any more; n goes on a step, and from there a branch can begin"
        return ""

    def under_way(self) -> list[UnderWay] | None:
        return None if self.behind else self.world.under_way()

    @property
    def in_hand(self) -> bool:
        return True

    # -- time ------------------------------------------------------------------------------------

    @property
    def held(self) -> bool:
        return self._held

    @property
    def behind(self) -> bool:
        return self.timeline.held

    def hold(self) -> None:
        self._held, self._until = True, None

    def go_on(self) -> None:
        self._held, self._until = False, None
        self.timeline.follow()

    def shown_ms(self) -> float:
        return self.model.at_ms if self.behind else self.world.at_ms()

    def tick(self, elapsed_s: float) -> bool:
        """Run virtual time up to where it should be by now; a world too busy for that falls behind."""
        if self._again is not None:
            return True  # how far it is
        if self._until is not None:
            return self._run_on(self._until)
        return not self._held and self.hurry(elapsed_s)

    def hurry(self, elapsed_s: float) -> bool:
        """The same, also while the view is held."""
        before = self.world.steps
        target_ms = self.world.at_ms() + min(elapsed_s, 0.25) * 1000 * self.speed
        end_s = time.perf_counter() + BUDGET_S
        while self.world.at_ms() < target_ms and time.perf_counter() < end_s:
            self.world.run_to(min(self.world.at_ms() + SLICE_MS, target_ms))
        return self.world.steps > before

    def _run_on(self, there: Callable[[], bool]) -> bool:
        """Run, as fast as it goes, until it is there, or until the time that was set."""
        end_s = time.perf_counter() + RUN_BUDGET_S
        while time.perf_counter() < end_s:
            due_s = self.world.loop.next_time()
            if there():
                self._until = None
                break
            if due_s is None or due_s * 1000 > self._until_ms:
                self.world.run_to(min(self._until_ms, self.world.at_ms() + RUN_MS_MAX))
                self._until = None
                break
            self.world.step()
        return True

    def _run_until(self, there: Callable[[], bool], limit_ms: float) -> None:
        self.timeline.follow()
        self._held, self._until, self._until_ms = True, there, limit_ms

    def moment(self) -> Moment:
        steps = self.world.steps
        step = self.world.counted(self._move)[0] if self.behind else steps
        world = None if self._again is None else self._again.world
        again = world.steps if isinstance(world, SimWorld) else None
        return msgspec.structs.replace(super().moment(), kind="sim", step=step, steps=steps, again=again)

    # -- the cursor: a place is always the end of a move, which is a step or a command that was begun ----

    @property
    def _move(self) -> int:
        """The last move that has told anything of what is shown."""
        return self.timeline.step_at(self.timeline.at)

    def seek(self, place: int) -> None:
        self.hold()
        log = self.timeline
        if place > log.first:
            place = log.place_of(log.step_at(place))
        if place >= log.end:
            log.follow()
        else:
            log.seek(place)

    def step(self) -> str:
        """One step further: of the log, or of the world, where the log ends."""
        self.hold()
        log = self.timeline
        if self.behind and log.at < log.end:
            self.seek(log.place_of(log.step_at(log.at + 1)))
            return ""
        happened = self.world.step()
        return "" if happened else "Nothing is left to happen: give the cluster something to do."

    def back(self) -> str:
        """One step back, to before the last one that told anything."""
        log = self.timeline
        if log.at <= self._first_place():
            self.hold()
            return self._at_first()
        self.seek(max(log.place_of(self._move - 1), self._first_place()))
        return ""

    def next(self) -> str:
        """What is worth telling and has not happened yet is run to."""
        if self.behind:
            return super().next()
        log = self.timeline
        looked_at = log.end

        def happened() -> bool:
            nonlocal looked_at
            before, looked_at = max(looked_at, log.first), log.end
            return any(self._news(k) for k in range(before + 1, log.end + 1))

        self._run_until(happened, self.world.at_ms() + RUN_MS_MAX)
        return ""

    def go_to(self, when: When) -> str:
        match when:
            case AtStep(number) if number > self.world.steps:
                self._run_until(lambda: self.world.steps >= number, float("inf"))
                return ""
            case AtStep(number):
                moves = self.world.moves
                while moves > 1 and self.world.counted(moves)[0] > number:
                    moves -= 1
                self.seek(max(self.timeline.place_of(moves), self._first_place()))
                return ""
            case _:
                return super().go_to(when)

    def _go_to_ms(self, at_ms: float) -> str:
        """What has not happened yet is run to."""
        if at_ms <= self.world.at_ms():
            return super()._go_to_ms(min(at_ms, self.timeline.end_ms))
        self._run_until(lambda: False, at_ms)
        return ""

    def _settled(self, place: int) -> int:
        return self.timeline.place_of(self.timeline.step_at(place))

    def _first_place(self) -> int:
        """The end of the first move that is known: at the start of all, that is the start of the nodes."""
        log = self.timeline
        return log.place_of(log.step_at(log.first + 1)) if log.end > log.first else log.first

    # -- branches --------------------------------------------------------------------------------

    def leave_branch(self) -> bool:
        self._left_branch = self._again is not None
        return self._left_branch

    async def branch(self) -> str:
        """Go on from the step that the cursor shows: what was begun after it has never been.

        Raises UserError if it was left before it was made: then all is as it was.
        """
        async with self._branching:  # whoever comes second finds it done
            if not self.behind:
                return ""
            place, move = self.timeline.at, self._move
            to_step, begun = self.world.counted(move)
            undone = self.world.steps - to_step
            last = self.timeline.event(place - 1)
            self.hold()
            world = SimWorld(self.config)
            again = self._again = Run(world, self._told)
            self._left_branch = False
            try:
                for _ in self.world.rewinding(world, to_step, begun):
                    await asyncio.sleep(0)
                    if self._left_branch:
                        raise UserError(f"No branch was made, and nothing done; this is step {to_step} still")
                self.run = again
            finally:
                self._again = None
            for at, here in self._begun:
                if at > move:
                    here.cancel()
            if self._recorder is not None:
                self._recorder.keep(place)
            if again.timeline.end != place or again.timeline.event(place - 1) != last:
                return (
                    f"Done again, the cluster did not come to the same step {to_step}: the stage uses chance "
                    "or a clock that are not its Env's."
                )
            after = counted(undone, "step")
            return (
                f"A branch begins at step {to_step}: the {after} after it are undone, and what was done then."
            )
