"""The Textual application: a canvas, a command line, and the keys.

Events are folded into a `Model` where they arrive, which costs a microsecond and draws nothing. One timer
looks a dozen times a second whether anything has changed, takes a `View`, draws it, and refreshes the
rows that differ. A second timer draws what moves, and sleeps while nothing does.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from shlex import quote
from typing import Any, ClassVar, cast

import msgspec
from textual import events as ui
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input

from kvlab import stages
from kvlab.errors import KvlabError, UserError
from kvlab.lab import actions
from kvlab.lab.actions import Action
from kvlab.lab.canvas_widget import LabCanvas
from kvlab.lab.crash import LabCrashed, crashed
from kvlab.lab.draw.screen import action_at, command_row, help_pages, screen
from kvlab.lab.draw.theme import ACCENT, BACKGROUND, TEXT, Theme
from kvlab.lab.driver import Driver
from kvlab.lab.leaving import leave_at_signals
from kvlab.lab.narrate import messages, result_of
from kvlab.lab.source import Source, source_of
from kvlab.lab.view import Narration, Tab, View, counted, key_rows, view_of
from kvlab.lab.when import parse_when
from kvlab.lab.wire import on_wire
from kvlab.messages import Key, NodeId, OpId
from kvlab.script.help import Page, help_on
from kvlab.script.parse import ScriptError, parse_line
from kvlab.script.rehearsal import Rehearsal
from kvlab.script.session import Step
from kvlab.script.words import quoted
from kvlab.trace.events import AnyEvent
from kvlab.trace.model import Model
from kvlab.trace.recording import Recorder

FLUSH_HZ = 12
ANIMATION_HZ = 20
DRAWING_SHARE = 0.05
"""So much of the time may go into drawing what changes by itself; what a key changes is drawn at once."""
RESTS_S = 0.25
"""Nor does the picture rest longer than this."""
WAITS_MS = 50.0
"""An operation that has run for so long is worth watching while it does."""
NOTICE_S = 3.0
"""What the lab itself has to say stays at least so long."""
SAID_MAX = 8
"""So many notices can be read once more."""
LOAD_RATE = 200
FIRST_KEY = b"cart:42"
FIRST_SLOW_MS = 500
OPEN_THE_LINE = ("command", "save")
"""These keys act before the next one is looked at, which belongs to the line already."""


class CommandLine(Input):
    """The scenario language, typed. Up and down walk through what was typed before."""

    def __init__(self) -> None:
        super().__init__(
            placeholder="put cart:7 tea via n2   (Esc: leave)", compact=True, select_on_focus=False
        )
        self.typed: list[str] = []
        self._at = 0

    def open(self, text: str = "") -> None:
        self.value = text
        self.cursor_position = len(text)
        self._at = len(self.typed)
        self.display = True
        self.screen.set_focus(self)  # now: `focus()` would do it later, and lose the keys that come before

    def shut(self) -> None:
        self.display = False
        self.screen.set_focus(None)

    def on_key(self, event: ui.Key) -> None:
        if event.key == "escape":
            self.shut()
        elif event.key in ("up", "down") and self.typed:
            self._at = min(max(0, self._at + (1 if event.key == "down" else -1)), len(self.typed))
            self.value = self.typed[self._at] if self._at < len(self.typed) else ""
            self.cursor_position = len(self.value)
        else:
            return
        event.stop()
        event.prevent_default()


class LabApp(App[None]):
    """The lab over one driver. `run_lab` runs it and ends the nodes whatever happens."""

    TITLE = "kvlab"
    AUTO_FOCUS = None  # or the hidden command line would swallow the first keys
    CSS = f"""
    Screen {{ layers: base above; background: {BACKGROUND}; overflow: hidden; }}
    LabCanvas {{ layer: base; width: 100%; height: 100%; background: {BACKGROUND}; }}
    CommandLine {{ layer: above; dock: top; height: 1; border: none; padding: 0 1; display: none;
                   background: {BACKGROUND}; color: {TEXT}; }}
    CommandPalette SearchIcon {{ display: none; }}
    .-ascii CommandPalette #--input {{ border: ascii {ACCENT}; }}
    .-ascii CommandPalette #--input.--list-visible {{ border: ascii {ACCENT}; }}
    .-ascii CommandPalette CommandList {{ border: ascii {ACCENT}; scrollbar-size-vertical: 0; }}
    .-ascii CommandPalette LoadingIndicator {{ display: none; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                action.key,
                f"act('{action.name}')",
                action.label,
                show=False,
                priority=action.name in OPEN_THE_LINE,
            )
            for action in actions.ACTIONS
        ),
        Binding("escape", "cancel", show=False),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(
        self,
        driver: Driver,
        theme: Theme,
        *,
        animate: bool = True,
        recorder: Recorder | None = None,
        first_put: bool = True,
    ) -> None:
        super().__init__()
        self.driver, self.look, self.animate_messages, self.recorder = driver, theme, animate, recorder
        self.set_class(theme.ascii, "-ascii")
        self.first_put = first_put
        self.failure: BaseException | None = None
        """What ended the lab, if it was not the person."""
        self.cluster_ready = False
        self.selected: OpId | None = None
        """The operation shown; None follows the last one."""
        self._source: Source | None = None
        """The file that runs, once somebody has looked at the code."""
        self._chosen = -1
        """Which event of it is looked at; -1 follows the last one."""
        self._newest: tuple[int, OpId | None] = (0, None)
        """The last place that was shown, and the operation that had been begun last there."""
        self._dirty = True
        self._notice = ""
        self._noticed_s = 0.0
        self._noticed_at: AnyEvent | None = None
        self._noticed_line = 0
        self._late: deque[str] = deque()
        """Notices about lines older than the one that the notice shown is about: they wait for their turn."""
        self._said: deque[str] = deque(maxlen=SAID_MAX)
        self._lines = 0
        """How many lines have been begun."""
        self._page: Callable[[View], Page] | None = None
        self._asking: Action | None = None
        self._number = ""
        self._help = 0
        self.tab: Tab = "cluster"
        self.picked = ""
        """The message chosen in the messages tab."""
        self.key: Key | None = None
        """The key chosen in the data tab, until another operation is shown; None: that of the operation."""
        self.heartbeats = False
        self.load_rate = LOAD_RATE
        self._tab_before: Tab = "cluster"
        self._ticked_s = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()
        self._animation: Timer | None = None
        self._moving = False
        self._rests_until_s = 0.0
        self._server = 0
        """The process that shows this one in a browser, if one does."""
        self._canvas = LabCanvas()
        self._line = CommandLine()

    # -- life ------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield self._canvas
        yield self._line

    @property
    def model(self) -> Model:
        """The cluster at the cursor."""
        return self.driver.model

    def on_mount(self) -> None:
        self.driver.watch(self.on_cluster_event)
        if self.recorder is not None:
            self.driver.record(self.recorder)
            self.set_interval(1.0, self.recorder.flush)
        self.set_interval(1 / FLUSH_HZ, self._catch_up)
        self._animation = self.set_interval(1 / ANIMATION_HZ, self._move, pause=True)
        leave_at_signals(self)
        if self.is_web:
            self._server = os.getppid()
            self.set_interval(1.0, self._leave_with_server)
        self._draw()
        self.call_after_refresh(self._open_cluster)

    def _open_cluster(self) -> None:
        """Only now, when there is something to see: the nodes' starts take what processors there are."""
        self._begin(self._open())

    def _leave_with_server(self) -> None:
        """A server that was killed cannot say so: then nobody looks any more."""
        if os.getppid() != self._server:
            self.exit()

    async def _open(self) -> None:
        """Start the cluster, and give it something to do that can be watched."""
        self._say(await self.driver.start())
        self.cluster_ready = True
        self._dirty = True
        if not self.first_put:
            return
        view = self.view()
        if view.stage.nodes_max == 1:
            await self._do_line(f"put {quoted(FIRST_KEY)} milk")
            return
        strangers = [node.node for node in view.nodes if node.node not in view.homes]
        via = (strangers or [view.nodes[0].node])[0]  # a stranger has to send every copy
        if view.stage.mirrored:  # it answers when the mirrors have met, which slow messages would hold up
            await self._do_line(f"get {quoted(FIRST_KEY)} via {via}")
        await self._do_line(f"slow {via} {FIRST_SLOW_MS}ms")
        await self._do_line(f"put {quoted(FIRST_KEY)} milk via {via}")
        await self._do_line(f"slow {via} 0ms")  # not `heal`: the person may have cut the network meanwhile

    def _handle_exception(self, error: Exception) -> None:
        """What nobody caught: Textual ends the application, and `run_lab` tells of it."""
        self.failure = self.failure or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Instead of Textual's, which prints pages of variables."""
        self._close_messages_no_wait()

    def crash(self, error: BaseException) -> LabCrashed:
        """Leave a report of this, and return what is to be raised."""
        driver = self.driver
        told = list(driver.timeline.told())
        return crashed(error, driver.config, driver.kind, told, driver.transcript.scenario())

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do this beside the screen. What nobody expected ends the lab, and is raised after it."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure = error
            self.exit()

    async def replace_driver(self, driver: Driver) -> None:
        """Go on with another cluster of the same kind, not yet started: this one is ended, and forgotten."""
        old, self.driver = self.driver, driver
        self.cluster_ready, self.selected, self.key, self._newest = False, None, None, (0, None)
        driver.watch(self.on_cluster_event)
        self._dirty = True
        await old.close()

    async def shut_down(self) -> None:
        """End what is under way, then every node."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.driver.close()
        if self.recorder is not None:
            self.recorder.close()

    # -- events in, pictures out -----------------------------------------------------------------

    def on_cluster_event(self, event: AnyEvent) -> None:
        """It stands in the log already; `_catch_up` looks at that."""
        self._dirty = True

    def _catch_up(self) -> None:
        now_s = time.monotonic()
        elapsed_s, self._ticked_s = now_s - self._ticked_s, now_s
        try:
            self._dirty |= self.driver.tick(elapsed_s)
        except Exception as error:  # a bug in a stage: its world stands still, the lab does not
            self.driver.hold()
            self._say(f"The simulation stopped: {type(error).__name__}: {error}")
        self._change_notice(now_s)
        if self._dirty and not self._moving:
            self._draw_at_leisure(now_s)

    def _follow_operations(self) -> None:
        """An operation that begins is what one wants to see; not so while going back in time."""
        place, newest = self.driver.timeline.at, next(reversed(self.model.operations), None)
        if newest != self._newest[1] and place > self._newest[0]:
            self.selected, self._chosen, self.key = None, -1, None
        self._newest = (place, newest)

    def _change_notice(self, now_s: float) -> None:
        """Once a notice has stood long enough, the next one follows, or what has happened since."""
        if self._notice and now_s <= self._noticed_s + NOTICE_S:
            return
        if self._late:
            self._show_notice(self._late.popleft())
        elif self._notice and self.model.latest is not self._noticed_at:
            self._say("")

    def _move(self) -> None:
        """Draw again while a message is under way or an operation waits; then sleep."""
        self._draw_at_leisure(time.monotonic())

    def _draw_at_leisure(self, now_s: float) -> None:
        """Draw, unless that has taken its share of the time lately: under a load each picture costs more."""
        if now_s >= self._rests_until_s:
            self._draw()
            took_s = time.monotonic() - now_s
            self._rests_until_s = now_s + min(took_s / DRAWING_SHARE, RESTS_S)

    def view(self) -> View:
        """What is to be shown now."""
        driver = self.driver
        self._follow_operations()
        view = view_of(self.model, self.selected, driver.shown_ms(), self.key)
        view = msgspec.structs.replace(view, narration=self.narration())
        starting = driver.behind and not any(node.state != "starting" for node in view.nodes)
        question = ""
        if self._asking is not None:
            numbers = " ".join(name.removeprefix("n") for name in self._asking.nodes(view))
            asked = f"{self._asking.label} {self._asking.asks}?"
            question = f"{asked} {numbers}   (Esc or q: none) {self._number}"
        view = msgspec.structs.replace(
            view,
            simulated=driver.kind == "sim",
            ready=self.cluster_ready and not starting,
            moment=driver.moment(),
            why_not_do=self.why_not_do(),
            notice=self._notice,
            said=tuple(reversed(self._said)),
            prompt=question,
            help=self._help,
            tab=self.tab,
            chosen=self._chosen,
            source=self._source,
            moving=self.animate_messages,
            keys=key_rows(self.model) if self.tab == "data" else (),
            **self._wire(),
            **self._loading(),
        )
        page = self._page(view) if self._page is not None else None
        hints = tuple(msgspec.structs.replace(one, key=self.look.key(one.key)) for one in actions.hints(view))
        return msgspec.structs.replace(view, hints=hints, page=page)

    def narration(self) -> Narration | None:
        """What is presented, in a demo."""
        return None

    def why_not_do(self) -> str:
        """Why nothing can be done to the cluster where the cursor is; "" if it can."""
        return self.driver.why_not_do()

    def _wire(self) -> dict[str, Any]:
        """What the messages tab shows. It is only asked for when that is open: the simulator has to look."""
        driver = self.driver
        under_way = driver.under_way() if self.tab == "messages" else None
        wire = {"wire": on_wire(self.model, driver.shown_ms(), under_way)} if under_way is not None else {}
        return {"picked": self.picked, "heartbeats": self.heartbeats, "in_hand": driver.in_hand, **wire}

    def _loading(self) -> dict[str, Any]:
        """What the load tab says of the load that was begun last."""
        if (under_way := self.driver.loading()) is None:
            return {"load_rate": self.load_rate}
        load, since_ms = under_way.load, under_way.since_ms
        left_ms = load.ms - (self.driver.shown_ms() - since_ms)
        return {"loading": str(load), "load_left_ms": left_ms, "load_rate": self.load_rate}

    def _draw(self) -> None:
        self._dirty = False
        view = self.view()
        size = (self.size.width, self.size.height)
        self._canvas.show(screen(view, size, self.look))
        self._line.styles.margin = (max(0, command_row(view, size)), 0, 0, 0)
        waits = view.op is not None and not view.op.outcome and view.now_ms - view.op.started_ms > WAITS_MS
        moving = (bool(view.flights) or waits) and self.animate_messages and not self.driver.held
        if self._animation is not None and moving != self._moving:
            self._moving = moving
            if moving:
                self._animation.resume()
            else:
                self._animation.pause()

    def on_resize(self) -> None:
        self._dirty = True

    def _say(self, notice: str, line: int | None = None) -> None:
        """Say it now, or if it is about an older line than what has just been said, after that.

        `line` is the number of the line it is about; without one, it is about this moment.
        """
        if notice:
            self._said.append(notice)
        if line is not None and line < self._noticed_line and self._notice:
            self._late.append(notice)
            return
        self._noticed_line = self._lines if line is None else line
        self._show_notice(notice)

    def _show_notice(self, notice: str) -> None:
        self._notice, self._noticed_s, self._noticed_at = notice, time.monotonic(), self.model.latest
        self._dirty = True

    # -- keys ------------------------------------------------------------------------------------

    def action_command_palette(self) -> None:
        """As Textual opens it, but that its own prompt has a character that is not ASCII."""
        if not CommandPalette.is_open(cast("App[object]", self)):
            self.push_screen(CommandPalette(placeholder="put, kill, cut, ...", id="--command-palette"))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        for action in actions.ACTIONS:
            yield SystemCommand(
                f"{action.label} ({action.shown_key or action.key})",
                action.help,
                lambda name=action.name: self.action_act(name),
            )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """In the open command line a colon is a colon."""
        return not (self._line.display and parameters and parameters[0] in OPEN_THE_LINE)

    def action_act(self, name: str) -> None:
        """What a key, the footer or the palette asks for; it is seen at once."""
        self._act(name)
        self._draw()

    def _act(self, name: str) -> None:
        asked = self._asking is not None
        self._stop_asking()
        if asked and name == "quit":  # who asks to leave a question does not mean the lab
            return
        action = actions.find(name)
        reading, self._page = self._page, None  # any other key leaves the page
        view = self.view()
        if name == "messages":
            self._page = messages if reading is None else None
            return
        self._say("")
        if refusal := action.refusal(view):
            key = self.look.key(action.shown_key or action.key)
            self._say(f"{key} ({action.label}) cannot be used now: {refusal}.")
        elif action.needs_node:
            self._asking = action
        elif action.tab is not None:
            self._show(action.tab)
        elif action.line is not None:
            self._begin(self._do_line(action.line(view, "")))
        else:
            self._on_screen(name, view)

    def _on_screen(self, name: str, view: View) -> None:
        """The actions that concern the screen alone."""
        match name:
            case "quit":
                self.exit()
            case "help":
                size = (self.size.width, self.size.height)
                self._help = (self._help + 1) % (help_pages(view, size) + 1)
            case "maximise":
                self._show("operation" if self.tab != "operation" else self._tab_before)
            case "command":
                self._line.open()
            case "save":
                self._line.open("save ")
            case "pause_view":
                self._hold(not self.driver.held)
            case "step":
                self._say(self.driver.step())
            case "step_back":
                self._say(self.driver.back())
            case "following":
                self._say(self.driver.next())
            case "previous":
                self._say(self.driver.previous())
            case "start":
                self._say(self.driver.to_start())
            case "end":
                self._say(self.driver.to_end())
            case "go_to":
                self._line.open("goto ")
            case "slower" | "faster":
                self.driver.change_speed(1 if name == "faster" else -1)
                seconds = "simulated seconds" if self.driver.kind == "sim" else "seconds"
                self._say(f"{self.driver.speed:g} {seconds} a second.")
            case "upwards" | "downwards":
                self._go(view, -1 if name == "upwards" else 1)
            case "heartbeats":
                self.heartbeats = not self.heartbeats
            case "earlier" | "later":
                self._select(view, -1 if name == "earlier" else 1)
            case "event_before" | "event_after":
                self._choose(view, -1 if name == "event_before" else 1)
            case _:
                raise AssertionError(f"no such action: {name}")

    def _go(self, view: View, by: int) -> None:
        """Up or down: another key, another message, or another rate of the load, which goes on with that."""
        if view.tab == "data":
            keys = [row.key for row in view.keys]
            at = keys.index(view.key) + by if view.key in keys else 0
            self.key = keys[min(max(0, at), len(keys) - 1)]
            return
        if view.tab == "messages":
            names = [row.name for row in view.wire_shown]
            at = names.index(view.message) + by
            self.picked = names[min(max(0, at), len(names) - 1)]
            return
        self.load_rate = actions.load_rate(view, -by)
        if view.loading:
            self._begin(self._change_load(actions.load_line(view, self.load_rate)))

    async def _change_load(self, line: str) -> None:
        await self._do_line("load stop")
        await self._do_line(line)

    def _show(self, tab: Tab) -> None:
        """Open this tab; `m` leads back from the operation to the one before it."""
        self._tab_before = self.tab if self.tab != "operation" else "cluster"
        self.tab, self._help = tab, 0
        may_be_edited = self.model.config.mine is not None
        if tab == "code" and (self._source is None or may_be_edited):
            self._begin(self._read_source())

    async def _read_source(self) -> None:
        """To import the stage and to take its file apart is too much for a turn of the screen's loop."""
        self._source = await asyncio.to_thread(
            source_of, stages.find(self.model.config.stage), self.model.config.mine
        )
        self._dirty = True

    def on_click(self, event: ui.Click) -> None:
        """A tab, or a key of the footer, does what its key does."""
        size = (self.size.width, self.size.height)
        if name := action_at(self.view(), size, event.screen_x, event.screen_y):
            self.action_act(name)

    def on_mouse_scroll_up(self) -> None:
        self._roll(0)

    def on_mouse_scroll_down(self) -> None:
        self._roll(1)

    def _roll(self, way: int) -> None:
        """The wheel goes through what is listed, as the keys of the open tab do."""
        if self.tab in ("operation", "code"):
            self.action_act(("event_before", "event_after")[way])
        elif self.tab in ("data", "messages", "load"):
            self.action_act(("upwards", "downwards")[way])

    def action_cancel(self) -> None:
        """Leave what is open; if nothing is, the branch that is being made."""
        if self._asking is None and not self._help and self._page is None and self.driver.leave_branch():
            return
        self._stop_asking()
        self._help, self._page = 0, None
        self._say("")
        self._draw()

    def _stop_asking(self) -> None:
        self._asking, self._number = None, ""
        self._dirty = True

    def on_key(self, event: ui.Key) -> None:
        """The number of a node, when one was asked for."""
        if self._asking is not None and (event.key.isdecimal() or event.key in ("enter", "backspace")):
            event.stop()
            event.prevent_default()  # else the digit would open a tab as well
            self._answer(event.key)

    def _answer(self, key: str) -> None:
        """A digit of the number that was asked for; Enter ends it where one could be longer."""
        action, view = self._asking, self.view()
        assert action is not None
        names = action.nodes(view)
        self._dirty = True
        if key == "backspace":
            self._number = self._number[:-1]
            return
        self._number += key if key != "enter" else ""
        name = NodeId(action.named(self._number))
        longer = [node for node in names if node.startswith(name) and node != name]
        if name in names and (not longer or key == "enter"):
            self._stop_asking()
            self._pick(action, view, name)
        elif name not in names and not longer:
            self._stop_asking()
            numbers = ", ".join(one.removeprefix("n") for one in names)
            self._say(f"{action.label}: there is no {name} to do it to; choose one of {numbers}.")

    def _pick(self, action: Action, view: View, name: NodeId) -> None:
        """Do the action to what was chosen."""
        assert action.line is not None
        self._begin(self._do_line(action.line(view, name)))

    def on_input_submitted(self, submitted: Input.Submitted) -> None:
        text = submitted.value.strip()
        self._line.shut()
        if text:
            self._line.typed.append(text)
            self._say("")
            self._do_typed(text.removeprefix(":").strip())

    def _do_typed(self, text: str) -> None:
        """What was typed: something for the lab, or else a line for the cluster."""
        first, _, rest = text.partition(" ")
        if first == "help":
            self._help_on(rest.strip())
        elif first in ("save", "save!"):
            self._save(rest.strip(), overwrite=first == "save!")
        elif first == "goto":
            self._go_to(rest)
        elif action := actions.typed(" ".join(text.split())):
            self.action_act(action.name)
        else:
            self._begin(self._do_line(text))

    def _help_on(self, topic: str) -> None:
        try:
            page = actions.lab_page() if topic == "lab" else help_on(topic)
        except ScriptError as error:
            self._say(f"help {topic}: {error.problems[0].message}.")
        else:
            self._page = lambda _: page

    def _go_to(self, where: str) -> None:
        try:
            self._say(self.driver.go_to(parse_when(where)))
        except UserError as error:
            self._say(f"{error}.")

    def _save(self, name: str, *, overwrite: bool) -> None:
        """Write what was done to a file, and say so."""
        if not name:
            self._say("save: expected the name of a file, such as: save mine.scenario")
            return
        try:
            self.driver.transcript.save(Path(name), overwrite=overwrite)
        except UserError as error:
            self._say(f"{error}.")
        else:
            count = len(self.driver.transcript)
            self._say(f"{counted(count, 'line')} saved; do them again with: kvlab run {quote(name)}")

    # -- what they do ----------------------------------------------------------------------------

    async def _do_line(self, text: str) -> None:
        """Do one line of the scenario language; whatever is wrong with it is said, and nothing is done."""
        self._lines += 1
        line = self._lines
        try:
            if not self.cluster_ready:
                raise UserError("The cluster is still starting; wait until its nodes answer.")
            command = parse_line(text)
            if why := self.why_not_do():
                raise UserError(f"{text} cannot be done now: {why}.")
            if self.driver.behind:  # a slip shall not cost what came after
                members = [node.node for node in self.model.nodes.values() if node.state != "left"]
                Rehearsal(self.driver.config, members).consider(command)
                if notice := await self.driver.branch():
                    self._say(notice, line)
            self._report(await self.driver.do(command), line)
        except ScriptError as error:
            problem = error.problems[0]
            usage = f" Usage: {problem.usage}" if problem.usage else ""
            self._say(f"{text}: {problem.message}.{usage}", line)
        except KvlabError as error:
            self._say(str(error), line)

    def _report(self, step: Step, line: int) -> None:
        """Say what came of a command, where the events do not tell."""
        if result := result_of(step):
            self._say(result, line)
        self._dirty = True

    def _hold(self, held: bool) -> None:
        """Hold time, or let it go on."""
        driver = self.driver
        self._dirty = True
        if not held:
            driver.go_on()
            self._say("")
            return
        driver.hold()
        match driver.moment().kind:
            case "sim":
                self._say(
                    "The simulated world stands still: n and b are steps, space lets it go on. Who does "
                    "something after b begins a branch there."
                )
            case "live":
                self._say("The view is held, the processes go on. b looks back, space catches up with them.")
            case "replay":
                self._say("")

    def _select(self, view: View, by: int) -> None:
        names = list(self.model.operations)
        assert view.op is not None
        at = min(max(0, view.op.place - 1 + by), len(names) - 1)
        self.selected, self._chosen = None if at == len(names) - 1 else names[at], -1
        self.key = None
        self._dirty = True

    def _choose(self, view: View, by: int) -> None:
        """Look at the event before, or after; from the last one on, at whatever comes."""
        assert view.op is not None
        last = len(view.op.events) - 1
        at = max(0, (last if self._chosen < 0 else self._chosen) + by)
        self._chosen = at if at < last else -1
        self._dirty = True


