"""A recording is read back as it was told, and a bad one says which line is bad and what was expected."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest

from kvlab.errors import UserError
from kvlab.messages import NodeId
from kvlab.trace.events import NodeKilled
from kvlab.trace.recording import BadRecording, Recorder, Recording
from tests.lab.stories import behind, births, config, conflict, found_out, mended, put, stood_in, view


def recorded(path: Path) -> Path:
    with Recorder(path, config(), "process") as recorder:
        for event in births() + put():
            recorder(event)
    return path


def test_a_run_is_read_back_as_it_was_told(tmp_path: Path) -> None:
    recording = Recording(recorded(tmp_path / "run.kvlab"))
    assert (recording.header.kvlab, recording.header.stage, recording.header.world) == (1, 4, "process")
    assert recording.header.config == config()
    assert list(recording) == births() + put()
    assert recording.cut_off == ""


def test_a_recording_shows_the_copies_hints_and_beliefs_that_the_run_showed(tmp_path: Path) -> None:
    told = [*births(), *put(), *conflict(), *behind(), *stood_in(), *mended(), *found_out()[1]]
    path = tmp_path / "run.jsonl"
    with Recorder(path, config(9), "sim") as recorder:
        for event in told:
            recorder(event)
    shown, again = view(told, stage=9), view(list(Recording(path)), stage=9)
    assert again.holdings == shown.holdings
    assert again.kept_hints == shown.kept_hints
    assert again.found == shown.found
    assert again.nodes == shown.nodes
    assert any(held.copy is not None for held in again.holdings)


def test_a_cut_off_last_line_is_left_out_and_reported(tmp_path: Path) -> None:
    path = recorded(tmp_path / "run.kvlab")
    path.write_bytes(path.read_bytes()[:-9])
    recording = Recording(path)
    assert list(recording) == (births() + put())[:-1]
    assert "cut off" in recording.cut_off
    assert "line 29" in recording.cut_off


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"rubbish\n", "expected an event"),
        (b'{"type":"NodeKilled","at_ms":"soon","node":"n1"}\n', "at_ms"),
        (b'{"type":"Earthquake","at_ms":1,"node":"n1"}\n', "Earthquake"),
        (b"\xff\xfe\n", "expected an event"),
        (b"\n", "expected an event"),
    ],
)
def test_a_bad_line_is_named_with_its_file_and_number(tmp_path: Path, bad: bytes, said: str) -> None:
    path = recorded(tmp_path / "run.kvlab")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], bad, *lines[3:]]))
    with pytest.raises(BadRecording, match=r"run\.kvlab, line 4: ") as error:
        list(Recording(path))
    assert said in str(error.value)


def test_a_newer_format_is_refused_clearly(tmp_path: Path) -> None:
    path = tmp_path / "new.kvlab"
    path.write_text('{"kvlab":2,"cluster":"unheard of"}\n')
    with pytest.raises(BadRecording, match=r"format 2, and this kvlab reads formats up to 1.*update kvlab"):
        Recording(path)


@pytest.mark.parametrize("first", [b"", b"{}\n", b"PNG\x00\n", b'{"kvlab":1}\n', b"\xff\n"])
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, first: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(first)
    with pytest.raises(BadRecording, match="line 1: a recording begins with"):
        Recording(path)


def test_a_file_that_cannot_be_opened_is_an_error_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match=r"cannot read .*: No such file"):
        Recording(tmp_path / "nowhere")
    with pytest.raises(UserError, match="cannot record to "):
        Recorder(tmp_path / "no" / "folder", config(), "sim")


def test_what_was_told_is_on_the_disk_soon_although_nobody_closes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.kvlab"
    recorder = Recorder(path, config(), "sim")
    recorder(NodeKilled(500.0, NodeId("n1")))
    assert list(Recording(path)) == [NodeKilled(500.0, NodeId("n1"))]
    recorder(NodeKilled(500.1, NodeId("n2")))
    recorder.flush()
    assert len(list(Recording(path))) == 2
    recorder.close()
    recorder.close()


def test_a_disk_that_is_full_ends_the_recording_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.RawIOBase):
        """A file for which there is room for so many bytes, and later for more."""

        written = b""
        room = 4_000

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            if not self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            taken = bytes(data)[: self.room]
            self.room -= len(taken)
            self.written += taken
            return len(taken)

    disk = Full()
    monkeypatch.setattr(Path, "open", lambda *_: io.BufferedWriter(disk, 1000))
    recorder = Recorder(tmp_path / "run.kvlab", config(), "process")
    for event in (births() + put()) * 10:
        recorder(event)
    assert recorder.failed == "No space left on device"
    disk.room = 1_000_000
    recorder(births()[0])  # it would follow a gap
    recorder.keep(3)
    recorder.close()
    recorder.close()
    monkeypatch.undo()
    path = tmp_path / "again.kvlab"
    path.write_bytes(disk.written)
    whole = list(Recording(path))
    assert 10 < len(whole) < 100
    assert whole == ((births() + put()) * 10)[: len(whole)]
