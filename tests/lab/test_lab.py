"""The application under Textual's Pilot: over the simulator, and once over real processes."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from html import unescape
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from textual import events as ui
from textual.pilot import Pilot

from kvlab.errors import UserError
from kvlab.lab.app import LabApp, run_lab
from kvlab.lab.canvas_widget import LabCanvas
from kvlab.lab.crash import LabCrashed
from kvlab.lab.draw.theme import Theme
from kvlab.lab.driver import Driver, LiveDriver, SimDriver
from kvlab.script.commands import USAGE, Wait
from kvlab.script.parse import parse_line
from kvlab.script.rehearsal import read_scenario
from kvlab.stages import pieces
from kvlab.trace.recording import Recorder, Recording
from kvlab.world.process.supervisor import ProcessWorld
from kvlab.world.sim import SimWorld
from tests.lab.stories import config

LIMIT_S = 20.0


def sim(stage: int = 4, nodes: int = 5) -> SimDriver:
    return SimDriver(SimWorld(config(stage, nodes)))


def text(app: LabApp) -> str:
    """What is on the screen."""
    canvas = app.query_one(LabCanvas)
    return "\n".join(
        "".join(segment.text for segment in canvas.render_line(y)) for y in range(app.size.height)
    )


async def until(pilot: Pilot[None], app: LabApp, holds: Callable[[], bool], what: str) -> None:
    """Wait until it holds; after 20 s, fail and show the screen."""
    deadline = asyncio.get_running_loop().time() + LIMIT_S
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, f"waited for {what}; the screen:\n{text(app)}"
        await pilot.pause(0.02)


async def shows(pilot: Pilot[None], app: LabApp, *words: str) -> None:
    await until(pilot, app, lambda: all(word in text(app) for word in words), " and ".join(words))


def lab(
    test: Callable[[Pilot[None], LabApp], Awaitable[None]],
    driver: Driver | None = None,
    size: tuple[int, int] = (120, 40),
    theme: Theme | None = None,
    **options: Any,
) -> LabApp:
    """Run the lab and this test on it; every node is ended after."""

    async def run() -> LabApp:
        app = LabApp(driver or sim(), theme or Theme(), **options)
        try:
            async with app.run_test(size=size) as pilot:
                await test(pilot, app)
        finally:
            await app.shut_down()
        assert app.failure is None, app.failure
        return app

    return asyncio.run(run())


async def type_line(pilot: Pilot[None], line: str) -> None:
    await pilot.press("colon", *("space" if char == " " else char for char in line), "enter")


def test_the_lab_itself_makes_the_first_put_slowly_enough_to_be_seen() -> None:
    async def first(pilot: Pilot[None], app: LabApp) -> None:
        await until(pilot, app, lambda: bool(app.view().flights), "a message under way")
        await shows(pilot, app, "slow n1 500ms", "put cart:42 milk via n1", "waiting for n3 n4 n2")
        await shows(pilot, app, "✓ ok, 100", "slow n1 0ms", "Press k and 2 to kill n2")

    lab(first)


def test_keys_write_kill_and_read_and_each_prints_its_line() -> None:
    async def keys(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("w")
        await shows(pilot, app, "put cart:42 milk", "3 of 3 replicas hold it")
        await pilot.press("k")
        await shows(pilot, app, "kill which node? 1 2 3 4 5")
        await pilot.press("3")
        await shows(pilot, app, "4/5 up", "kill n3", "n3 was killed")
        await pilot.press("g")
        await shows(pilot, app, "get cart:42", "n1 read cart:42: milk")
        await pilot.press("r", "3")
        await shows(pilot, app, "5/5 up", "restart n3")
        await pilot.press("p")
        await shows(pilot, app, "CUT   n1 n2 | n3 n4 n5")
        await pilot.press("h")
        await shows(pilot, app, "The network is well again")
        await pilot.press("z", "2")
        await shows(pilot, app, "‖ paused", "pause n2")
        await pilot.press("z", "2")
        await shows(pilot, app, "resume n2", "n2 goes on where it stood")
        await pilot.press("s", "5")
        await shows(pilot, app, "LINKS of n5: 500 ms")

    lab(keys, first_put=False)


def test_three_mirrors_stand_side_by_side_and_a_cut_locks_them() -> None:
    async def cut(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "stage 2", "3/3 up", "put cart:42 milk", "✓ ok, 100")
        copies = re.compile(r"(cart:42 = milk +){3}")  # in one row: the operation stands there as well
        await until(pilot, app, lambda: bool(copies.search(text(app))), "three copies")
        await pilot.press("p")
        await shows(pilot, app, "n1  locked", "n2  locked", "n3  locked", "Writes are locked")
        await pilot.press("w")
        await shows(pilot, app, "n1 takes no writes")
        await pilot.press("g")
        await shows(pilot, app, "n1 read cart:42: milk")
        await pilot.press("h")
        await shows(pilot, app, "n1  up", "n2  up", "n3  up")

    lab(cut, driver=sim(2, 3))


def test_nodes_join_and_leave_by_key() -> None:
    async def change(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("a")
        await shows(pilot, app, "6/6 up", "add n6: ok")
        await pilot.press("x", "6")
        await shows(pilot, app, "5/5 up", "remove n6: ok")

    lab(change, first_put=False)


def test_a_key_that_cannot_be_used_says_why() -> None:
    async def refuse(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("r")
        await shows(pilot, app, "r (restart) cannot be used now: no node is down")
        await pilot.press("k", "9")
        await shows(pilot, app, "there is no n9")
        await pilot.press("k", "escape", "1", "w")
        await shows(pilot, app, "is written")
        assert "5/5 up" in text(app)

    lab(refuse, first_put=False)


def test_the_command_line_takes_the_scenario_language_and_explains_what_it_cannot_read() -> None:
    async def type_lines(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await type_line(pilot, "put k wkqx via n2")
        await shows(pilot, app, "put k = wkqx", "via n2")
        await type_line(pilot, "expect get k = wkqx")
        await shows(pilot, app, "expect get k = wkqx: holds")
        await type_line(pilot, "expect get k = other")
        await shows(pilot, app, "no, found wkqx")
        await type_line(pilot, "kil n1")
        await shows(pilot, app, "the nearest is `kill`")
        await type_line(pilot, "kill n77")
        await shows(pilot, app, "there is no node 'n77'")
        await pilot.press("colon", "up", "up", "up", "up", "enter")
        await until(pilot, app, lambda: "expect get k = wkqx: holds" in text(app), "the old line, done again")

    lab(type_lines, first_put=False)


def test_keys_that_come_at_once_go_into_the_line_that_the_first_opens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A busy machine hands on what was typed in one go. Seen to fail with `focus()`, later than the keys."""

    async def at_once(*_: float) -> None:
        pass

    async def typing(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        monkeypatch.setattr("textual.app.wait_for_idle", at_once)
        await type_line(pilot, "put k a:b")
        await shows(pilot, app, "k = a:b is written")

    lab(typing, first_put=False)


LONG = "putt k " + " ".join(f"value-{i}" for i in range(40))


def test_a_message_too_long_for_its_rows_can_be_read_in_full() -> None:
    async def read(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        app._begin(app._do_line(LONG))
        await shows(pilot, app, "value-1 ", "… (v: all)")
        assert "Usage: put" not in text(app)
        await pilot.press("v")
        await shows(pilot, app, "WHAT WAS SAID", "Usage: put KEY VALUE")
        await pilot.press("v")
        await until(pilot, app, lambda: "WHAT WAS SAID" not in text(app), "the panels to be back")
        await pilot.press("v", "escape")
        await until(pilot, app, lambda: "WHAT WAS SAID" not in text(app), "the panels to be back")

    lab(read, size=(80, 24), first_put=False)


def test_help_on_the_command_line_lists_the_lines_and_explains_each() -> None:
    async def read(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await type_line(pilot, "help")
        usages = [usage for name, usage in USAGE.items() if name not in ("cluster", "check")]
        await shows(pilot, app, "LINES YOU CAN TYPE", *usages)
        await type_line(pilot, "help put")
        await shows(pilot, app, "HELP ON put", USAGE["put"], "Writes a value")
        await type_line(pilot, "help putt")
        await shows(pilot, app, "help putt: there is no command putt; the nearest is `put`")
        await pilot.press("escape")
        await shows(pilot, app, "THE RING")
        assert len(app.model.log) == 1  # the cluster: asking for help is nothing that was done

    lab(read, size=(80, 24), first_put=False)


def test_a_late_result_waits_until_a_newer_message_has_been_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvlab.lab.app.NOTICE_S", 1.0)

    async def watch(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        app._begin(app._do_line("wait until get k = x within 200ms"))
        app._begin(app._do_line("kil n1"))
        await shows(pilot, app, "the nearest is `kill`")
        await until(pilot, app, lambda: bool(app._said and "no, found" in app._said[-1]), "the result")
        assert "the nearest is `kill`" in app.view().notice
        await shows(pilot, app, "no, found missing")

    lab(watch, first_put=False)


def test_a_command_that_was_refused_is_marked_where_the_lines_stand() -> None:
    async def refuse(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("k", "2")
        await shows(pilot, app, "4/5 up")
        await type_line(pilot, "kill n2")
        await shows(pilot, app, "cannot kill n2: it is down", "kill n2  ✗ not done")

    lab(refuse, first_put=False)


def test_a_simulated_world_stands_still_while_held_and_goes_on_by_steps() -> None:
    async def step(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("space")
        await shows(pilot, app, "SIM step", "PAUSED")
        await pilot.press("w")
        await shows(pilot, app, "waiting for n3 n4 n2")
        steps = app.driver.world.steps  # type: ignore[attr-defined]  # it is a SimWorld
        while "✓ ok" not in text(app):
            await pilot.press("n")
            steps += 1
            await shows(pilot, app, f"SIM step {steps} PAUSED")
        await shows(pilot, app, "3 of 3 replicas hold it")
        await pilot.press("space")
        await until(pilot, app, lambda: "PAUSED" not in text(app), "time going on")

    lab(step, first_put=False)


def test_a_simulation_that_fails_stands_still_and_the_lab_says_why() -> None:
    class Broken(SimDriver):
        broken = False

        def tick(self, elapsed_s: float) -> bool:
            if self.broken and not self.held:
                raise ValueError("a bug of the world")
            return super().tick(elapsed_s)

    driver = Broken(SimWorld(config()))

    async def fail(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        driver.broken = True
        await shows(pilot, app, "The simulation stopped: ValueError: a bug of the world", "PAUSED")

    lab(fail, driver, first_put=False)


def test_stage_1_shows_its_one_node_and_its_keys() -> None:
    async def hashmap(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "ONE DICT", "cart:42 = milk", "1 key")
        await pilot.press("p")
        await shows(pilot, app, "is one node: there is no network")
        await pilot.press("4")
        await shows(pilot, app, "4 (messages) cannot be used now", "nothing travels", "ONE DICT")
        await pilot.press("k", "1")
        await shows(pilot, app, "its dict is gone", "Press r and then 1")
        await pilot.press("w")
        await shows(pilot, app, "no node is up; r restarts one")
        await pilot.press("r", "1")
        await shows(pilot, app, "1/1 up")
        await pilot.press("z", "1")
        await shows(pilot, app, "Press z and then 1")
        await pilot.press("w")
        await shows(pilot, app, "no node is up; z lets a paused one go on")

    lab(hashmap, sim(1, 1))


def test_operations_can_be_leafed_through_and_a_new_one_is_followed() -> None:
    async def leaf(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        for value in ("milk", "bread"):
            await pilot.press("w")
            await shows(pilot, app, f"cart:42 = {value} is written")
        await pilot.press("left_square_bracket")
        await shows(pilot, app, "1/2")
        await pilot.press("right_square_bracket")
        await shows(pilot, app, "2/2")
        await pilot.press("left_square_bracket", "w")
        await shows(pilot, app, "3/3")

    lab(leaf, first_put=False)


def test_help_shows_every_key_at_every_size() -> None:
    async def read(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("question_mark")
        await shows(pilot, app, "end its process at once", "more: press ?")
        await pilot.press("question_mark")
        await pilot.resize_terminal(50, 10)
        await shows(pilot, app, "needs 60 columns")
        await pilot.resize_terminal(120, 40)
        await shows(pilot, app, "end every node and leave")

    lab(read, size=(80, 24), first_put=False)


def test_the_numbers_open_tabs_but_answer_first_the_question_which_node() -> None:
    async def leaf(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up", "1 cluster  2 operation")
        await pilot.press("3")
        await shows(pilot, app, "DATA")
        await pilot.press("k", "2")
        await shows(pilot, app, "4/5 up", "n2 was killed", "DATA")
        await pilot.press("6")
        await shows(pilot, app, "kvlab/stages/s04_replication.py")
        await pilot.press("m")
        await shows(pilot, app, "OPERATION")
        await pilot.press("m")
        await shows(pilot, app, "kvlab/stages/s04_replication.py")
        await pilot.press("1")
        await shows(pilot, app, "NODE STATE")

    lab(leaf, first_put=False)


def test_what_the_palette_finds_does_what_its_key_does() -> None:
    async def choose(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("ctrl+p", *"kill")
        await until(pilot, app, lambda: "end its process at once" in everything(app), "what is found")
        await until(pilot, app, lambda: "after (.)" not in everything(app), "nothing else to be found")
        await pilot.press("enter")
        await shows(pilot, app, "kill which node? 1 2 3 4 5")
        await pilot.press("2")
        await shows(pilot, app, "4/5 up", "n2 was killed")

    lab(choose, first_put=False)


def test_the_simulator_is_slowed_and_sped_up() -> None:
    async def change(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("minus", "minus")
        await shows(pilot, app, "0.25 simulated seconds a second", " x0.25 ")
        await pilot.press("plus", "plus", "plus")
        await shows(pilot, app, "2 simulated seconds a second", " x2 ")

    lab(change, first_put=False)


def test_escape_leaves_the_help_and_a_question() -> None:
    async def leave(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("question_mark")
        await shows(pilot, app, "end its process at once")
        await pilot.press("escape")
        await shows(pilot, app, "NODE STATE")
        await pilot.press("k")
        await shows(pilot, app, "kill which node?")
        await pilot.press("escape")
        await until(pilot, app, lambda: "which node?" not in text(app), "no question")

    lab(leave, first_put=False)


def test_q_leaves_a_question_and_not_the_lab() -> None:
    async def leave(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("k")
        await shows(pilot, app, "kill which node?", "(Esc or q: none)")
        await pilot.press("q")
        await until(pilot, app, lambda: "which node?" not in text(app), "no question")
        assert app.is_running
        await pilot.press("k", "2")
        await shows(pilot, app, "4/5 up")

    lab(leave, first_put=False)


def test_without_animation_nothing_moves_and_all_else_is_shown() -> None:
    async def still(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await type_line(pilot, "slow n1 300ms")
        await pilot.press("w")
        await until(pilot, app, lambda: bool(app.view().flights), "a message under way")
        assert not app.view().moving
        timer = app._animation
        assert timer is not None
        await until(
            pilot, app, lambda: "milk is written" in text(app) or timer._active.is_set(), "what came of it"
        )
        assert not timer._active.is_set()

    lab(still, first_put=False, animate=False)


def test_the_animation_timer_sleeps_when_nothing_moves() -> None:
    async def rest(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        timer = app._animation
        assert timer is not None
        await until(pilot, app, lambda: timer._active.is_set(), "the animation to begin")
        await until(pilot, app, lambda: not timer._active.is_set(), "the animation to end")

    lab(rest)


def test_a_run_can_be_recorded(tmp_path: Path) -> None:
    path = tmp_path / "run.kvlab"
    driver = sim()

    async def write(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "✓ ok")

    app = lab(write, driver, recorder=Recorder(path, config(), "sim"))
    assert len(list(Recording(path))) >= app.model.count


def test_a_cluster_that_cannot_start_ends_the_lab_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    class Broken(SimDriver):
        async def start(self) -> str:
            raise OSError("no more processes")

    async def run() -> None:
        await run_lab_headless(LabApp(Broken(SimWorld(config())), Theme()))

    with pytest.raises(LabCrashed, match="OSError: no more processes"):
        asyncio.run(run())
    assert "in start" in next((tmp_path / "kvlab").glob("crash-*.txt")).read_text()


def test_an_error_that_has_an_explanation_is_no_crash() -> None:
    class Taken(SimDriver):
        async def start(self) -> str:
            raise UserError("port 7001 is taken")

    async def run() -> None:
        await run_lab_headless(LabApp(Taken(SimWorld(config())), Theme()))

    with pytest.raises(UserError, match="port 7001 is taken"):
        asyncio.run(run())


async def run_lab_headless(app: LabApp) -> None:
    """`run_lab`, without a terminal."""
    run_async = app.run_async

    async def headless(**_: object) -> None:
        await run_async(headless=True)

    app.run_async = headless  # type: ignore[method-assign]  # as run_test does
    await run_lab(app)


def test_what_was_done_is_saved_by_key_or_by_line_and_never_over_another_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.scenario"

    async def save(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("ctrl+s")
        await shows(pilot, app, "^s (save) cannot be used now: nothing was done yet")
        await pilot.press("w")
        await shows(pilot, app, "is written")
        await type_line(pilot, "kill n9")
        await pilot.press("ctrl+s", *str(path), "enter")
        await shows(pilot, app, "1 line saved; do them again with: kvlab run ")
        await type_line(pilot, f"save {path}")
        await shows(pilot, app, "is there already; save! ")
        await pilot.press("k", "3")
        await shows(pilot, app, "4/5 up")
        await type_line(pilot, f"save! {path}")
        await shows(pilot, app, "2 lines saved")
        await type_line(pilot, "save")
        await shows(pilot, app, "expected the name of a file")

    lab(save, size=(200, 60), first_put=False)
    assert [str(command) for command in read_scenario(path).commands if not isinstance(command, Wait)] == [
        "cluster stage=4 vnodes=8 timeout=1500ms", "put cart:42 milk", "kill n3"
    ]  # fmt: skip


def test_what_concerns_the_screen_alone_can_be_typed_as_well() -> None:
    async def type_words(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await type_line(pilot, "show code")
        await shows(pilot, app, "kvlab/stages/s04_replication.py")
        await type_line(pilot, "hold")
        await shows(pilot, app, "PAUSED")
        await type_line(pilot, "earlier")
        await shows(pilot, app, "there is no other operation yet")
        await type_line(pilot, "help lab")
        await shows(pilot, app, "IN THE LAB YOU CAN ALSO TYPE", "save FILE: save what was done")
        await type_line(pilot, "quit")
        await until(pilot, app, lambda: not app.is_running, "the end")

    lab(type_words, first_put=False)


def test_real_processes_are_watched_held_and_all_ended() -> None:
    world = ProcessWorld(config())
    seen: list[int] = []

    async def watch(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up", "LIVE", " 70")
        await shows(pilot, app, "✓ ok, 1", "3 of 3 replicas hold it")
        seen.extend(node.pid for node in app.model.nodes.values())
        await pilot.press("space", "w")
        await shows(pilot, app, "w (put) cannot be used now: the view is held")
        await app.driver.do(parse_line("put cart:42 bread"))  # as another client would
        await until(
            pilot, app, lambda: "PAUSED +" in text(app) and "PAUSED +0" not in text(app), "events missed"
        )
        assert "bread is written" not in text(app)
        await pilot.press("space")
        await shows(pilot, app, "LIVE", "cart:42 = bread is written")
        await pilot.press("k", "3")
        await shows(pilot, app, "4/5 up")
        await pilot.press("g")
        await shows(pilot, app, "n1 read cart:42: bread")

    lab(watch, LiveDriver(world))
    assert len(seen) == 5
    assert os.getpid() not in seen
    assert not [pid for pid in seen if psutil.pid_exists(pid)]


def test_the_operation_and_its_code_are_walked_through_event_by_event() -> None:
    async def walk(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("comma")
        await shows(pilot, app, ", (before) cannot be used now: events are chosen where they are shown")
        await pilot.press("w")
        await shows(pilot, app, "✓ ok")
        await pilot.press("2")
        await shows(pilot, app, "ANSWERED", "the client is told ok", "WHAT HAPPENED")
        op = app.view().op
        assert op is not None
        for _ in op.events:
            await pilot.press("comma")
        await until(pilot, app, lambda: chosen_row(app).endswith("is asked"), "the first event")
        await pilot.press("full_stop")
        await until(pilot, app, lambda: "→ n3  Keep" in chosen_row(app), "the second event")
        await pilot.press("6")
        await shows(pilot, app, "kvlab/stages/s04_replication.py", "ReplicationNode.put", "is sent from here")
        assert "async for replica, answer in self.transfer.ask_to_keep" in chosen_row(app)
        await pilot.press("g")
        await shows(pilot, app, "get cart:42", "answers: ok")
        await pilot.press("left_square_bracket")
        await shows(pilot, app, "put cart:42 = milk")
        assert app.view().chosen == -1  # of another operation, its last event

    lab(walk, first_put=False)


def test_the_code_tab_shows_the_readers_own_file_and_its_line_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "quorum.py"
    solution = pieces.chapter(5).file("solution.py").read_text(encoding="utf-8")
    path.write_text(f"# wkqx\n{solution}", encoding="utf-8")
    own = SimDriver(SimWorld(msgspec.structs.replace(config(5), mine=str(path))))

    async def look(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up", "your quorum.py")
        await pilot.press("6")
        await shows(pilot, app, "quorum.py", "# wkqx")
        await pilot.press("w")
        await shows(pilot, app, "milk is written", "CODE  quorum.py  line", "QuorumNode.write")

    lab(look, own, first_put=False)


def test_a_node_that_is_restarted_runs_what_the_reader_has_written_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "quorum.py"
    piece = pieces.chapter(5)
    path.write_text(piece.file("quorum.py").read_text(encoding="utf-8"), encoding="utf-8")
    own = SimDriver(SimWorld(msgspec.structs.replace(config(5), mine=str(path))))

    async def mend(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("6", "w")
        await shows(pilot, app, "is not written yet", "k, then r, loads it.")
        path.write_text(f"# wkqx\n{piece.file('solution.py').read_text(encoding='utf-8')}", encoding="utf-8")
        await pilot.press("k", "1")
        await shows(pilot, app, "4/5 up")
        await pilot.press("r", "1")
        await shows(pilot, app, "5/5 up")
        await pilot.press("w", "6")
        await shows(pilot, app, "is written in", "CODE  quorum.py  line", "QuorumNode.write")
        assert "wkqx" in str(app.view().source)

    lab(mend, own, first_put=False)


def chosen_row(app: LabApp) -> str:
    """The row with the mark of what is chosen, up to the list beside it."""
    marked = [line for line in text(app).splitlines() if line.startswith("▶")]
    assert len(marked) == 1, text(app)
    return marked[0].split("│")[0].strip()


def test_the_one_node_of_stage_1_has_its_operation_and_its_code_too() -> None:
    async def alone(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "put cart:42 milk")
        await pilot.press("2")
        await shows(pilot, app, "n1  itself", "n1 did it by itself", "holds milk")
        await pilot.press("6")
        await shows(pilot, app, "s01_hashmap.py", "HashmapNode.put")
        await pilot.press("g")
        await shows(pilot, app, "HashmapNode.get", "answers: ok")

    lab(alone, driver=sim(1, 1))


def test_a_click_on_a_tab_or_on_a_key_does_what_the_key_does_and_the_wheel_goes_through_the_events() -> None:
    async def clicks(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "is written")
        rows = text(app).splitlines()
        await pilot.click(offset=(rows[1].index("operation") + 3, 1))
        assert app.tab == "operation"
        events = app.view().op
        assert events is not None
        await pilot._post_mouse_events([ui.MouseScrollUp], offset=(5, 10))
        await until(pilot, app, lambda: app._chosen == len(events.events) - 2, "the event before")
        y = next(y for y, row in enumerate(rows) if "w put  g get" in row)
        await pilot.click(offset=(rows[y].index("kill") + 1, y))
        await shows(pilot, app, "kill which node?")
        await pilot.click(offset=(5, 10))  # nothing is there
        assert app.tab == "operation"
        await pilot.press("escape")
        await type_line(pilot, "put tea:1 x")
        await pilot.press("3")
        await shows(pilot, app, "2 keys", "tea:1 = x is written")
        chosen = app.view().key
        await pilot._post_mouse_events([ui.MouseScrollUp], offset=(5, 10))
        await until(pilot, app, lambda: app.view().key != chosen, "the key before")

    lab(clicks)


def everything(app: LabApp) -> str:
    """What is on the screen, also what Textual draws over the canvas."""
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", app.export_screenshot())
    return unescape("".join(drawn)).replace("\xa0", " ")


def test_in_ascii_the_palette_is_ascii_too() -> None:
    async def search(pilot: Pilot[None], app: LabApp) -> None:
        await shows(pilot, app, "5/5 up")
        await pilot.press("ctrl+p")
        await until(pilot, app, lambda: "after (.)" in everything(app), "the palette")
        assert everything(app).isascii()
        await pilot.press(*"kill")
        await until(pilot, app, lambda: "after (.)" not in everything(app), "what was searched for")
        assert "kill (k)" in everything(app)
        assert everything(app).isascii()

    lab(search, size=(80, 24), theme=Theme(ascii=True))