def theme_for(*, ascii: bool) -> Theme:
    """What this terminal can show: NO_COLOR, and a locale or an encoding without Unicode, are honoured."""
    encoding = (getattr(sys.__stdout__, "encoding", None) or "").lower()
    plain = not encoding.startswith("utf") or locale_asked_for(os.environ) in ("C", "POSIX")
    return Theme(colour=not os.environ.get("NO_COLOR"), ascii=ascii or plain)


def locale_asked_for(environ: Mapping[str, str]) -> str:
    """The locale of characters as its user has set it, "" if not at all.

    Python writes UTF-8 also where that is C, and says so in LC_CTYPE (PEP 538): that is not the user's word.
    """
    ctype = environ.get("LC_CTYPE", "")
    if ctype in ("C.UTF-8", "C.utf8", "UTF-8") and environ.get("LANG") in ("C", "POSIX"):
        ctype = ""
    return environ.get("LC_ALL") or ctype or environ.get("LANG", "")


async def run_lab(app: LabApp) -> None:
    """Run the lab to its end. Every node is ended too, and the terminal is as it was.

    Raises LabCrashed, once a report is written, for what nobody expected.
    """
    try:
        await app.run_async()
    finally:
        await app.shut_down()
    if isinstance(app.failure, KvlabError):
        raise app.failure
    if app.failure is not None:
        raise app.crash(app.failure) from app.failure
