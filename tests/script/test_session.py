"""Scripts on a simulated cluster: what they do, what they expect, and what is said when it is not so."""

from __future__ import annotations

import asyncio
import contextlib
import re
import weakref
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from textwrap import dedent
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvlab.config import ClusterConfig
from kvlab.errors import Outcome, UserError
from kvlab.messages import NodeId, OpId
from kvlab.script.commands import Load
from kvlab.script.load import LoadSummary, Tally, percentile, run_load
from kvlab.script.parse import ScriptError, parse_line
from kvlab.script.rehearsal import read_scenario, understood
from kvlab.script.run import Report, config_of, run_scenario
from kvlab.script.session import Session, Step
from kvlab.trace import events
from kvlab.trace.events import AnyEvent
from kvlab.world.control import Result
from kvlab.world.sim import SimWorld

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.scenario"))


def run(text: str, said: list[str] | None = None, watched: list[AnyEvent] | None = None) -> Report:
    """Run a script in the simulator."""
    scenario = understood(text)
    world = SimWorld(config_of(scenario))
    if watched is not None:
        world.watch(watched.append)
    tell = said.append if said is not None else lambda text: None

    async def main() -> Report:
        async with world:
            return await run_scenario(scenario, world, say=tell)

    return world.run(main())


def steps(text: str) -> list[Step]:
    report = run(text)
    assert report.holds, report.failure
    return list(report.steps)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_example_scenarios_hold_in_the_simulator(path: Path) -> None:
    scenario = read_scenario(path)
    world = SimWorld(config_of(scenario))

    async def main() -> Report:
        async with world:
            return await run_scenario(scenario, world)

    report = world.run(main())
    assert report.failure is None


def test_an_expectation_that_fails_names_the_line_what_was_expected_and_what_was_found() -> None:
    report = run("cluster stage=4\nput k milk\nexpect get k = bread\nput k never\n")
    assert report.failure is not None
    assert report.failure.line == 3
    assert report.failure.expected == "get k = bread"
    assert report.failure.found.startswith("milk")
    assert [operation.kind for operation in report.last] == ["put", "get"]
    assert len(report.steps) == 2  # nothing after it was done


def test_a_command_that_turns_out_to_make_no_sense_points_at_its_line() -> None:
    with pytest.raises(ScriptError, match="cannot kill n1: it is down") as caught:
        run("cluster stage=4\nkill n1\nkill n1\n")
    assert caught.value.problems[0].number == 3


def test_wait_until_gives_up_after_its_limit_of_world_time() -> None:
    report = run("cluster stage=4\nwait until get k = v within 200ms\n")
    assert report.failure is not None
    assert "within 200ms" in report.failure.expected
    assert 200 <= report.took_ms < 300


def test_wait_until_goes_on_while_no_node_is_up() -> None:
    report = run("cluster stage=1\nkill n1\nwait until get k = missing within 100ms\n")
    assert report.failure is not None
    assert report.failure.found == "no node is up"


def test_places_are_resolved_when_they_are_spoken_of() -> None:
    put, where, killed = steps(
        "cluster stage=4\nput k v via k#out\nexpect replicas k = k#1 k#2 k#3\nkill k#2\n"
    )
    homes = dict(where.nodes)
    assert dict(put.nodes)["k#out"] not in homes.values()
    assert dict(killed.nodes) == {"k#2": homes["k#2"]}


def test_a_killed_home_replica_can_be_named_when_no_node_is_up() -> None:
    steps("cluster stage=1\nkill k#1\nrestart k#1\nexpect get k = missing\n")


def test_a_dead_node_makes_nothing_true() -> None:
    for condition in ("k at n1 = missing", "k at n1 != v", "keys at n1 >= 0"):
        report = run(f"cluster stage=4\nkill n1\nexpect {condition}\n")
        assert report.failure is not None
        assert report.failure.found == "n1 is down: nothing can be seen there"


