"""A demo under Textual's Pilot, over the simulator and once over processes; and without a screen."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest
from textual.pilot import Pilot

from kvlab.lab.demo import PACE_S, DemoApp
from kvlab.lab.draw.theme import Theme
from kvlab.lab.driver import SPEEDS, LiveDriver, SimDriver, WorldDriver
from kvlab.lab.plain_demo import Enter, present
from kvlab.script.parse import Scenario, parse
from kvlab.script.run import config_of
from kvlab.world.process.supervisor import ProcessWorld
from kvlab.world.sim import SimWorld
from tests.lab.test_lab import shows, text, until
from tests.worlds import next_ports

TALK = """
cluster stage=4 nodes=5 vnodes=8 timeout=200ms
say     "Three copies of the milk."
put     cart:42 milk via n1
expect  result = ok
predict "One of them dies. Is it gone?" = "No, there are two more."
kill    n3
expect  get cart:42 via n1 = milk
say     "And a second one."
kill    n4
expect  get cart:42 via n1 = milk
say     "That is all."
"""


def sim(scenario: Scenario) -> WorldDriver:
    return SimDriver(SimWorld(config_of(scenario)))


def demo(
    test: Callable[[Pilot[None], DemoApp], Awaitable[None]],
    talk: str = TALK,
    make: Callable[[Scenario], WorldDriver] = sim,
    size: tuple[int, int] = (80, 24),
    theme: Theme | None = None,
) -> None:
    """Present the talk without pauses, and run this test on it; every node is ended after."""
    scenario = parse(talk)

    async def run() -> None:
        app = DemoApp(scenario, lambda: make(scenario), theme or Theme(), pace=0)
        try:
            async with app.run_test(size=size) as pilot:
                await test(pilot, app)
        finally:
            await app.shut_down()
        assert app.failure is None, app.failure

    asyncio.run(run())


def test_one_key_leads_from_step_to_step_and_reveals_what_the_room_has_predicted() -> None:
    async def present(pilot: Pilot[None], app: DemoApp) -> None:
        await shows(pilot, app, "1 of 4", "Three copies of the milk.", "5/5 up", "→: next")
        assert "is written in" not in text(app), "the narration stands in place of the lab's own sentences"
        await pilot.press("right")
        await shows(pilot, app, "2 of 4", "? One of them dies. Is it gone?", "→: see")
        assert "No, there are two more." not in text(app)
        assert "5/5 up" in text(app), "nothing is done before the room has made up its mind"
        await pilot.press("space")
        await shows(pilot, app, "4/5 up", "No, there are two more.", "→: next")
        await pilot.press("pagedown")
        await shows(pilot, app, "3 of 4", "And a second one.", "3/5 up", "→: next")
        await pilot.press("right")
        await shows(pilot, app, "4 of 4", "That is all.", "this was the last step")
        await pilot.press("right")
        await shows(pilot, app, "→ (next) cannot be used now: this was the last step.")

    demo(present)


def test_a_cluster_that_is_not_where_a_step_expects_it_is_told_and_the_step_tried_again() -> None:
    async def improvise(pilot: Pilot[None], app: DemoApp) -> None:
        await shows(pilot, app, "→: next")
        await pilot.press("k", "3")
        await shows(pilot, app, "4/5 up")
        await pilot.press("c")
        await shows(pilot, app, "c (skip) cannot be used now: nothing has fallen short.")
        await pilot.press("right", "right")
        await shows(pilot, app, "The cluster is not where this step expects it.", "Expected: kill n3")
        await shows(pilot, app, "Found: cannot kill n3: it is down", "r tries again, c goes on")
        await pilot.press("colon", *"restart", "space", *"n3", "enter")
        await shows(pilot, app, "5/5 up")
        await pilot.press("r")
        await shows(pilot, app, "4/5 up", "No, there are two more.")

    demo(improvise)


def test_what_does_not_hold_can_be_passed_over() -> None:
    async def go_on(pilot: Pilot[None], app: DemoApp) -> None:
        await shows(pilot, app, "Expected: get k = a", "Found: missing")
        await pilot.press("r")
        await shows(pilot, app, "Expected: get k = a", "Found: missing")
        await pilot.press("c")
        await shows(pilot, app, "→: next", "What?")

    demo(go_on, 'cluster stage=4\nsay "What?"\nexpect get k = a\nsay "End."\n')


def test_r_restarts_a_node_where_nothing_has_fallen_short() -> None:
    async def restart(pilot: Pilot[None], app: DemoApp) -> None:
        await shows(pilot, app, "→: next")
        await pilot.press("k", "5")
        await shows(pilot, app, "4/5 up")
        await pilot.press("r", "5")
        await shows(pilot, app, "5/5 up")

    demo(restart)


def test_going_back_brings_a_new_cluster_to_the_step_before() -> None:
    async def back(pilot: Pilot[None], app: DemoApp) -> None:
        await shows(pilot, app, "→: next")
        first = app.driver
        for wanted in ("→: see", "two more", "3/5 up"):
            await pilot.press("right")
            await shows(pilot, app, wanted)
        await pilot.press("left")
        await shows(pilot, app, "2 of 4", "Is it gone?", "5/5 up", "→: see")
        assert app.driver is not first
        await pilot.press("right")
        await shows(pilot, app, "4/5 up", "No, there are two more.")
        await pilot.press("right")
        await shows(pilot, app, "3 of 4", "→: next")
        await pilot.press("left", "left", "left")
        await shows(pilot, app, "1 of 4", "5/5 up", "→: next")

    demo(back)


def test_any_step_can_be_jumped_to_and_the_past_be_looked_at_in_between() -> None:
    async def jump(pilot: Pilot[None], app: DemoApp) -> None:
        await shows(pilot, app, "→: next")
        first = app.driver
        await pilot.press("j")
        await shows(pilot, app, "jump to which step? 1 2 3 4")
        await pilot.press("3")
        await shows(pilot, app, "3 of 4", "And a second one.", "3/5 up", "→: next")
        assert app.driver is first, "ahead, it is the same cluster"
        await pilot.press("less_than_sign", "less_than_sign", "less_than_sign", "less_than_sign")
        await shows(pilot, app, "End: the present", "4/5 up")
        await pilot.press("k")
        await shows(pilot, app, "k (kill) cannot be used now: End goes back to the present.")
        await pilot.press("right")
        await shows(pilot, app, "4 of 4", "That is all.", "3/5 up")
        await pilot.press("j", "2")
        await shows(pilot, app, "2 of 4", "Is it gone?", "5/5 up", "→: see")
        assert app.driver is not first
        await pilot.press("j", "9")
        await shows(pilot, app, "there is no 9 to do it to; choose one of 1, 2, 3, 4")

    demo(jump)


def test_slow_motion_of_the_simulator_is_its_time() -> None:
    async def slow(pilot: Pilot[None], app: DemoApp) -> None:
        await shows(pilot, app, "→: next")
        await pilot.press("minus", "minus")
        await shows(pilot, app, "x0.25", "0.25 simulated seconds a second")
        await pilot.press("plus", "plus")
        await until(pilot, app, lambda: "x0" not in text(app), "full speed")

    demo(slow)


class Unhurried(DemoApp):
    """Notes before which pauses what was done last, and does not wait."""

    async def _pause(self, seconds: float) -> None:
        if seconds == PACE_S:
            self.paused = [*getattr(self, "paused", []), self.driver.transcript.scenario().splitlines()[-1]]


def test_no_pause_stands_between_lines_and_what_judges_them() -> None:
    """Chapter 1 looks at a value that lives for half a second: after a pause it would be gone."""
    talk = """
