"""Events say at which line of the stage's file they happened: what the lab's code tab marks."""

from __future__ import annotations

import ast
import importlib
from contextlib import suppress
from pathlib import Path

import pytest

from kvlab import stages
from kvlab.config import ClusterConfig
from kvlab.errors import OperationError
from kvlab.trace.events import AnyEvent, OpEnded, Removed, Sent, Stored
from kvlab.world.world import World
from tests.worlds import run_in


def told_by(stage: int, *, kind: str = "sim", dead: int = 0) -> list[AnyEvent]:
    """A put, a get and a delete of one key, all by way of n1; so many of the other nodes are dead."""
    told: list[AnyEvent] = []

    async def body(world: World) -> None:
        for node in world.members()[1 : 1 + dead]:
            await world.kill(node)
        for doing in (
            world.put(b"k", b"v", via="n1"),
            world.get(b"k", via="n1"),
            world.delete(b"k", via="n1"),
        ):
            with suppress(OperationError):
                await doing

    config = ClusterConfig(stage=stage, nodes=3, timeout_ms=200)
    run_in(kind, stages.checked(config), body, told)
    return told


def method_at(stage: int, line: int) -> str:
    """The innermost method of the stage's file that this line is in."""
    module = importlib.import_module(stages.find(stage).path.split(":")[0])
    tree = ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))
    methods = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return max(methods, key=lambda node: node.lineno).name if methods else ""


def places(told: list[AnyEvent], stage: int) -> set[tuple[str, str]]:
    """(what, in which method) of all that happened for an operation and has a line."""
    found = set()
    for event in told:
        if isinstance(event, Sent | Stored | Removed | OpEnded) and event.op and event.line:
            name = event.kind if isinstance(event, Sent) else type(event).__name__
            found.add((name, method_at(stage, event.line)))
    return found


WRITES = {("Keep", "write"), ("Fetch", "read"), ("Stored", "on_keep"), ("Removed", "on_keep")}
MIRRORED = {
    *(("Keep", "write"), ("Settle", "write")),
    *((what, where) for what in ("Stored", "Removed") for where in ("write", "on")),
}
NUMBERED = {("Stored", "number"), ("Removed", "number")}
METHODS = {
    1: {("Stored", "put"), ("Removed", "delete")},
    2: MIRRORED,
    3: {("Stored", "on_keep"), ("Removed", "on_drop")},
    4: {("Keep", "put"), ("Drop", "delete"), ("Stored", "on_keep"), ("Removed", "on_drop")},
    5: WRITES,
    6: WRITES | NUMBERED,
    7: WRITES | NUMBERED,
    8: WRITES | NUMBERED,
}


@pytest.mark.parametrize("stage", list(METHODS))
def test_what_is_sent_and_stored_says_which_method_was_at_work(stage: int) -> None:
    assert places(told_by(stage), stage) == METHODS[stage]


def test_a_read_that_others_have_to_answer_is_asked_for_in_get() -> None:
    """Of three nodes in stage 4 each holds every key: only a larger cluster has strangers."""
    told: list[AnyEvent] = []

    async def body(world: World) -> None:
        replicas = await world.replicas(b"k")
        stranger = next(node for node in world.members() if node not in replicas)
        await world.get(b"k", via=stranger)

    run_in("sim", stages.checked(ClusterConfig(stage=4, nodes=5)), body, told)
    assert places(told, 4) == {("Fetch", "get")}


def test_an_error_says_where_it_was_raised() -> None:
    told = told_by(5, dead=2)
    ended = {event.kind: event for event in told if isinstance(event, OpEnded)}
    lines = Path(stages.find(5).load().__init__.__code__.co_filename).read_text(encoding="utf-8").splitlines()
    assert "raise acks.missing" in lines[ended["put"].line - 1]
    assert "raise answers.tally.missing" in lines[ended["get"].line - 1]


def test_processes_tell_the_same_lines_as_the_simulator() -> None:
    assert places(told_by(5, kind="process"), 5) == places(told_by(5), 5)


def test_what_happens_for_no_operation_has_no_line() -> None:
    told: list[AnyEvent] = []

    async def body(world: World) -> None:
        await world.sleep(1.0)  # in which they gossip

    run_in("sim", stages.checked(ClusterConfig(stage=7, nodes=3)), body, told)
    background = [event for event in told if isinstance(event, Sent)]
    assert background
    assert not any(event.line for event in background)