def test_the_result_before_has_an_outcome_and_the_name_of_its_error() -> None:
    steps(
        "cluster stage=4\nkill k#1\nput k v via k#2\n"
        "expect result = unknown\nexpect result = ReplicasMissing\n"
        "expect result != ok\nadd n6\nexpect result != ok\n"
        "restart k#1\nput k v\nexpect result = ok\n"
    )


def test_result_with_no_operation_before_it_is_a_mistake() -> None:
    with pytest.raises(ScriptError, match="there was none yet"):
        run("cluster stage=4\nexpect result = ok\n")


def test_say_and_predict_are_told_to_the_audience_and_to_whoever_watches() -> None:
    said: list[str] = []
    watched: list[AnyEvent] = []
    run('cluster stage=4\nsay "Look."\npredict "How many?" = "Three."\n', said, watched)
    assert said == ["Look.", "Predict: How many?", "Answer: Three."]
    assert [event.text for event in watched if isinstance(event, events.Said)] == said
    assert [event.line for event in watched if isinstance(event, events.ScriptLine)] == [
        'say "Look."',
        'predict "How many?" = "Three."',
    ]


def test_a_load_starts_its_operations_on_time_though_none_is_answered() -> None:
    """Stage 4 with a dead replica answers a write after 500 ms; 100 a second are started all the same."""
    report = run("cluster stage=4 nodes=3\nkill n3\nload 100/s for 1s reads=0%\n")
    load = report.steps[-1]
    assert load.text.startswith("100 operations: 0 ok, 0 failed, 100 unknown")
    assert load.took_ms < 2000


def test_a_load_can_be_stopped_and_what_it_has_begun_is_still_answered() -> None:
    done = steps("cluster stage=4\nat 0ms load 100/s for 1m reads=0%\nat 505ms load stop\n")
    load = next(step for step in done if isinstance(step.command, Load))
    assert load.text.startswith("51 operations: 51 ok")
    assert load.took_ms < 600
    assert steps("cluster stage=4\nload stop\n")[-1].text == "no load was under way"


def test_a_load_bounds_the_operations_under_way() -> None:
    report = run("cluster stage=4 nodes=3\nkill n3\nload 5000/s for 400ms reads=0%\n")
    assert "512 operations" in report.steps[-1].text
    assert "1488 held back" in report.steps[-1].text


def test_a_load_keeps_nothing_of_an_operation_that_has_ended() -> None:
    """One of 500 a second for an hour would fill the memory with what is told in one line at its end."""
    tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
    most = 0

    async def perform(kind: str, key: bytes, value: bytes, via: str | None) -> Result:
        nonlocal most
        tasks.add(cast("asyncio.Task[Any]", asyncio.current_task()))
        most = max(most, len(tasks))
        return Result(OpId("n1.0.1"), kind, key, NodeId("n1"), Outcome.OK, took_ms=0.26)

    world = SimWorld(ClusterConfig(stage=1, nodes=1))

    async def main() -> LoadSummary:
        async with world:
            return await run_load(Load(500, 10_000), world, perform, Random(1), "load1")

    summary = world.run(main())
    assert (summary.started, summary.ok, summary.p50_ms, summary.max_ms) == (5000, 5000, 0.3, 0.26)
    assert most < 50


@given(st.lists(st.floats(0, 2000), min_size=1), st.sampled_from([0.01, 0.5, 0.99, 1.0]))
def test_the_percentiles_of_a_load_are_right_to_a_tenth_of_a_ms(times: list[float], share: float) -> None:
    tally = Tally()
    for took_ms in times:
        tally.add(Result(OpId("n1.0.1"), "get", b"k", NodeId("n1"), Outcome.OK, took_ms=took_ms))
    assert tally.percentile(share) == pytest.approx(percentile(sorted(times), share), abs=0.0500001)
    assert tally.max_ms == max(times)


