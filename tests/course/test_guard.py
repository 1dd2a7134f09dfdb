"""A reader's code that does not come back is found out and ended where it is."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from kvlab.config import ClusterConfig
from kvlab.errors import Outcome
from kvlab.lab.source import source_of
from kvlab.script.rehearsal import understood
from kvlab.script.run import Report, run_scenario
from kvlab.stages import find, pieces
from kvlab.stages.pieces import PieceFailed
from kvlab.trace import events
from kvlab.world.guard import Guard
from kvlab.world.sim import SimWorld
from tests.worlds import run_in

SOURCE = """
def endless():
    while True: pass

def outer():
    for _ in range(10**12):
        inner()

def inner():
    return 1

def quick():
    return 1
"""


@pytest.fixture
def theirs(tmp_path: Path) -> ModuleType:
    path = tmp_path / "theirs.py"
    path.write_text(SOURCE)
    return pieces.execute(path, "theirs")


@pytest.mark.parametrize(("name", "lines"), [("endless", (3,)), ("outer", (6, 7))])
def test_a_loop_is_ended_at_its_own_line(name: str, lines: tuple[int, ...], theirs: ModuleType) -> None:
    with (
        pytest.raises(PieceFailed, match="does not come back") as caught,
        Guard(theirs.__file__ or "", tick_s=0.01),
    ):
        getattr(theirs, name)()
    assert caught.value.line in lines, "what it calls comes back; it does not"


def test_calls_that_come_back_go_on_until_all_of_them_take_too_long(theirs: ModuleType) -> None:
    def turn_for_ever() -> None:
        while True:
            theirs.quick()

    guard = Guard(theirs.__file__ or "", tick_s=0.01, limit_s=0.1)
    with pytest.raises(PieceFailed, match="goes on for ever") as caught, guard:
        turn_for_ever()
    assert caught.value.line == 0


STORE = pieces.chapter(1).file("solution.py").read_text(encoding="utf-8")


def test_a_node_that_is_held_up_says_by_which_line_and_goes_on(tmp_path: Path) -> None:
    """On a real process, whose event loop stands still meanwhile."""
    path = tmp_path / "store.py"
    old = "    def get(self, key: Key, now_ms: int) -> Item | None:\n"
    path.write_text(STORE.replace(old, f"{old}        import time; time.sleep(1000)\n"))
    line = path.read_text().splitlines().index("        import time; time.sleep(1000)") + 1
    told: list[events.AnyEvent] = []
    scenario = understood("cluster stage=1\nput k v\nget k\nput k w\nexpect result = ok\n")

    async def body(world: object) -> Report:
        return await run_scenario(scenario, world)  # type: ignore[arg-type]

    report = run_in("process", ClusterConfig(stage=1, mine=str(path), timeout_ms=5000), body, told)
    assert report.steps[1].outcome is Outcome.UNKNOWN
    assert f"store.py, line {line}: this does not come back" in report.steps[1].text
    assert report.holds
    assert any(isinstance(event, events.NodeFault) for event in told)


def test_a_store_that_never_forgets_what_is_due_does_not_stop_time(tmp_path: Path) -> None:
    path = tmp_path / "store.py"
    path.write_text(STORE.replace("item.expires_ms <= now_ms", "False"))
    world = SimWorld(ClusterConfig(stage=1, mine=str(path)))

    async def main() -> float:
        async with world:
            await world.put(b"k", b"v", expires_ms=world.now_ms() + 10)
            await world.sleep(0.1)
        return world.at_ms()

    assert world.run(main()) == 100


def test_the_code_tab_shows_the_readers_own_file(tmp_path: Path) -> None:
    path = tmp_path / "store.py"
    path.write_text(STORE)
    source = source_of(find(1), str(path))
    assert source is not None
    assert source.path.endswith("store.py")
    assert source.named("put") is not None
