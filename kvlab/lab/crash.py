"""A crash of the lab itself: what is left for whoever mends it.

A report to be read, and beside it a recording of what the log still held (`kvlab replay` opens it), both in
the state folder. The nodes are ended first, whatever happens here.
"""

from __future__ import annotations

import platform
import traceback
from collections.abc import Sequence
from datetime import datetime

import msgspec

from kvlab import __version__
from kvlab.config import ClusterConfig
from kvlab.errors import KvlabError
from kvlab.lab import state
from kvlab.trace.events import AnyEvent
from kvlab.trace.recording import Recorder

EVENTS_SHOWN = 40


class LabCrashed(KvlabError):
    """The lab met what nobody expected; the message says where the report is."""


def crashed(
    error: BaseException, config: ClusterConfig, world: str, events: Sequence[AnyEvent], scenario: str
) -> LabCrashed:
    """Write report and recording, as far as that can be done, and return what is to be raised.

    `world` is process or sim; `scenario` is what was done, as lines.
    """
    what = f"the lab itself has failed: {type(error).__name__}: {error}. Every node has been ended."
    name = state.folder() / f"crash-{datetime.now():%Y-%m-%d-%H%M%S}"
    report, recording = name.with_suffix(".txt"), name.with_suffix(".kvlab")
    try:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(_report(error, config, world, events, scenario), encoding="utf-8", errors="replace")
        with Recorder(recording, config, world) as record:
            for event in events:
                record(event)
        if record.failed:
            raise KvlabError(record.failed)
    except (OSError, KvlabError) as unwritten:
        traceback.print_exception(error)  # then it has to be told here
        return LabCrashed(f"{what} No report could be written: {unwritten}.")
    return LabCrashed(f"{what}\nThe report:    {report}\nThe recording: {recording} (kvlab replay)")


def _report(
    error: BaseException, config: ClusterConfig, world: str, events: Sequence[AnyEvent], scenario: str
) -> str:
    from importlib import metadata  # takes long to import, and no lab should wait for it

    versions = {"kvlab": __version__, "Python": platform.python_version(), "system": platform.platform()}
    versions |= {name: metadata.version(name) for name in ("textual", "rich", "msgspec")}
    settings = msgspec.structs.asdict(config)
    last = list(events)[-EVENTS_SHOWN:]
    parts = {
        "WHAT FAILED": "".join(traceback.format_exception(error)),
        "VERSIONS": "\n".join(f"{name} {version}" for name, version in versions.items()),
        f"THE CLUSTER ({world})": "\n".join(f"{name} = {value!r}" for name, value in settings.items()),
        "WHAT WAS DONE": scenario,
        f"THE LAST {len(last)} OF {len(events)} EVENTS": "\n".join(map(str, last)),
    }
    return "\n".join(f"{title}\n\n{text.rstrip()}\n" for title, text in parts.items())
