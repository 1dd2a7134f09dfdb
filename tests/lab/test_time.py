"""Time in the lab: looking back, stepping, and branching in the simulator; looking back on real processes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from kvlab.errors import UserError
from kvlab.lab import timeline
from kvlab.lab.actions import ACTIONS, find
from kvlab.lab.app import LabApp
from kvlab.lab.driver import LiveDriver, SimDriver
from kvlab.lab.view import Moment, View, clock
from kvlab.lab.when import AtEnd, AtStart, AtStep, AtText, AtTime, When, parse_when
from kvlab.messages import NodeId
from kvlab.script.parse import parse_line
from kvlab.trace.events import AnyEvent, Said, Sent, Used
from kvlab.trace.recording import Recorder, Recording
from kvlab.world.sim import SimWorld
from tests.lab.stories import births, config, put, view
from tests.lab.test_lab import lab, shows, sim, text, type_line, until

# -- what the screen says of time ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "badge"),
    [
        (Moment(), "LIVE"),
        (Moment(held=True, behind=True, place=100, end=412), "PAUSED +312"),
        (Moment(held=True, behind=True, place=100, end=100), "PAUSED +0"),
        (Moment(kind="sim", step=41, steps=41), "SIM step 41"),
        (Moment(kind="sim", step=41, steps=41, speed=0.25), "SIM step 41 x0.25"),
        (Moment(kind="sim", step=41, steps=41, held=True), "SIM step 41 PAUSED"),
        (Moment(kind="sim", step=41, steps=97, held=True, behind=True), "SIM step 41 of 97"),
        (
            Moment(kind="sim", step=41, steps=97, held=True, behind=True, again=7),
            "SIM again 7 of 41, Esc: stop",
        ),
        (Moment(kind="replay", at_ms=12_430, behind=True, end=5), "REPLAY 00:12.4"),
        (Moment(kind="replay", at_ms=12_430, behind=True, end=5, speed=4), "REPLAY 00:12.4 x4"),
        (Moment(kind="replay", at_ms=12_430, behind=True, end=5, held=True), "REPLAY 00:12.4 PAUSED"),
        (Moment(kind="replay", at_ms=12_430, behind=True, end=5, place=5, held=True), "REPLAY 00:12.4 END"),
    ],
)
def test_a_badge_says_where_in_time_one_is(moment: Moment, badge: str) -> None:
    assert moment.badge == badge


def test_times_have_minutes_and_if_need_be_hours() -> None:
    assert [clock(ms) for ms in (0, 950, 65_250, 3_600_000)] == ["00:00.0", "00:00.9", "01:05.2", "1:00:00.0"]


@pytest.mark.parametrize(
    ("typed", "when"),
    [
        ("12.4s", AtTime(12_400)),
        ("900ms", AtTime(900)),
        ("3", AtTime(3000)),
        ("2m", AtTime(120_000)),
        ("1:05.5", AtTime(65_500)),
        ("1:00:01", AtTime(3_601_000)),
        ("+2s", AtTime(2000, relative=True)),
        ("-500ms", AtTime(-500, relative=True)),
        (" step  41", AtStep(41)),
        ("start", AtStart()),
        ("end", AtEnd()),
        ("kill n3", AtText("kill n3")),
        ("goto kill n3", AtText("kill n3")),
    ],
)
def test_a_place_in_time_is_named_as_people_do(typed: str, when: When) -> None:
    assert parse_when(typed) == when


def test_no_place_in_time_is_an_error_that_says_what_is_expected() -> None:
    with pytest.raises(UserError, match="expected a time"):
        parse_when("  ")


# -- which keys can be used --------------------------------------------------------------------------

PAST = Moment(held=True, behind=True, place=16, end=328)


def looking_back(kind: str, why: str = "") -> View:
    return view(births(), put(), moment=msgspec.structs.replace(PAST, kind=kind), why_not_do=why)


@pytest.mark.parametrize("name", [action.name for action in ACTIONS if action.line is not None])
def test_the_past_of_real_processes_cannot_be_changed_and_every_such_key_says_so(name: str) -> None:
    assert find(name).refusal(looking_back("live", "the past")).startswith(("the past", "open its tab"))
    assert find(name).refusal(looking_back("sim")) != "the past"


def test_steps_are_grey_only_where_there_is_none() -> None:
    assert "b looks back" in find("step").refusal(view(births()))
    assert not find("step").refusal(looking_back("live"))
    assert "this is the present" in find("following").refusal(view(births()))
    assert not find("following").refusal(looking_back("live"))
    assert "this is the present" in find("end").refusal(view(births()))
    assert "own pace" in find("faster").refusal(looking_back("live"))
    assert not find("faster").refusal(looking_back("replay"))


# -- the simulator -----------------------------------------------------------------------------------


def test_looking_back_shows_in_every_tab_what_was_there() -> None:
    async def look(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("space")
        for key in ("w", "k"):
            await pilot.press(key)
        await pilot.press("3")
        await shows(pilot, app, "4/5 up", "n3 was killed")
        present, steps = app.driver.moment(), app.driver.moment().steps
        await pilot.press("less_than_sign")
        await shows(pilot, app, "5/5 up")
        assert app.driver.behind
        while app.model.operations:
            await pilot.press("b")
        await shows(pilot, app, f"of {steps}", "branch at step")
        for tab in "23456":
            await pilot.press(tab)
            await shows(pilot, app, f"SIM step {app.driver.moment().step} of")
            assert "milk" not in text(app)
        await pilot.press("1", "end")
        await shows(pilot, app, "4/5 up", f"SIM step {steps} PAUSED")
        assert app.driver.moment() == present

    lab(look, first_put=False)


def test_a_step_back_and_a_step_on_show_the_same_again() -> None:
    async def step(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("space", "w")
        seen = []
        for _ in range(6):
            await pilot.press("n")
            seen.append((app.driver.moment().step, text_of(app)))
        await pilot.press(*["b"] * 5)
        assert (app.driver.moment().step, text_of(app)) == seen[0]
        for was in seen[1:]:
            await pilot.press("n")
            assert (app.driver.moment().step, text_of(app)) == was
        assert not app.driver.behind
        await pilot.press("home")
        await shows(pilot, app, "This is where it began", "none has ended yet")
        await pilot.press("b")
        await shows(pilot, app, "This is where it began")

    lab(step, first_put=False)


def test_an_operation_that_was_chosen_stays_while_one_goes_back() -> None:
    async def stay(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        for value in ("milk", "bread", "eggs"):
            await pilot.press("w")
            await shows(pilot, app, f"cart:42 = {value} is written")
        await pilot.press("left_square_bracket", "left_square_bracket")
        await shows(pilot, app, "1/3")
        while len(app.model.operations) == 3:
            await pilot.press("b")
        await shows(pilot, app, "1/2")
        await pilot.press("end")
        await shows(pilot, app, "3/3")

    lab(stay, first_put=False)


def text_of(app: LabApp) -> str:
    """What is drawn of the cluster, without time."""
    shown = app.view()
    return f"{shown.nodes} {shown.op} {shown.holdings}"


def test_what_is_done_in_the_past_begins_a_branch_there(tmp_path: Path) -> None:
    path = tmp_path / "run.kvlab"

    async def branch(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("space", "w")
        while not any(op.outcome for op in app.model.operations.values()):
            await pilot.press("n")
        first = app.driver.moment()
        await pilot.press("k", "3")
        await shows(pilot, app, "4/5 up")
        await type_line(pilot, f"goto step {first.step - 2}")
        await shows(pilot, app, f"SIM step {first.step - 2} of {first.steps}", "5/5 up")
        told = [event for event in app.driver.timeline][: app.driver.timeline.at]
        await type_line(pilot, "kil n5")  # a slip costs nothing
        await shows(pilot, app, "the nearest is `kill`", f"of {first.steps}")
        await type_line(pilot, "kill n77")
        await shows(pilot, app, "there is no node 'n77'", f"of {first.steps}")
        await pilot.press("k", "5")
        await shows(pilot, app, "4/5 up", "n5 was killed", f"SIM step {first.step - 2} PAUSED")
        assert list(app.driver.timeline)[: len(told)] == told
        assert app.model.nodes[NodeId("n3")].state == "up", "the kill of n3 was undone"
        await pilot.press("space", "w")
        await shows(pilot, app, "cart:42 = bread is written")
        lines = app.driver.transcript.scenario()
        assert "kill n3" not in lines
        assert lines.index("put cart:42 milk") < lines.index("kill n5") < lines.index("put cart:42 bread")

    app = lab(branch, first_put=False, recorder=Recorder(path, config(), "sim"))
    assert list(Recording(path)) == list(app.driver.timeline), "the file tells of one run alone"


def test_what_was_under_way_at_a_branch_still_comes_to_an_end_and_what_came_after_never_does() -> None:
    async def run() -> None:
        driver = SimDriver(SimWorld(config()))
        starting = asyncio.ensure_future(driver.start())
        while not starting.done():
            driver.tick(0.05)
            await asyncio.sleep(0)
        driver.hold()
        before = driver.do(parse_line("put k 1"))
        driver.step()
        driver.step()
        place = driver.timeline.at
        after = driver.do(parse_line("put k 2"))
        driver.step()
        driver.seek(place)
        said = await driver.branch()
        assert f"at step {driver.moment().step}" in said
        assert await driver.branch() == "", "the present is no branch"
        assert after.cancelled()
        assert not before.done()
        while not before.done():
            driver.step()
        assert before.result().outcome == "ok"
        assert driver.transcript.scenario().count("put k") == 1

    asyncio.run(run())


def test_a_stage_that_uses_chance_of_its_own_is_found_out_at_a_branch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> str:
        driver = SimDriver(SimWorld(config()))
        starting = asyncio.ensure_future(driver.start())
        while not starting.done():
            driver.tick(0.05)
            await asyncio.sleep(0)
        driver.hold()
        driver.do(parse_line("put k 1"))
        for _ in range(5):
            driver.step()
        driver.back()
        monkeypatch.setattr("kvlab.world.sim.network.DELAY_MS_SPREAD", 9.0)  # not as it was
        return await driver.branch()

    assert "did not come to the same step" in asyncio.run(run())


def test_while_a_branch_is_made_the_badge_says_how_far_it_is() -> None:
    async def run() -> list[str]:
        driver = SimDriver(SimWorld(config(7)))
        starting = asyncio.ensure_future(driver.start())
        while not starting.done():
            driver.tick(0.05)
            await asyncio.sleep(0)
        while driver.world.steps < 450:
            driver.hurry(0.2)
        driver.back()
        branching = asyncio.ensure_future(driver.branch())
        seen = []
        while not branching.done():
            await asyncio.sleep(0)
            seen.append(driver.moment().badge)
            assert driver.tick(0.05) or branching.done(), "it is drawn again"
        return seen

    seen = asyncio.run(run())
    assert [badge for badge in seen if badge.startswith("SIM again 200 of ")]
    assert seen[-1].endswith(" PAUSED")


def test_a_branch_that_takes_too_long_can_be_left_and_nothing_has_changed() -> None:
    async def leave(pilot: Pilot[None], app: LabApp) -> None:
        driver = app.driver
        assert isinstance(driver, SimDriver)
        await shows(pilot, app, "milk is written")
        while driver.world.steps < 450:
            driver.hurry(0.2)
        driver.back()
        world, place, made = driver.world, driver.timeline.at, driver.world.rewinding

        def endless(again: SimWorld, to_step: int, begun: int | None = None) -> Iterator[None]:
            yield from made(again, to_step - 50, begun)
            while True:
                yield

        world.rewinding = endless  # type: ignore[method-assign]
        await pilot.press("w")
        await shows(pilot, app, "SIM again", "Esc: stop")
        await pilot.press("escape")
        await shows(pilot, app, "No branch was made, and nothing done")
        assert (driver.world, driver.timeline.at) == (world, place)
        world.rewinding = made  # type: ignore[method-assign]
        await pilot.press("w")
        await shows(pilot, app, "A branch begins at step")

    lab(leave, SimDriver(SimWorld(config(7))))


def test_the_simulator_runs_to_what_has_not_happened_yet() -> None:
    async def run(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("space", "w", "greater_than_sign")
        await shows(pilot, app, "✓ ok", "PAUSED")
        at_ms = app.driver.shown_ms()
        await type_line(pilot, "goto +3s")
        there_ms = pytest.approx(at_ms + 3000)  # it counts in seconds, and rounds them
        await until(pilot, app, lambda: app.driver.shown_ms() == there_ms, "the time")
        steps = app.driver.moment().steps
        await type_line(pilot, f"goto step {steps + 3}")
        await shows(pilot, app, f"SIM step {steps + 3} PAUSED")
        await type_line(pilot, "goto 0.0s")
        await shows(pilot, app, f"of {steps + 3}")
        await type_line(pilot, "goto put cart")
        await shows(pilot, app, "put cart:42 milk", f"of {steps + 3}")
        await type_line(pilot, "goto wombat")
        await shows(pilot, app, "Nothing in the log has 'wombat' in it")
        await type_line(pilot, "goto")
        await shows(pilot, app, "expected a time")

    lab(run, driver=sim(7), first_put=False)


def test_what_is_too_old_to_be_looked_at_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "CHUNK", 10)

    async def look(pilot: Pilot[None], app: LabApp) -> None:
        app.driver.timeline._limit = 20
        await shows(pilot, app, "5/5 up")
        await pilot.press("w")
        await shows(pilot, app, "✓ ok")
        await pilot.press("w")
        await shows(pilot, app, "2/2", "✓ ok")
        await pilot.press("home")
        first = app.driver.timeline.first_ms
        assert first > 0
        await shows(pilot, app, f"What was before {clock(first)} is not kept", f" {clock(first)} ")

    lab(look, first_put=False)


# -- real processes, whose log it is that one looks back in --------------------------------------------


class Told(LiveDriver):
    """A live cluster, as far as the lab can tell: what it tells is told by the test."""

    def __init__(self) -> None:
        super().__init__(SimWorld(config()))

    async def start(self) -> str:
        for event in births():
            self.world.tell(event)
        return ""


def test_looking_back_on_processes_freezes_the_view_and_not_them() -> None:
    driver = Told()

    async def look(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up", "LIVE")
        await pilot.press("space")
        await shows(pilot, app, "PAUSED +0", "the processes go on")
        story = put()
        for event in story:
            driver.world.tell(event)
        await shows(pilot, app, f"PAUSED +{len(story)}")
        assert not app.model.operations
        await pilot.press("w")
        await shows(pilot, app, "w (put) cannot be used now: the view is held, and shows the past")
        await type_line(pilot, "put k 1")
        await shows(pilot, app, "put k 1 cannot be done now: the view is held")
        await pilot.press("greater_than_sign")
        await shows(pilot, app, "n1 writes cart:42.", "▶ is asked")
        await pilot.press("n")
        await shows(pilot, app, "n1 writes cart:42 and waits for n3", f"PAUSED +{len(story) - 3}")
        await pilot.press("b", "b", "b")
        await shows(pilot, app, f"PAUSED +{len(story)}", "5/5 up")
        await pilot.press("end")
        await shows(pilot, app, "LIVE", "3 of 3 replicas hold it")
        await pilot.press("b", "space")
        await shows(pilot, app, "LIVE")

    lab(look, driver, first_put=False)


def test_a_step_passes_over_heartbeats() -> None:
    driver = Told()
    n1, n2 = NodeId("n1"), NodeId("n2")
    beats: list[AnyEvent] = [Sent(300.0 + i, n1, f"n1.0.{i}", n2, "Gossip", 20) for i in range(9)]
    for event in [*births(), *beats, Used(310.0, n1, 1.0, 1), Said(311.0, NodeId(""), "so"), *beats]:
        driver.world.tell(event)
    driver.hold()
    driver.back()
    assert isinstance(driver.timeline.event(driver.timeline.at - 1), Said)
    driver.back()
    assert driver.timeline.at == len(births())
    driver.step()
    assert isinstance(driver.timeline.event(driver.timeline.at - 1), Said)
