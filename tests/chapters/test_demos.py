"""The nine demos hold, in both worlds and however they are presented, and travel with the package."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from kvlab import stages
from kvlab.cli import main
from kvlab.lab.actions import hints
from kvlab.lab.demo import SLOW_SHARE, narration_of
from kvlab.lab.draw.narration import narration
from kvlab.lab.draw.screen import compose
from kvlab.lab.draw.theme import Theme
from kvlab.lab.plain_demo import present
from kvlab.lab.presenter import Presenter, scenes
from kvlab.lab.view import Narration, View
from kvlab.script.demos import about, demo, demos
from kvlab.script.rehearsal import read_scenario
from kvlab.script.run import Report, config_of, run_scenario
from kvlab.world.sim import SimWorld
from kvlab.world.world import World
from tests.worlds import fall_short, run_in, why

STAGES = range(1, 10)
TALK_S = 15.0
"""So long somebody talks about one step."""


def test_every_stage_has_a_demo_of_its_own() -> None:
    assert list(demos()) == list(STAGES)
    for number, path in demos().items():
        assert read_scenario(path).cluster.stage == number
        assert about(path).startswith(f"Stage {number}, ")


@pytest.mark.parametrize("stage", STAGES)
def test_a_demo_holds_in_the_simulator(stage: int) -> None:
    scenario = read_scenario(demo(stage))

    async def body(world: World) -> Report:
        return await run_scenario(scenario, world)

    assert why(run_in("sim", config_of(scenario), body)) == ""


@pytest.mark.parametrize("some", [(1, 4, 7), (2, 5, 8), (3, 6, 9)])
def test_the_demos_hold_on_processes(some: tuple[int, ...]) -> None:
    assert fall_short({f"stage {stage}": read_scenario(demo(stage)) for stage in some}) == {}


async def fell_short(stage: int, world: World, *, slow: bool = False) -> str:
    """Present it to a patient room: which line does not hold; "" if all do."""
    told: list[str] = []

    async def ask(prompt: str) -> str:
        await world.sleep(1.0 if slow else TALK_S)
        return "q" if "try again" in prompt else ""

    if slow:
        await slow_motion(world)
    return "" if await present(read_scenario(demo(stage)), world, told.append, ask) else "\n".join(told[-4:])


async def slow_motion(world: World) -> None:
    members = world.members()
    for i, a in enumerate(members):
        for b in members[i + 1 :]:
            await world.slow(a, b, world.config.timeout_ms // SLOW_SHARE)


@pytest.mark.parametrize("stage", STAGES)
def test_a_demo_holds_however_long_one_talks_in_between(stage: int) -> None:
    world = SimWorld(stages.checked(config_of(read_scenario(demo(stage)))))

    async def body() -> str:
        async with world:
            return await fell_short(stage, world)

    assert world.run(body()) == ""


@pytest.mark.parametrize("stage", range(2, 10))
def test_a_demo_holds_in_slow_motion(stage: int) -> None:
    world = SimWorld(stages.checked(config_of(read_scenario(demo(stage)))))

    async def body() -> str:
        async with world:
            return await fell_short(stage, world, slow=True)

    assert world.run(body()) == ""


# -- what the room sees --------------------------------------------------------------------------


def told(stage: int) -> list[Narration]:
    """All that its narration pane ever shows, with every answer."""
    presenter, shown = Presenter(scenes(read_scenario(demo(stage)))), []
    while True:
        while presenter.due:
            presenter.done()
        shown.append(narration_of(presenter))
        if presenter.why_not_next():
            return shown
        presenter.next()


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_that_is_said_is_cut_off_in_the_smallest_window(stage: int) -> None:
    for one in told(stage):
        words = " ".join(" ".join(narration(one, "", (80, 8), Theme()).text()).split())
        for text in (*one.said, one.question, one.answer):
            assert text in words


@pytest.mark.parametrize("stage", STAGES)
def test_a_demo_is_a_talk_of_some_minutes_with_questions_to_the_room(stage: int) -> None:
    found = scenes(read_scenario(demo(stage)))
    assert 6 <= len(found) <= 12
    assert sum(bool(scene.question) for scene in found) >= 2
    assert not found[-1].groups
    assert not found[-1].question
    nodes = stages.checked(config_of(read_scenario(demo(stage)))).nodes
    assert nodes <= 5, "more than five are too small for the last row"


def test_the_footer_of_a_demo_is_one_row_in_the_smallest_window() -> None:
    world = SimWorld(stages.checked(config_of(read_scenario(demo(5)))))
    view = View(stage=world.stage, n=3, ring=world.ring, narration=Narration(place=1, of=9))
    rows = compose(View(**{f: getattr(view, f) for f in view.__struct_fields__} | {"hints": hints(view)}),
                   (80, 24), Theme()).text()  # fmt: skip
    assert rows[-1].split()[0] == "→"
    assert "q quit" in rows[-1]


# -- the command ---------------------------------------------------------------------------------


def test_the_list_names_every_demo() -> None:
    for arguments in ([], ["--list"]):
        done = CliRunner().invoke(main, ["demo", *arguments])
        assert done.exit_code == 0
        assert [line[:8] for line in done.output.splitlines()[:9]] == [
            f"Stage {number}," for number in STAGES
        ]


def test_without_a_terminal_a_demo_says_what_to_do_instead() -> None:
    done = CliRunner().invoke(main, ["demo", "4"])
    assert done.exit_code == 1
    assert "--step" in done.output


def test_a_demo_that_is_not_there_is_refused_with_those_that_are() -> None:
    done = CliRunner().invoke(main, ["demo", "12"])
    assert done.exit_code == 2
    assert "there are 1, 2, 3, 4, 5, 6, 7, 8, 9" in done.output


def test_demos_are_found_inside_a_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inside = tmp_path / "kvlab" / "chapters" / "03_ring"
    inside.mkdir(parents=True)
    (inside / "demo.scenario").write_text("# Stage 3\ncluster stage=3\n", encoding="utf-8")
    monkeypatch.setattr("kvlab.stages.pieces._PACKAGE", tmp_path / "kvlab")
    assert demos() == {3: inside / "demo.scenario"}