def test_a_load_writes_each_value_once_and_the_same_ones_with_the_same_seed() -> None:
    text = "cluster stage=4 seed={}\nload 200/s for 500ms keys=5 zipf\ncheck linearizable\n"
    first, again, other = (run(text.format(seed), watched=[]) for seed in (1, 1, 2))
    assert first.steps[0].text.startswith("100 operations: 100 ok")
    assert [step.took_ms for step in first.steps] == [step.took_ms for step in again.steps]
    assert [step.took_ms for step in first.steps] != [step.took_ms for step in other.steps]


@pytest.mark.parametrize("stage", [6, 9])
def test_a_load_writes_with_what_it_has_seen_and_leaves_no_pile_of_siblings(stage: int) -> None:
    text = f"cluster stage={stage}\nload 100/s for 8s keys=2\nexpect siblings key:1 < 8\n"
    report = run(text + "check no-lost-writes\n")
    assert report.failure is None, report.failure


def test_a_write_lost_with_its_only_copy_is_found_by_the_check() -> None:
    report = run("cluster stage=3\nput k v\nkill k#1\nrestart k#1\ncheck no-lost-writes\n")
    assert report.failure is not None
    assert report.failure.expected == "no-lost-writes"
    assert [operation.kind for operation in report.failure.witness] == ["put", "get"]


def test_replicas_that_differ_are_found_by_the_check() -> None:
    report = run("cluster stage=4\nput k v\nkill k#2\nrestart k#2\ncheck convergence\n")
    assert report.failure is not None
    assert "holds nothing" in report.failure.found


def test_a_command_typed_by_hand_is_refused_before_anything_is_told() -> None:
    world = SimWorld(config_of(understood("cluster stage=4")))
    watched: list[AnyEvent] = []

    async def main() -> None:
        async with world:
            world.watch(watched.append)
            session = Session(world)
            for line in ("kill n9", "expect hints total = 0", "cluster stage=4"):
                with pytest.raises(UserError):
                    await session.do(parse_line(line))

    world.run(main())
    assert not watched


def test_commands_under_way_at_once_each_name_their_own_nodes() -> None:
    world = SimWorld(config_of(understood("cluster stage=4")))

    async def main() -> tuple[Step, Step]:
        async with world:
            session = Session(world)
            slow = asyncio.create_task(session.do(parse_line("wait until get a via a#1 = v within 200ms")))
            await world.sleep(0.01)
            quick = await session.do(parse_line("get b via b#2"))
            return await slow, quick

    slow, quick = world.run(main())
    assert [place for place, _ in slow.nodes] == ["a#1"]
    assert [place for place, _ in quick.nodes] == ["b#2"]


@pytest.mark.parametrize(
    ("lines", "how"),
    [
        ("kill n1", []),
        ("kill n1\nkill n1", [("kill n1", "not done")]),
        ("kill n1\nput k v via n1", [("put k v via n1", "failed")]),
        ("kill k#1\nput k v via k#2", [("put k v via k#2", "unknown")]),
        ("kill n1\nadd n6", [("add n6", "failed")]),
        ("expect get k = v", [("expect get k = v", "does not hold")]),
    ],
)
def test_a_line_that_fell_short_is_told_as_such(lines: str, how: list[tuple[str, str]]) -> None:
    watched: list[AnyEvent] = []
    with contextlib.suppress(ScriptError):
        run(f"cluster stage=4\n{lines}\n", watched=watched)
    told = [event for event in watched if isinstance(event, events.LineFailed)]
    assert [(event.line, event.how) for event in told] == how
    lines_told = [(event.at_ms, event.line) for event in watched if isinstance(event, events.ScriptLine)]
    assert all((event.told_ms, event.line) in lines_told for event in told)


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ("kill n1\nput k v via n1", "NodeDown"),
        ("kill k#1\nput k v via k#2", "ReplicasMissing"),
        ("kill n1\nadd n6", "RingChangeFailed"),
        ("kill n1\nexpect get k via n1 = v", ""),
    ],
)
def test_a_person_reads_words_and_a_program_the_name_of_the_error(lines: str, error: str) -> None:
    report = run(f"cluster stage=4\n{lines}\n")
    step = report.steps[-1]
    assert step.error == error
    said = step.text + (report.failure.found if report.failure else "")
    assert not re.search("[a-z][A-Z]", said), said
    assert "failed" in said or "unknown" in said


