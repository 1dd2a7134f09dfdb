"""Places in time as a person names them: `12.4s`, `1:05`, `+2s`, `step 41`, `start`, `end`, `kill n3`.

And which events one stops at: heartbeats would be most of them, and hardly ever what one looks for.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

from kvlab.errors import UserError
from kvlab.lab.draw.canvas import shown
from kvlab.trace.events import (
    AnyEvent,
    Believed,
    ClockSkewed,
    Delivered,
    EventsLost,
    Exchanged,
    Hinted,
    Locked,
    MessageDropped,
    NodeDied,
    NodeFault,
    NodeKilled,
    NodeLeft,
    NodePaused,
    NodeReady,
    NodeResumed,
    OpEnded,
    OpStarted,
    Overwritten,
    Partitioned,
    RingChanged,
    Said,
    Sent,
    Used,
)
from kvlab.trace.model import HEARTBEATS

EXPECTED = "expected a time (12.4s, 1:05, +2s), step 41, start, end, or a word of what happened (kill n3)"


class AtTime(msgspec.Struct, frozen=True):
    """So many milliseconds after the start of the world, or after what is shown."""

    ms: float
    relative: bool = False


class AtStep(msgspec.Struct, frozen=True):
    """The end of this step of the simulator."""

    number: int


class AtStart(msgspec.Struct, frozen=True):
    """As far back as can be looked."""


class AtEnd(msgspec.Struct, frozen=True):
    """The last that is known."""


class AtText(msgspec.Struct, frozen=True):
    """The next event that has this in what is told of it."""

    text: str


When: TypeAlias = AtTime | AtStep | AtStart | AtEnd | AtText

_UNITS = {"ms": 1.0, "s": 1000.0, "": 1000.0, "m": 60_000.0}


def parse_when(text: str) -> When:
    """What is meant by this. Raises UserError if that is nothing."""
    text = " ".join(text.split()).removeprefix(
        "goto "
    )  # typed again after / by whoever copies the whole line
    if not text:
        raise UserError(f"goto: {EXPECTED}")
    if text in ("start", "end"):
        return AtStart() if text == "start" else AtEnd()
    if found := re.fullmatch(r"step (\d+)", text):
        return AtStep(int(found[1]))
    if found := re.fullmatch(r"(?:(\d+):)?(\d+):(\d\d(?:\.\d+)?)", text):
        hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return AtTime(((hours * 60 + minutes) * 60 + seconds) * 1000)
    if found := re.fullmatch(r"([+-]?)(\d+(?:\.\d+)?) ?(ms|s|m|)", text):
        ms = float(found[2]) * _UNITS[found[3]]
        return AtTime(-ms if found[1] == "-" else ms, relative=bool(found[1]))
    return AtText(text)


# -- which events one stops at -------------------------------------------------------------------

_NEWS = (
    NodeReady, NodeKilled, NodeDied, NodePaused, NodeResumed, NodeLeft, NodeFault, OpStarted, OpEnded,
    RingChanged, Locked, Overwritten, Partitioned, ClockSkewed, Believed, Hinted, Said, EventsLost,
)  # fmt: skip


def is_step(event: AnyEvent) -> bool:
    """Whether it is one that a person steps to."""
    if isinstance(event, Sent | Delivered | MessageDropped):
        return event.kind not in HEARTBEATS
    return not isinstance(event, Used)


def is_news(event: AnyEvent) -> bool:
    """Whether somebody would tell of it."""
    return isinstance(event, _NEWS) or (isinstance(event, Exchanged) and event.keys > 0)


def said(event: AnyEvent) -> str:
    """An event in some words, to be searched: those of a line, or its kind, its node and its key."""
    for field in ("line", "text"):
        if isinstance(text := getattr(event, field, None), str) and text:
            return text
    words = [type(event).__name__, event.node, getattr(event, "kind", ""), getattr(event, "peer", "")]
    words += [shown(value) for field in ("key", "value") if (value := getattr(event, field, None))]
    return " ".join(str(word) for word in words if word)
