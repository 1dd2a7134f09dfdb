"""The start screen as an application: it returns the stage that was chosen, or None."""

from __future__ import annotations

from typing import ClassVar

from textual import events as ui
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType

from kvlab.lab.canvas_widget import LabCanvas
from kvlab.lab.draw.start import Known, next_stage, start_screen
from kvlab.lab.draw.theme import BACKGROUND, Theme
from kvlab.lab.leaving import leave_at_signals
from kvlab.stages import STAGES


class StartApp(App[int]):
    """Nine stages, of which one is chosen."""

    TITLE = "kvlab"
    ENABLE_COMMAND_PALETTE = False
    CSS = f"""
    Screen {{ background: {BACKGROUND}; overflow: hidden; }}
    LabCanvas {{ width: 100%; height: 100%; background: {BACKGROUND}; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,left,k", "move(-1)", show=False),
        Binding("down,right,j", "move(1)", show=False),
        Binding("enter", "open", show=False),
        Binding("q,escape", "exit", show=False),
        Binding("ctrl+c", "exit", show=False, priority=True),
    ]

    def __init__(self, known: Known, theme: Theme) -> None:
        super().__init__()
        self.known, self.look = known, theme
        self.at = next_stage(known)
        self._canvas = LabCanvas()

    def compose(self) -> ComposeResult:
        yield self._canvas

    def on_mount(self) -> None:
        leave_at_signals(self)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        self._canvas.show(start_screen(self.known, self.at, (self.size.width, self.size.height), self.look))

    def on_key(self, event: ui.Key) -> None:
        if event.key in {str(stage.number) for stage in STAGES}:
            self.at = int(event.key)
            self._draw()

    def on_click(self, event: ui.Click) -> None:
        number = event.y - 3
        if number in {stage.number for stage in STAGES}:
            self.at = number
            self._draw()

    def action_move(self, by: int) -> None:
        built = [stage.number for stage in STAGES]
        self.at = built[(built.index(self.at) + by) % len(built)]
        self._draw()

    def action_open(self) -> None:
        self.exit(self.at)

    def action_exit(self) -> None:
        self.exit()
