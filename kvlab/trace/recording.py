"""Recordings: a run in a file, one JSON object a line, to be read by people, `jq` and `kvlab`.

    {"kvlab":1,"stage":4,"config":{...},"world":"process","seed":1}
    {"type":"NodeStarting","at_ms":0.1,"node":"n1","zone":"z1","weight":1}
    ...

The first line says what it is; every other is an event (trace/events.py), in the order it was told.
`kvlab` counts the versions of this format. Bytes are in base64, as msgspec writes them.

A recording that was cut off (the disk was full, the recorder was killed) is good up to its last whole
line. A full disk ends the recording and nothing else: the cluster goes on. Anything else that cannot be
understood is an error that names the file and the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType

import msgspec

from kvlab.config import ClusterConfig
from kvlab.errors import UserError
from kvlab.trace.events import AnyEvent

FORMAT = 1
RECORDING_BEGINS = b'{"kvlab":'
"""The first bytes of every recording, of whatever format."""
FLUSH_MS = 200


class BadRecording(UserError):
    """A file that is no recording, or not one that this kvlab understands."""


class Header(msgspec.Struct, frozen=True):
    """The first line. `world` is process or sim."""

    kvlab: int
    stage: int
    config: ClusterConfig
    world: str
    seed: int


class _Version(msgspec.Struct):
    """What every version of the format begins with."""

    kvlab: int


_encoder = msgspec.json.Encoder()
_event_decoder = msgspec.json.Decoder(AnyEvent)
_header_decoder = msgspec.json.Decoder(Header)
_version_decoder = msgspec.json.Decoder(_Version)


class Recorder:
    """A watcher that writes what it is told: `world.watch(recorder)`. To be closed, or used in `with`.

    What it was told is on its way to the disk after at most 200 ms of the cluster's time, or at `flush`.
    """

    def __init__(self, path: Path, config: ClusterConfig, world: str) -> None:
        """Begin a new file, over one that is there. Raises UserError if that cannot be done."""
        self.path = path
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise UserError(f"cannot record to {path}: {error.strerror}") from None
        self._flushed_ms = 0.0
        self.failed = ""
        """Why the recording ends before the run does; "" as long as it does not."""
        self._write(Header(FORMAT, config.stage, config, world, config.seed))
        self.flush()
        if self.failed:
            self.close()
            raise UserError(f"cannot record to {path}: {self.failed}")

    def __call__(self, event: AnyEvent) -> None:
        self._write(event)
        if event.at_ms - self._flushed_ms >= FLUSH_MS:
            self._flushed_ms = event.at_ms
            self.flush()

    def _write(self, line: msgspec.Struct) -> None:
        if self.failed:
            return  # it would follow a gap
        try:
            self._file.write(_encoder.encode(line) + b"\n")
        except OSError as error:
            self._give_up(error)

    def keep(self, events: int) -> None:
        """Forget what came after so many events: the simulator was brought back to where it was then."""
        self.flush()
        if self.failed:
            return
        with self.path.open("rb") as file:
            end = sum(len(line) for line in islice(file, events + 1))
        self._file.seek(end)
        self._file.truncate()

    def flush(self) -> None:
        """Hand everything to the operating system."""
        if self.failed:
            return
        try:
            self._file.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.failed = error.strerror or str(error)

    def close(self) -> None:
        """May be called twice."""
        try:
            self._file.close()
        except OSError as error:  # it is closed all the same
            self._give_up(error)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Recording:
    """A recorded run: its header at once, its events as they are asked for.

    recording = Recording(path)
    for event in recording: ...
    if recording.cut_off: ...
    """

    def __init__(self, path: Path) -> None:
        """Raises BadRecording if there is no such file, or it does not begin as a recording does."""
        self.path = path
        self.cut_off = ""
        """Once the events are read: what is known of an unfinished last line, "" if there was none."""
        try:
            with path.open("rb") as file:
                first = file.readline()
        except OSError as error:
            raise BadRecording(f"cannot read {path}: {error.strerror}; expected a recording") from None
        self.header = self._header(first)

    def _header(self, line: bytes) -> Header:
        expected = f'a recording begins with {{"kvlab":{FORMAT},"stage":...,"config":...}}'
        try:
            version = _version_decoder.decode(line).kvlab
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            hint = "; a .scenario is for kvlab run" if self.path.suffix == ".scenario" else ""
            raise BadRecording(f"{self.path}, line 1: {expected}, and this does not: {error}{hint}") from None
        if version > FORMAT:
            raise BadRecording(
                f"{self.path} is in format {version}, and this kvlab reads formats up to {FORMAT}; "
                "it was recorded by a newer one: update kvlab"
            )
        try:
            return _header_decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise BadRecording(f"{self.path}, line 1: {expected}: {error}") from None

    def __iter__(self) -> Iterator[AnyEvent]:
        """The events in order. Raises BadRecording at a line that is none; a cut-off last one is left out."""
        self.cut_off = ""
        with self.path.open("rb") as file:
            file.readline()
            for number, line in enumerate(file, start=2):
                if not line.endswith(b"\n"):
                    self.cut_off = f"{self.path}, line {number}: cut off after {len(line)} bytes; left out"
                    return
                try:
                    yield _event_decoder.decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    whole = number - 1
                    raise BadRecording(
                        f"{self.path}, line {number}: expected an event such as "
                        f'{{"type":"NodeKilled","at_ms":12.5,"node":"n1"}}: {error}. '
                        f"What is before it can be kept: head -n {whole} {self.path} > another.kvlab"
                    ) from None
