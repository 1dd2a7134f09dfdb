"""Timeline: all that a cluster has told, and a cursor into it.

    timeline = Timeline(config)
    timeline.append(event)     # at its end; the cursor follows, unless it is held
    timeline.seek(k)           # look at the cluster as it was after its first k events
    timeline.model             # what the cursor shows
    timeline.follow()          # back to the end

Nothing that was told ever changes, so that looking back is a matter of folding again: a chunk of events is
kept with a copy of the model as it was before it, and from there it is at most one chunk to anywhere.

Memory is bounded: beyond `limit` events the oldest chunk is dropped, and `first` says how many went with it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from kvlab.config import ClusterConfig
from kvlab.trace.events import AnyEvent
from kvlab.trace.model import Model, retold

CHUNK = 3000
"""Events from one copy of the model to the next: some milliseconds of folding. A copy costs as much."""
EVENTS_MAX = 30_000
"""13 to 17 MB. A cluster of five in which nodes gossip tells some 200 a second: two and a half minutes."""


class Chunk(msgspec.Struct):
    """`model` is as it was before the first of these events, and nobody changes it."""

    model: Model
    events: list[AnyEvent]
    steps: list[int]


class Timeline:
    """The log of one cluster. A place in it is a number of events, those that were told before it."""

    def __init__(self, config: ClusterConfig, limit: int = EVENTS_MAX) -> None:
        self.config = config
        self.first = 0
        """The earliest place that can still be looked at: so many events have been dropped."""
        self.end = 0
        """The last place: how many events were told in all."""
        self._limit = limit
        self._newest = Model(config)
        self._chunks: deque[Chunk] = deque([Chunk(self._newest.copy(), [], [])])
        self._back: Model | None = None  # what the cursor shows, when it is held
        self._at = 0

    def append(self, event: AnyEvent, step: int = 0) -> None:
        """One more event. `step` counts what the simulator has done (its moves), and never goes down."""
        chunk = self._chunks[-1]
        if len(chunk.events) == CHUNK:
            chunk = Chunk(self._newest.copy(), [], [])
            self._chunks.append(chunk)
            if self.end - self.first > self._limit:
                self.first += len(self._chunks.popleft().events)
        chunk.events.append(event)
        chunk.steps.append(step)
        self._newest.apply(event)
        self.end += 1

    # -- the cursor ------------------------------------------------------------------------------

    @property
    def first_ms(self) -> float:
        """From when on one can look back."""
        return self._chunks[0].model.at_ms

    @property
    def end_ms(self) -> float:
        """The time of the latest event."""
        return self._newest.at_ms

    @property
    def model(self) -> Model:
        """The cluster as it was at the cursor."""
        return self._newest if self._back is None else self._back

    @property
    def at(self) -> int:
        """Where the cursor is."""
        return self.end if self._back is None else self._at

    @property
    def held(self) -> bool:
        """Whether the cursor stays where it is when more is told."""
        return self._back is not None

    def hold(self) -> None:
        """Stay here."""
        if self._back is None:
            self._back, self._at = self._newest.copy(), self.end

    def follow(self) -> None:
        """Go to the end, and along with it."""
        self._back = None

    def seek(self, place: int) -> None:
        """Go there and stay, or to the nearest place there is. A few milliseconds at the most."""
        place = min(max(self.first, place), self.end)
        chunk, offset = self._chunk(place)
        begun = place - offset
        if self._back is None or not begun <= self._at <= place:  # no short way from here
            self._back, self._at = chunk.model.copy(), begun
        for event in chunk.events[self._at - begun : offset]:
            self._back.apply(event)
        self._at = place

    def play_to(self, at_ms: float) -> None:
        """Go on, staying behind the end, through all that was told up to this time."""
        place = max(self.at, self.first)
        while place < self.end and self.event(place).at_ms <= at_ms:
            place += 1
        self.seek(place)

    # -- looking for places ----------------------------------------------------------------------

    def event(self, place: int) -> AnyEvent:
        """The event that was told at this place, which is before the end and not before the first."""
        chunk, offset = self._chunk(place)
        return chunk.events[offset]

    def before(self, place: int, wanted: Callable[[AnyEvent], bool]) -> int | None:
        """The last place before this one that follows upon a wanted event; None if there is none."""
        for k in range(min(place, self.end) - 1, self.first, -1):
            if wanted(self.event(k - 1)):
                return k
        return None

    def after(self, place: int, wanted: Callable[[AnyEvent], bool]) -> int | None:
        """The first place after this one that follows upon a wanted event; None if there is none."""
        for k in range(max(place, self.first) + 1, self.end + 1):
            if wanted(self.event(k - 1)):
                return k
        return None

    def place_at(self, at_ms: float) -> int:
        """The place after all that was told up to this time."""
        chunks, place = list(self._chunks), self.first
        while len(chunks) > 1 and chunks[1].model.at_ms <= at_ms:
            place += len(chunks.pop(0).events)
        for event in chunks[0].events:
            if event.at_ms > at_ms:
                break
            place += 1
        return place

    def place_of(self, step: int) -> int:
        """The place after this step of the simulator."""
        found = self.first
        for chunk in self._chunks:
            found += bisect_right(chunk.steps, step)
            if chunk.steps and chunk.steps[-1] > step:
                break
        return found

    def step_at(self, place: int) -> int:
        """The step in which the event before this place was told; 0 if it is not known any more."""
        if place <= self.first:
            return 0
        chunk, offset = self._chunk(place - 1)
        return chunk.steps[offset]

    def told(self) -> Iterator[AnyEvent]:
        """What is kept, after what was known before it, so that it can be understood by itself."""
        if self.first:
            yield from retold(self._chunks[0].model)
        yield from self

    def __iter__(self) -> Iterator[AnyEvent]:
        """What is still kept, the oldest first."""
        for chunk in list(self._chunks):
            yield from chunk.events

    def _chunk(self, place: int) -> tuple[Chunk, int]:
        """The chunk of a place, and how far into it; the end belongs to the last."""
        chunk, offset = divmod(place - self.first, CHUNK)
        if chunk == len(self._chunks):
            return self._chunks[-1], CHUNK
        return self._chunks[chunk], offset