def test_who_expects_an_error_by_name_reads_the_name_of_the_one_that_came() -> None:
    report = run("cluster stage=4\nkill n1\nput k v via n1\nexpect result = ReplicasMissing\n")
    assert report.failure is not None
    assert report.failure.found.startswith("NodeDown, failed: n1")


def test_a_percentile_is_the_nearest_rank() -> None:
    values = [float(i) for i in range(1, 101)]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert percentile([], 0.5) == 0


# -- timelines -----------------------------------------------------------------------------------


def test_the_lines_of_a_timeline_are_begun_at_once_and_the_line_after_it_waits_for_them_all() -> None:
    timeline = "at 50ms put k b via n2\nat 10ms put k a via n1\nat 52ms get k via n1\nwait 5ms\n"
    done = steps(f"cluster stage=4\nwait 1s\n{timeline}")[1:]
    assert [(str(step.command), step.at_ms) for step in done[:1]] == [("put k a via n1", 1010)]
    assert {str(step.command): step.at_ms for step in done[1:3]} == {
        "put k b via n2": 1050,
        "get k via n1": 1052,
    }
    assert done[3].at_ms > 1052
    assert done[1].at_ms + done[1].took_ms > 1050  # the two overlapped


def test_what_makes_no_sense_at_its_moment_is_left_out_of_a_timeline() -> None:
    report = run("cluster stage=4\nat 1ms resume n2\nat 2ms kill n3\nat 3ms kill n3\n")
    assert report.holds
    assert [step.text for step in report.steps] == [
        "left out: cannot resume n2: it is up, not paused",
        "",
        "left out: cannot kill n3: it is down, not up or paused",
    ]


NAMED = "cluster stage=4 nodes=4 chance=named timeout=100ms seed={seed}\n"


def test_one_message_can_be_lost_by_its_name() -> None:
    told: list[AnyEvent] = []
    text = (
        NAMED.format(seed=3) + "lose Keep of w1 from n1 to k#3\nput k a via n1 as w1\nput k b via n1 as w2\n"
    )
    report = run(text, watched=told)
    lost = [(event.op, event.kind) for event in told if isinstance(event, events.MessageDropped)]
    assert lost == [("w1", "Keep")]
    assert [step.outcome for step in report.steps[1:]] == ["unknown", "ok"]


def messages_of(op: str, told: list[AnyEvent]) -> list[tuple[float, str, str, str]]:
    """When each of its messages arrived or was lost, whatever number it had."""
    kinds = events.Delivered | events.MessageDropped
    return [
        (event.at_ms, type(event).__name__, event.node, event.kind)
        for event in told
        if isinstance(event, kinds) and event.op == op
    ]


@pytest.mark.parametrize("seed", range(5))
def test_leaving_out_an_operation_changes_nothing_for_the_messages_of_the_others(seed: int) -> None:
    """With chance from one stream it does: then this fails."""
    first = "at 1ms put a x via n2 as w1\n"
    rest = "at 0ms lose n1 30%\nat 3ms put k a via n1 as w2\nat 4ms put k b via n3 as w3\n"
    whole: list[AnyEvent] = []
    part: list[AnyEvent] = []
    run(NAMED.format(seed=seed) + first + rest, watched=whole)
    run(NAMED.format(seed=seed) + rest, watched=part)
    for op in ("w2", "w3"):
        assert messages_of(op, whole) == messages_of(op, part) != []


