"""ReplayDriver: a recording in the lab. There is no cluster, only the log of one, and a cursor that plays.

The same model is folded from the same events as when it was live, and so the same pictures are drawn.
"""

from __future__ import annotations

import asyncio

import msgspec
from msgspec.structs import replace

from kvlab import stages
from kvlab.config import ClusterConfig
from kvlab.errors import UserError
from kvlab.lab.driver import SPEEDS, Driver
from kvlab.lab.timeline import Timeline
from kvlab.lab.transcript import Transcript
from kvlab.lab.view import Moment, clock
from kvlab.script.commands import Command
from kvlab.script.session import Step
from kvlab.trace.recording import BadRecording, Recording

EVENTS_MAX = 2_000_000
"""Some 900 MB. Of a longer recording the last part can be looked at."""


class ReplayDriver(Driver):
    """A recorded cluster: it plays at once, can be held, and looked at anywhere."""

    speeds = (*SPEEDS, 16.0, 32.0, 64.0)

    def __init__(self, recording: Recording) -> None:
        """Reads all of it, some 200,000 events a second. Raises BadRecording if it cannot be understood."""
        super().__init__()
        self.config, self.kind = checked(recording), recording.header.world
        self.timeline = Timeline(self.config, limit=EVENTS_MAX)
        self.transcript = Transcript(self.config)
        for event in recording:
            self.timeline.append(event)
        if not self.timeline.end:
            raise BadRecording(f"{recording.path} is the beginning of a recording: no event is in it")
        self._cut_off = recording.cut_off
        self._playing = True
        self.timeline.seek(0)
        self._at_ms = self.timeline.first_ms

    async def start(self) -> str:
        """Nothing is to be started; that the end was cut off is said."""
        if self._cut_off:
            return f"The recording was cut off in the middle of a line, after {clock(self.timeline.end_ms)}."
        if self.timeline.first:
            return f"A long recording: what was before {clock(self.timeline.first_ms)} is left out here."
        return ""

    async def close(self) -> None:
        """Nothing runs."""

    def do(self, command: Command) -> asyncio.Future[Step]:
        raise UserError(self.why_not_do())

    def why_not_do(self) -> str:
        return f"a recording only shows what was; kvlab lab {self.config.stage} is a cluster to try it on"

    # -- time ------------------------------------------------------------------------------------

    @property
    def held(self) -> bool:
        return not self._playing

    @property
    def behind(self) -> bool:
        return True  # all of it is the past

    def hold(self) -> None:
        self._playing = False

    def go_on(self) -> None:
        """Play: from the start, if this is the end."""
        if self.timeline.at == self.timeline.end:
            self.to_start()
        self._playing = True

    def seek(self, place: int) -> None:
        super().seek(place)
        self._at_ms = max(self.model.at_ms, self.timeline.first_ms)

    def shown_ms(self) -> float:
        return self._at_ms

    def tick(self, elapsed_s: float) -> bool:
        if not self._playing:
            return False
        self._at_ms += elapsed_s * 1000 * self.speed
        self.timeline.play_to(self._at_ms)
        if self.timeline.at == self.timeline.end:
            self._playing, self._at_ms = False, self.timeline.end_ms
        return True

    def moment(self) -> Moment:
        return msgspec.structs.replace(super().moment(), kind="replay")


def checked(recording: Recording) -> ClusterConfig:
    """The cluster that was recorded. Raises BadRecording if there is no such cluster."""
    config = recording.header.config
    usual = ClusterConfig(stage=config.stage)
    try:  # somebody's own code need not be there any more: nothing runs
        found = stages.checked(replace(config, mine=None, resolve=usual.resolve))
    except UserError as error:
        raise BadRecording(f"{recording.path}, line 1: there is no such cluster: {error}") from None
    return replace(found, mine=config.mine, resolve=config.resolve)
