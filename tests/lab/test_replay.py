"""A recording in the lab: it plays, can be held, stepped and searched; and files that are none."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from textual.pilot import Pilot

from kvlab.cli import main
from kvlab.lab.app import LabApp
from kvlab.lab.crash import crashed
from kvlab.lab.draw.screen import DRAWN
from kvlab.lab.driver import Driver
from kvlab.lab.replay import ReplayDriver
from kvlab.trace.events import AnyEvent
from kvlab.trace.recording import Recorder, Recording
from tests.lab.stories import births, config, cut, death, put
from tests.lab.test_lab import lab, shows, sim, text, type_line, until

STORY = [*births(), *put(), *death("n3", 2000), *cut(4000), *put("n1.0.2", 6000, b"tea", silent="n3")]


def recorded(path: Path, told: list[AnyEvent] = STORY) -> Path:
    with Recorder(path, config(), "process") as record:
        for event in told:
            record(event)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return recorded(tmp_path / "run.kvlab")


def replayed(path: Path) -> ReplayDriver:
    return ReplayDriver(Recording(path))


# -- in the lab --------------------------------------------------------------------------------------


def test_it_plays_from_the_start_and_can_be_held_stepped_searched_and_played_again(run: Path) -> None:
    driver = replayed(run)

    async def look(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "REPLAY 00:00.", "5/5 up")
        await pilot.press("space")
        await shows(pilot, app, "PAUSED")
        await type_line(pilot, "goto 2.0s")
        await shows(pilot, app, "REPLAY 00:02.0 PAUSED", "4/5 up", "n3 was killed", "> kill n3")
        await pilot.press("b")
        await shows(pilot, app, "5/5 up")
        await pilot.press("n", "greater_than_sign")
        await shows(pilot, app, "REPLAY 00:04.0", "The network is cut")
        await pilot.press("less_than_sign")
        await shows(pilot, app, "REPLAY 00:02.0", "4/5 up")
        await type_line(pilot, "goto partition")
        await shows(pilot, app, "At 00:04.0: partition n1 n2 | n3 n4 n5.")
        await type_line(pilot, "goto kill")
        await shows(pilot, app, "None after this; the first from the start is at 00:02.0: kill n3.")
        await pilot.press("end")
        await shows(pilot, app, "REPLAY 00:07.5 END", "The recording ends here", "perhaps written")
        await pilot.press("plus", "plus", "plus", "plus", "space")
        await shows(pilot, app, "REPLAY 00:0", "x16")
        await until(pilot, app, lambda: "END" in text(app), "the end")

    lab(look, driver, first_put=False)


def test_nothing_can_be_done_to_a_recording_and_each_key_says_so(run: Path) -> None:
    async def try_keys(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("space", "k")
        await shows(pilot, app, "k (kill) cannot be used now: a recording only shows what was; kvlab lab 4")
        await type_line(pilot, "put k 1")
        await shows(pilot, app, "put k 1 cannot be done now: a recording only shows what was")
        await pilot.press("4", "d")
        await shows(pilot, app, "d (drop) cannot be used now: a recording only shows what was")
        assert "k kill" not in text(app)

    lab(try_keys, replayed(run), first_put=False)


def test_it_shows_what_the_lab_showed_in_every_tab(tmp_path: Path) -> None:
    path = tmp_path / "run.kvlab"
    pictures: dict[str, list[str]] = {}

    async def leaf(pilot: Pilot[None], app: LabApp) -> None:
        """Draw each tab, without the rows around it that tell of time and keys."""
        for tab in "123456":
            await pilot.press(tab)
            await until(pilot, app, lambda: app._source is not None or app.tab != "code", "the code")
            picture = DRAWN[app.tab](app.view(), (120, 34), app.look)
            pictures.setdefault(tab, []).append("\n".join(picture.text()))

    async def live(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("w")
        await shows(pilot, app, "✓ ok")
        await pilot.press("k", "3")
        await shows(pilot, app, "4/5 up")
        await pilot.press("k", "5")
        await shows(pilot, app, "3/5 up")
        await type_line(pilot, "goto kill n3")
        await shows(pilot, app, "4/5 up")
        await leaf(pilot, app)

    async def again(pilot: Pilot[None], app: LabApp) -> None:
        await type_line(pilot, "goto kill n3")
        await shows(pilot, app, "REPLAY", "4/5 up")
        await leaf(pilot, app)

    lab(live, sim(), first_put=False, recorder=Recorder(path, config(), "sim"))
    lab(again, replayed(path), first_put=False)
    for tab, (was, is_now) in pictures.items():
        assert was == is_now, tab


def test_a_recording_that_was_cut_off_opens_up_to_there_and_says_so(run: Path) -> None:
    run.write_bytes(run.read_bytes()[:-30])

    async def look(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "The recording was cut off in the middle of a line, after 00:06.")

    lab(look, replayed(run), first_put=False)


def test_what_a_crash_has_left_can_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    driver: Driver = replayed(recorded(tmp_path / "run.kvlab"))
    crashed(ValueError("so"), driver.config, "process", list(driver.timeline.told()), "")
    again = replayed(next((tmp_path / "kvlab").glob("crash-*.kvlab")))
    assert list(again.timeline) == STORY


def test_it_says_what_is_left_out_of_a_recording_that_is_too_long(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kvlab.lab.replay.EVENTS_MAX", 20)
    monkeypatch.setattr("kvlab.lab.timeline.CHUNK", 10)
    driver = replayed(run)
    assert "left out here" in asyncio.run(driver.start())
    assert driver.shown_ms() == driver.timeline.first_ms > 0


# -- the command -------------------------------------------------------------------------------------


def test_without_a_screen_it_is_told_in_sentences(run: Path) -> None:
    done = CliRunner().invoke(main, ["replay", str(run), "--plain"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "The cluster: cluster stage=4 vnodes=8 timeout=1500ms"
    assert "2.0 s: n3 was killed: its process is gone, and with it all that it held in memory." in lines
    assert [line for line in lines if line.startswith("4.0 s: The network is cut")]


def test_links_that_changed_together_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "run.kvlab"
    scenario = tmp_path / "slow.scenario"
    scenario.write_text("cluster stage=4\nslow n1 300ms\nput k 1 via n2\n")
    done = CliRunner().invoke(main, ["run", str(scenario), "--world", "sim", "--record", str(path)])
    assert done.exit_code == 0, done.output
    lines = CliRunner().invoke(main, ["replay", str(path), "--plain"]).output.splitlines()
    assert [line for line in lines if "ms more from now on" in line] == [
        "0.0 s: All that n1 sends and receives takes 300 ms more from now on."
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "line 1: a recording begins with"),
        (b"cluster stage=4\n", "line 1: a recording begins with"),
        (b'{"kvlab":9}\n', "is in format 9, and this kvlab reads formats up to 1"),
        (b'{"kvlab":1,"stage":4}\n', "line 1: a recording begins with"),
    ],
)
@pytest.mark.parametrize("flags", [[], ["--plain"]])
def test_a_file_that_is_no_recording_is_refused(
    content: bytes, why: str, flags: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "some.scenario"
    path.write_bytes(content)
    done = CliRunner().invoke(main, ["replay", str(path), *flags])
    assert done.exit_code == 2
    assert why in done.output
    assert "cannot read" in CliRunner().invoke(main, ["replay", str(tmp_path / "none")]).output


def test_a_damaged_one_is_refused_by_its_line_and_what_is_whole_can_be_kept(run: Path) -> None:
    lines = run.read_bytes().splitlines(keepends=True)
    run.write_bytes(b"".join([*lines[:4], b'{"type":"Nonsense"}\n', *lines[4:]]))
    done = CliRunner().invoke(main, ["replay", str(run), "--plain"])
    assert done.exit_code == 2
    assert "line 5: expected an event such as" in done.output
    assert f"head -n 4 {run} > another.kvlab" in done.output


def test_somebodys_own_code_is_not_needed_to_look_at_what_it_did(tmp_path: Path) -> None:
    path = tmp_path / "run.kvlab"
    own = msgspec.structs.replace(config(6), resolve="gone:merge", mine=str(tmp_path / "gone.py"))
    with Recorder(path, own, "sim") as record:
        for event in births():
            record(event)
    assert replayed(path).config == own


def test_a_cluster_that_cannot_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.kvlab"
    with Recorder(path, msgspec.structs.replace(config(), nodes=99), "sim"):
        pass
    done = CliRunner().invoke(main, ["replay", str(path), "--plain"])
    assert done.exit_code == 2
    assert "line 1: there is no such cluster" in done.output