def test_repairs_are_counted_where_they_are_made() -> None:
    steps(
        "cluster stage=5 nodes=4\n"
        "put k old w=3\n"
        "partition k#3 | k#1 k#2 k#out\n"
        "put k new via k#out\n"
        "heal\n"
        "expect repairs total = 0\n"
        "get k via k#out r=3\n"
        "wait until k at k#3 = new\n"
        "expect repairs k#out = 1\n"
        "expect repairs k#1 = 0\n"
        "expect repairs total = 1\n"
        "expect repairs total < 2\n"
    )


def test_what_rots_at_one_node_is_sound_at_the_others() -> None:
    steps(
        "cluster stage=4 nodes=3\n"
        "put k milk\n"
        "rot k at k#2\n"
        "expect k at k#2 != milk\n"
        "expect k at k#1 = milk\n"
        "expect k at k#3 = milk\n"
    )


# -- a long life ------------------------------------------------------------------------------------


def test_a_session_that_may_forget_keeps_no_more_than_it_may_and_a_check_says_so() -> None:
    async def main(session: Session) -> list[Step]:
        await session.do(parse_line("put k x via n1"))
        for i in range(30):
            await session.do(parse_line(f"put other{i % 3} {i} via n1"))
        assert len(session.history) <= 12
        assert session.forgotten + len(session.history) == 31
        return [await session.do(parse_line(f"check {claim}")) for claim in ("linearizable", "convergence")]

    linear, copies = forgetful(main)
    assert linear.failure is None
    assert "oldest operations are not kept any more, and were not looked at" in linear.text
    assert "oldest" not in copies.text, "convergence looks at what is there"


def test_what_seems_wrong_where_older_operations_are_forgotten_is_no_proof_and_elsewhere_it_is() -> None:
    async def main(session: Session) -> list[Step]:
        told = []
        for key in ("k", "fresh"):
            await session.do(parse_line(f"put {key} x via n1"))
            if key == "k":
                for i in range(30):
                    await session.do(parse_line(f"put other {i} via n1"))
            else:  # the write that makes it good is not known, as if it had never been
                del session.history[-1]
            cut = ("partition n1 | n2 n3", "wait 3s", f"put {key} x via n1", "expect result = failed")
            for line in (*cut, "heal", "wait 3s", f"get {key} via n2", "expect result = ok"):
                assert (await session.do(parse_line(line))).failure is None
            told.append(await session.do(parse_line("check failed-is-failed")))
        return told

    lost, proven = forgetful(main)
    assert lost.text.startswith("undecided: put k x was said to have failed, and is found; the ")
    assert proven.text.startswith("illegal: put fresh x was said to have failed")


def forgetful(main: Callable[[Session], Awaitable[list[Step]]]) -> list[Step]:
    """Do this in a session that knows ten operations."""
    world = SimWorld(config_of(understood("cluster stage=2 nodes=3 choice=cp timeout=300ms")))

    async def do() -> list[Step]:
        async with world:
            return await main(Session(world, history_max=10))

    return world.run(do())


def test_one_line_after_the_other_is_one_operation_after_the_other_though_virtual_time_stands_still() -> None:
    """No operation ends when the next begins: a read of the old value after one of the new is a proof."""
    text = """
        cluster stage=5 nodes=4 repair=off chance=named
        put  k old via k#out w=3
        lose Keep of late from k#out to k#2
        lose Keep of late from k#out to k#3
        put  k new via k#out as late
        get  k via k#1
        lose Fetch of last from k#3 to k#1
        get  k via k#3 as last
        check linearizable
    """
    report = run(dedent(text))
    assert report.failure is not None
    assert report.failure.expected == "linearizable"
    assert [op.found for op in report.failure.witness] == [(), (b"new",), (b"old",)]
    for one, next_one in pairwise(report.history):
        assert one.start_ms <= one.end_ms < next_one.start_ms
