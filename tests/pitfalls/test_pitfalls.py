"""The pitfalls of real stores, each a scenario named after it, which fails when the pitfall is planted.

A `.scenario` file beside this module tells one pitfall: what goes wrong, which stages meet it, what mends it.
It runs in the simulator, where quick on real processes too, and then once more for each way in which the
pitfall can be put back: by a bug (planted.py), by a setting that turns the mend off, or by the stage before
the mend. Each of these runs must fail, at the line that is named here. So that the scenarios can fail was not
seen once, by hand, but is seen each time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kvlab.script.parse import Scenario
from kvlab.script.rehearsal import read_scenario
from kvlab.script.run import Report, config_of, run_scenario
from kvlab.world.world import World
from tests.pitfalls import planted
from tests.worlds import fall_short, run_in, why

HERE = Path(__file__).parent
TESTS = HERE.parent

FILES = sorted(HERE.glob("*.scenario"))

Bug = Callable[[pytest.MonkeyPatch], None]


class Planted(msgspec.Struct, frozen=True):
    """One way to put a pitfall back, and what the scenario then expects in vain."""

    fails: str
    bug: Bug | None = None
    cluster: dict[str, Any] = {}
    """Options of `cluster` that are changed: a mend turned off, or the stage before it."""

    @property
    def name(self) -> str:
        changed = [f"{option}={value}" for option, value in self.cluster.items()]
        return " ".join([*([self.bug.__name__] if self.bug else []), *changed])


PLANTED: dict[str, tuple[Planted, ...]] = {
    "01_quorum_is_not_linearizable": (Planted("linearizable", cluster={"writeback": False}),),
    "02_failed_write_is_not_rolled_back": (Planted("no-lost-writes", planted.unknown_is_called_failed),),
    "03_failed_minority_write_wins": (
        Planted("get k via k#out != minority", cluster={"stage": 5}),
        Planted("get k via k#out != minority", cluster={"resolve": "newest"}),
    ),
    "04_stand_ins_counted": (Planted("result = QuorumNotReached", cluster={"hints": True}),),
    "05_nothing_found_counts_towards_r": (
        Planted("no-lost-writes", cluster={"stage": 5}),
        Planted("no-lost-writes", cluster={"stage": 8}),
        Planted("no-lost-writes", cluster={"antientropy": False}),
    ),
    "06_two_copies_on_one_host": (Planted("result = QuorumNotReached", planted.any_healthy_node_stands_in),),
    "07_vnodes_of_one_host": (Planted("keys at n2 = 20", planted.tokens_are_taken_for_nodes),),
    "08_sibling_explosion": (Planted("siblings k = 2", planted.siblings_share_one_clock),),
    "09_clients_number_writes": (Planted("siblings k = 2", planted.writers_count_for_themselves),),
    "10_any_coordinator_numbers_writes": (Planted("get k via n2 = v5", planted.any_coordinator_numbers),),
    "11_pruning_makes_false_conflicts": (Planted("get k via k#out = v5", cluster={"prune": 1}),),
    "12_blind_write_overwrites": (
        Planted("get k via k#out != two", cluster={"stage": 5}),
        Planted("get k via k#out != two", planted.blind_writes_have_seen_all),
    ),
    "13_clock_amnesia": (Planted("all-siblings", planted.nodes_are_actors),),
    "14_doomstone": (Planted("get k via k#2 = new", planted.nodes_are_actors),),
    "15_resurrection": (Planted("k at k#3 = missing within 5s", planted.each_reaps_for_itself),),
    "15_resurrection_by_a_clock_set_back": (
        Planted("no-resurrection", planted.hints_expire_by_the_clock_on_the_wall),
    ),
    "16_expired_and_anti_entropy": (
        Planted("k at k#3 = missing", planted.what_expires_takes_its_context_along),
    ),
    "16_expired_on_one_replica": (Planted("get k via k#3 = missing", planted.what_expires_leaves_nothing),),
    "17_deleted_before_the_owner_has_it": (
        Planted("hints total = 1", planted.hints_are_deleted_when_sent),
        Planted("k at k#3 = newest", planted.hints_overwrite),
    ),
    "18_hint_window_exceeded": (
        Planted("k at k#3 = new within 10s", cluster={"stage": 8}),
        Planted("k at k#3 = new within 10s", cluster={"antientropy": False}),
    ),
    "19_paused_observer_convicts_everybody": (
        Planted("n1 sees n2 = alive", planted.pauses_count_as_silence),
    ),
    "20_restart_counts_from_nothing": (
        Planted("n1 sees n2 = alive within 2s", planted.heartbeats_alone_are_compared),
    ),
    "21_the_dead_resurrected_by_hearsay": (
        Planted("n1 sees n3 = failed", planted.hearsay_is_a_sign_of_life),
    ),
    "22_down_is_not_left": (Planted("replicas key:1 = n4 n5 n1", planted.who_failed_is_struck_off),),
    "23_join_loses_writes": (Planted("no-lost-writes", planted.writes_are_not_passed_on),),
    "24_all_replicas_in_one_zone": (Planted("no-lost-writes", planted.zones_are_not_looked_at),),
    "25_repairs_that_never_end": (Planted("repairs total <= 9", planted.copies_are_hashed_as_they_come),),
    "26_repair_overwrites_what_was_written_meanwhile": (Planted("all-siblings", planted.repairs_overwrite),),
    "29_bit_rot": (
        Planted("k at k#2 = milk", cluster={"stage": 8}),
        Planted("k at k#2 = milk", planted.trees_are_never_rebuilt),
    ),
    "30_skew_of_the_clock": (Planted("no-lost-writes", cluster={"stage": 5}),),
    "30_ties_of_the_clock": (Planted("convergence", planted.the_first_of_a_tie_stays),),
    "31_copies_fall_below_w": (
        Planted("get k via k#out = new", cluster={"stage": 5}),
        Planted("get k via k#out = new", cluster={"antientropy": False}),
    ),
    "32_late_replies_dropped": (Planted("convergence", planted.late_answers_are_dropped),),
}
"""For each file the ways in which its pitfall is planted."""

ON_PROCESSES = (
    "02_failed_write_is_not_rolled_back",
    "03_failed_minority_write_wins",
    "04_stand_ins_counted",
    "06_two_copies_on_one_host",
    "08_sibling_explosion",
    "09_clients_number_writes",
    "10_any_coordinator_numbers_writes",
    "11_pruning_makes_false_conflicts",
    "12_blind_write_overwrites",
    "13_clock_amnesia",
    "16_expired_on_one_replica",
    "17_deleted_before_the_owner_has_it",
    "30_skew_of_the_clock",
    "30_ties_of_the_clock",
    "32_late_replies_dropped",
)
"""The files that are quick there. The others were seen to hold there as well, in up to a minute each
(`kvlab run FILE --world process`); but 01 speaks of a single message, which no real network can be told to
lose."""

UP_TO = {
    "01_quorum_is_not_linearizable": 5,  # from stage 6 on, siblings are no register
    "02_failed_write_is_not_rolled_back": 7,  # where stand-ins confirm a write, it is done
    "16_expired_on_one_replica": 7,  # a hint tells the replica that missed the value
}
"""The last stage of which a scenario can be asked, if later ones begin with something else."""

ELSEWHERE: dict[int, tuple[tuple[str, str], ...]] = {
    # Trees over different ranges, while the ring changes: a script does not meet so short a moment.
    27: (
        ("services/test_anti_entropy.py", "test_trees_of_different_rings_are_not_compared"),
        ("services/test_anti_entropy.py", "test_a_key_of_another_range_is_not_taken"),
        ("services/test_anti_entropy.py", "test_while_the_ring_changes_no_trees_are_compared"),
    ),
    # Rebuilding starves clients: in the simulator work takes no time. It can be seen to be done in parts.
    28: (
        (
            "services/test_anti_entropy.py",
            "test_a_change_of_the_ring_in_the_middle_of_rebuilding_is_not_taken_for_rot",
        ),
        ("services/test_anti_entropy.py", "test_large_values_come_in_several_messages_and_in_one_exchange"),
        ("services/test_handoff.py", "test_many_hints_come_home_in_chunks_one_a_period"),
    ),
}
"""Pitfalls that no scenario can show, and the tests that hold them: file under tests/, and name."""


def scenario_of(name: str) -> Scenario:
    return read_scenario(HERE / f"{name}.scenario")


def changed(scenario: Scenario, **options: Any) -> Scenario:
    """The same lines on another cluster."""
    if not options:
        return scenario
    cluster = msgspec.structs.replace(scenario.cluster, **options)
    first = msgspec.structs.replace(scenario.lines[0], command=cluster)
    return Scenario(scenario.name, (first, *scenario.lines[1:]))


def later_stages() -> Iterator[tuple[str, int]]:
    """Every scenario with each stage after its own that has to do as well."""
    for path in FILES:
        own = scenario_of(path.stem).cluster.stage
        yield from ((path.stem, stage) for stage in range(own + 1, UP_TO.get(path.stem, 9) + 1))


def run(scenario: Scenario) -> Report:
    async def body(world: World) -> Report:
        return await run_scenario(scenario, world)

    return run_in("sim", config_of(scenario), body)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_pitfall_is_avoided_in_the_simulator(path: Path) -> None:
    """By its own seed, and not by luck: by others, too."""
    scenario = read_scenario(path)
    for seed in (scenario.cluster.seed, 2, 3):
        report = run(changed(scenario, seed=seed))
        assert report.holds, f"seed {seed}, {why(report)}"


@pytest.mark.parametrize(("name", "stage"), list(later_stages()))
def test_no_later_stage_falls_into_it_again(name: str, stage: int) -> None:
    report = run(changed(scenario_of(name), stage=stage))
    assert report.holds, why(report)


@pytest.mark.parametrize("some", [ON_PROCESSES[i::4] for i in range(4)])
def test_the_pitfalls_are_avoided_on_processes(some: tuple[str, ...]) -> None:
    assert fall_short({name: scenario_of(name) for name in some}) == {}


@pytest.mark.parametrize(
    ("name", "how"),
    [pytest.param(name, how, id=f"{name}-{how.name}") for name, ways in PLANTED.items() for how in ways],
)
def test_planted_back_the_pitfall_makes_the_scenario_fail(
    name: str, how: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how.bug is not None:
        how.bug(monkeypatch)
    report = run(changed(scenario_of(name), **how.cluster))
    assert report.failure is not None
    assert report.failure.expected == how.fails, why(report)


def test_every_scenario_is_seen_to_fail() -> None:
    assert sorted(PLANTED) == [path.stem for path in FILES]
    assert all(PLANTED.values())


def test_every_pitfall_is_held_by_a_scenario_or_by_tests_elsewhere() -> None:
    here = {int(path.stem[:2]) for path in FILES}
    assert not here & set(ELSEWHERE)
    assert here | set(ELSEWHERE) == set(range(1, 33))


@pytest.mark.parametrize(("file", "name"), [test for tests in ELSEWHERE.values() for test in tests])
def test_the_tests_that_hold_the_others_exist(file: str, name: str) -> None:
    assert f"def {name}(" in (TESTS / file).read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_scenario_tells_its_pitfall_who_meets_it_and_what_mends_it(path: Path) -> None:
    text = path.read_text()
    assert re.match(rf"# Pitfall {int(path.stem[:2])}[ab]?: .+\n", text)
    assert re.search(r"^# Met by: .+\n# Mended by: .+", text, re.MULTILINE)