cluster stage=1
say     "A value that does not live long."
put     k v ttl=500ms
expect  get k = v
wait    until get k = missing within 5s
put     other v
put     third v
"""
    scenario = parse(talk)

    async def run() -> list[str]:
        app = Unhurried(scenario, lambda: sim(scenario), Theme())
        try:
            async with app.run_test(size=(80, 24)) as pilot:
                await shows(pilot, app, "this was the last step")
        finally:
            await app.shut_down()
        return [line.split("  #")[0] for line in app.paused]

    paused = asyncio.run(run())
    assert [" ".join(line.split()[:3]) for line in paused] == ["wait until get", "put other v", "put third v"]


def test_the_keys_of_a_demo_stand_in_its_help() -> None:
    async def read(pilot: Pilot[None], app: DemoApp) -> None:
        await shows(pilot, app, "→: next")
        await pilot.press("question_mark")
        await shows(pilot, app, "the next step, or what comes of it", "back to the step before")

    demo(read)


def test_next_while_the_cluster_is_at_work_takes_the_pauses_out_of_that_step() -> None:
    async def hurried(pilot: Pilot[None], app: DemoApp) -> None:
        app.pace = 1e6  # nothing would ever be done
        await shows(pilot, app, "5/5 up", "at work")
        await pilot.press("right")
        await shows(pilot, app, "Without pauses", "1 of 4", "→: next")
        await pilot.press("right", "right")
        await shows(pilot, app, "4/5 up", "2 of 4", "at work")  # this one has its pauses

    demo(hurried)


def test_real_processes_are_slowed_brought_back_and_all_ended() -> None:
    def live(scenario: Scenario) -> WorldDriver:
        return LiveDriver(ProcessWorld(config_of(scenario), port=next_ports()))

    pids: set[int] = set()

    async def back(pilot: Pilot[None], app: DemoApp) -> None:
        await shows(pilot, app, "5/5 up", "LIVE", "→: next")
        pids.update(node.pid for node in app.model.nodes.values())
        await pilot.press("minus")
        await shows(pilot, app, "40 ms")
        await pilot.press("right", "right")
        await shows(pilot, app, "4/5 up", "→: next")
        await pilot.press("right")
        await shows(pilot, app, "3 of 4", "3/5 up", "→: next")
        await pilot.press("left")
        await shows(pilot, app, "2 of 4", "again from the start, up to here")
        await shows(pilot, app, "2 of 4", "5/5 up", "→: see")
        pids.update(node.pid for node in app.model.nodes.values())
        assert "LINKS" in text(app), "the new cluster is in slow motion, too"
        await pilot.press("plus")
        await until(pilot, app, lambda: "LINKS" not in text(app), "fast links")

    demo(back, make=live)
    assert len(pids) == 10
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


# -- without a screen ----------------------------------------------------------------------------


def printed(talk: str, *wishes: str | None) -> tuple[bool, str]:
    """Present it in the simulator, with these answers at the prompts; whether it held, and what was told."""
    scenario = parse(talk)
    world, told, left = SimWorld(config_of(scenario)), list[str](), iter(wishes)

    async def ask(prompt: str) -> str | None:
        told.append(prompt)
        return next(left)

    async def main() -> bool:
        async with world:
            return await present(scenario, world, told.append, ask)

    return world.run(main()), "\n".join(told)


def test_without_a_screen_the_answer_comes_after_its_lines() -> None:
    held, told = printed(TALK, "", "", "", "", "")
    assert held
    places = [
        told.index(word) for word in ("QUESTION: One", "[Enter: see", "kill n3", "ANSWER: No", "4 of 4")
    ]
    assert places == sorted(places)


def test_without_a_screen_what_falls_short_is_asked_about() -> None:
    wrong = 'cluster stage=4\nsay "What?"\nexpect get k = a\nsay "End."\n'
    held, told = printed(wrong, "r", "", "c", "")
    assert not held
    assert told.count("expected  get k = a") == 3, "once, after r, and after an answer that is none"
    assert "End." in told
    assert printed(wrong, None) == (
        False,
        told[: told.index("[r:")] + "[r: try again, c: go on without it, q: leave] ",
    )


def test_whoever_leaves_in_between_has_seen_nothing_wrong() -> None:
    held, told = printed(TALK, "q")
    assert held
    assert "2 of 4" not in told


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_lines_are_read_from_a_pipe_or_a_file_and_then_nobody_is_waited_for(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def read(fd: int) -> list[str | None]:
        enter = Enter(fd)
        return [await enter.asked("> ") for _ in range(4)]

    if kind == "pipe":
        fd, end = os.pipe()
        os.write(end, b"\nr\nlast")
        os.close(end)
    else:
        path = tmp_path_factory.mktemp("input") / "lines"
        path.write_bytes(b"\nr\nlast")
        fd = os.open(path, os.O_RDONLY)
    try:
        assert asyncio.run(read(fd)) == ["", "r", "last", None]
    finally:
        os.close(fd)


def test_the_cluster_goes_on_while_a_pipe_is_waited_for() -> None:
    fd, end = os.pipe()

    async def main() -> str | None:
        asyncio.get_running_loop().call_soon(os.write, end, b"c\n")
        begun = time.monotonic()
        typed = await Enter(fd).asked("> ")
        assert time.monotonic() - begun < 60
        return typed

    try:
        assert asyncio.run(main()) == "c"
    finally:
        os.close(fd)
        os.close(end)


# -- the nine that are shipped -------------------------------------------------------------------


class Hurried(SimDriver):
    """What a line waits for passes as fast as the machine can run it."""

    speeds = (*SPEEDS[:-1], 100.0)


class Slowly(DemoApp):
    """Every pause passes in the simulator's time, and nobody waits for it."""

    async def _pause(self, seconds: float) -> None:
        assert isinstance(self.driver, SimDriver)
        until_ms = self.driver.world.at_ms() + seconds * 1000
        while self.driver.world.at_ms() < until_ms:
            self.driver.world.run_to(min(until_ms, self.driver.world.at_ms() + 100))
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    "path", sorted(Path("chapters").glob("*/demo.scenario")), ids=lambda path: path.parent.name
)
def test_each_demo_bears_its_pauses(path: Path) -> None:
    scenario = parse(path.read_text(encoding="utf-8"))

    def fast() -> WorldDriver:
        driver = Hurried(SimWorld(config_of(scenario)))
        driver.change_speed(+len(SPEEDS))
        return driver

    async def run() -> None:
        app = Slowly(scenario, fast, Theme())
        try:
            async with app.run_test(size=(80, 24)) as pilot:
                while True:
                    await until(pilot, app, lambda: app.presenter.phase != "doing", "the person's turn")
                    assert app.presenter.failure is None, text(app)
                    if app.presenter.why_not_next():
                        break
                    await pilot.press("right")
        finally:
            await app.shut_down()
        assert app.failure is None, app.failure
        assert app.presenter.at == len(app.presenter.scenes) - 1

    asyncio.run(run())


def test_in_ascii_the_arrows_are_named() -> None:
    """Their signs became question marks there, and ? is a key of its own."""

    async def look(pilot: Pilot[None], app: DemoApp) -> None:
        await shows(pilot, app, "right next  left back", "? help")
        await pilot.press("question_mark")
        await shows(pilot, app, "right  the next step", "left  back to the step before")

    demo(look, theme=Theme(ascii=True))
