"""The fuzzer: what it finds, how small it makes it, and that it never blames the store for its own bugs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from kvlab.check.claims import CLAIMS, GUARANTEES, NEEDS, Fault
from kvlab.cli import main
from kvlab.cli.fuzz import _config, fuzz_command
from kvlab.cli.run import run_command
from kvlab.cli.stages import stages_command
from kvlab.config import ClusterConfig
from kvlab.fuzz.judge import Judged, Kind, MakeWorld, judge, judge_seed
from kvlab.fuzz.plan import ORDER, plan
from kvlab.fuzz.shrink import ddmin, shrink
from kvlab.fuzz.tell import CLIENT, counterexample, diagram, drawn, narrowed, operations
from kvlab.messages import NodeId
from kvlab.script import session
from kvlab.script.commands import CLAIMS as CHECKS
from kvlab.script.parse import Scenario
from kvlab.script.rehearsal import understood
from kvlab.script.run import Report
from kvlab.stages import STAGES
from kvlab.trace.events import NodeFault, Removed
from kvlab.world.sim import SimWorld
from kvlab.world.world import World
from tests.fuzz.planted import Circling, Denying, Forgetful, Hasty, Raising, with_node

FOUR = ClusterConfig(stage=4, timeout_ms=200)


def first_failure(config: ClusterConfig, make_world: MakeWorld = SimWorld, seeds: int = 60) -> Judged:
    for seed in range(1, seeds + 1):
        judged = judge_seed(config, seed, make_world=make_world)
        assert judged.kind is not Kind.OURS, judged.sentence
        if judged.failed:
            return judged
    raise AssertionError(f"none of {seeds} seeds found the bug")


# -- what is claimed -----------------------------------------------------------------------------


def test_the_table_speaks_of_every_stage_in_the_words_of_the_checks() -> None:
    assert {claim.stage for claim in CLAIMS} == set(range(1, 10))
    assert {claim.guarantee for claim in CLAIMS} == set(GUARANTEES) == set(CHECKS)
    assert {need for claim in CLAIMS for need in claim.needs.split(", ")} == {"", *NEEDS}
    for claim in CLAIMS:
        assert claim.beyond or not claim.mended, claim
        assert claim.mended == 0 or claim.mended >= claim.stage, claim


@pytest.mark.parametrize("stage", [stage.number for stage in STAGES])
def test_a_stage_holds_what_it_claims(stage: int) -> None:
    """More of it: kvlab fuzz N --seeds 1000."""
    for seed in range(1, 9):
        judged = judge_seed(ClusterConfig(stage=stage, timeout_ms=200), seed)
        assert judged.kind is Kind.HOLDS, (seed, judged.sentence)


def test_stage_9_loses_nothing_through_kills_pauses_cuts_loss_and_joins() -> None:
    """Five seeds of what `kvlab fuzz 9 n=3 r=2 w=2 --seeds 1000` does at length: no acknowledged write is
    lost, no delete undone, and all replicas are equal in the end.

    Seen to fail without the exchange of trees: after seed 21 two replicas differ.
    """
    nine = ClusterConfig(stage=9, n=3, r=2, w=2, timeout_ms=200)
    faults = [Fault.RESTART, Fault.AMNESIA, Fault.PAUSE, Fault.PARTITION, Fault.LOSS, Fault.CHANGE]
    judged = [judge_seed(nine, seed, faults) for seed in range(19, 24)]  # that meet all of the faults
    assert [one.sentence for one in judged if one.kind is not Kind.HOLDS] == []
    assert {fault for one in judged for fault in one.plan.faults} == set(faults)
    for one in judged:
        assert {"no-lost-writes", "no-resurrection", "convergence"} <= set(one.plan.checks)


@pytest.mark.parametrize(("stage", "seeds"), [(6, 16), (7, 4), (8, 3), (9, 3)])
def test_with_pruned_contexts_a_stage_still_holds_what_it_claims_then(stage: int, seeds: int) -> None:
    """Seen to fail without `no prune` in the table: stage 6 at seed 8, 7 at 4, 8 at 3, 9 at 2."""
    pruned = ClusterConfig(stage=stage, prune=1, timeout_ms=200, gossip_ms=100, suspect_ms=400, fail_ms=800)
    checked: set[str] = set()
    for seed in range(1, seeds + 1):
        judged = judge_seed(pruned, seed)
        assert judged.kind is Kind.HOLDS, (seed, judged.sentence)
        checked |= {*judged.plan.checks}
    assert checked == {"no-lost-writes", "failed-is-failed", *(["convergence"] if stage == 9 else [])}


@pytest.mark.parametrize(
    ("guarantee", "seed"), [("no-resurrection", 5), ("all-siblings", 7), ("read-your-writes", 5)]
)
def test_what_pruning_costs(guarantee: str, seed: int) -> None:
    """What was replaced or deleted is found again; with whole contexts the same run holds."""
    faults = [Fault.PARTITION, Fault.LOSS, Fault.DELAY, Fault.PAUSE, Fault.RESTART, Fault.DEATH, Fault.CHANGE]
    for prune in (None, 1):
        six = ClusterConfig(stage=6, prune=prune, timeout_ms=200)
        judged = judge_seed(six, seed, faults, [guarantee])
        assert judged.kind is (Kind.HOLDS if prune is None else Kind.VIOLATED), judged.sentence


@pytest.mark.parametrize(
    ("guarantee", "faults"),
    [("linearizable", None), ("convergence", []), ("no-lost-writes", [Fault.AMNESIA])],
)
def test_what_stage_4_does_not_claim_it_does_not_hold(guarantee: str, faults: list[Fault] | None) -> None:
    assert any(judge_seed(FOUR, seed, faults, [guarantee]).failed for seed in range(1, 60))


def test_without_the_write_back_a_counterexample_is_found_and_with_it_the_same_runs_hold() -> None:
    """That r + w > n is not linearizable, and what is written back is. Read repair, which comes a moment
    after the answer, hides nearly all of it: no more than one run in hundreds shows it then."""
    faults = [Fault.DELAY, Fault.LOSS, Fault.PARTITION, Fault.PAUSE]
    for back, expected in ((False, {Kind.VIOLATED}), (True, {Kind.HOLDS})):
        five = ClusterConfig(stage=5, timeout_ms=200, read_repair=False, read_write_back=back)
        judged = [judge_seed(five, seed, faults, ["linearizable"]) for seed in (59, 64, 138)]
        assert {one.kind for one in judged} == expected, [one.sentence for one in judged]


def test_the_claims_are_listed_stage_by_stage() -> None:
    listed = CliRunner().invoke(stages_command, ["4", "--claims"]).stdout.splitlines()
    heads, rows = listed[4], {line.split()[0]: line for line in listed[5:]}
    change = heads.index("change")
    assert rows["no-lost-writes"][change:].split() == ["yes", "(1)"]
    assert rows["linearizable"].split()[1:-1] == ["-"] * len(Fault)
    assert rows[rows["linearizable"].split()[-1]].endswith("(stage 5 mends it)")
    assert CliRunner().invoke(main, ["stages", "12"]).exit_code == 2
    told = CliRunner().invoke(stages_command, ["--claims", "--json"])
    four = next(line for line in map(json.loads, told.stdout.splitlines()) if line["number"] == 4)
    assert {claim["guarantee"] for claim in four["claims"]} == set(GUARANTEES) - {"all-siblings"}


def test_nothing_that_reads_is_checked_before_convergence_and_lost_writes() -> None:
    """Seen to matter: once failed-is-failed had read all keys, a write that one replica held was repaired."""
    assert ORDER[:2] == ("convergence", "no-lost-writes")
    assert sorted(ORDER) == sorted(GUARANTEES)


# -- what is found -------------------------------------------------------------------------------


@pytest.mark.parametrize("node", [Hasty, Forgetful])
def test_a_planted_bug_is_found_and_made_small(node: type[Hasty]) -> None:
    """Seen to fail: the same with the stage as it is, and shrink() left out."""
    made = with_node(node)
    small = shrink(first_failure(FOUR, made), made)
    assert small.failed
    assert len(small.plan.operations) <= 4
    assert len(small.plan.episodes) + len(small.plan.losses) <= 3
    assert len(operations(small)) <= 5  # with the last read, by which it was judged
    assert len(diagram(small)) <= 41


def test_a_write_that_is_said_to_have_failed_and_was_kept_is_found_in_a_few_seeds() -> None:
    """A sibling more is no lost write: by the claims of before, most of these runs held."""
    seven, made = ClusterConfig(stage=7, timeout_ms=200), with_node(Denying)
    judged = [judge_seed(seven, seed, None, ["failed-is-failed"], made) for seed in range(10, 15)]
    found = [one.sentence for one in judged if one.failed]
    assert found
    assert all(sentence.endswith("was said to have failed, and is found") for sentence in found)


def test_a_failure_made_small_is_a_scenario_that_fails_alike() -> None:
    made = with_node(Hasty)
    small = shrink(first_failure(FOUR, made), made)
    read_back = understood(small.plan.text())
    assert read_back.commands == small.plan.scenario().commands
    assert judge(small.plan, made).witness == small.witness


def test_the_same_seed_is_the_same_run_to_the_byte() -> None:
    for seed in (3, 4):
        one, other = (judge(plan(FOUR, seed), recorded=True) for _ in range(2))
        assert one.plan == other.plan
        assert msgspec.json.encode(one.events) == msgspec.json.encode(other.events)


def test_a_bug_that_raises_is_told_as_the_stages() -> None:
    made = with_node(Raising)
    small = shrink(first_failure(FOUR, made), made)
    assert small.kind is Kind.BROKEN
    assert "has a bug: KeyError: 'seven'" in small.sentence
    assert len(small.plan.operations) == 1


def test_code_that_runs_in_a_circle_is_told_as_the_stages() -> None:
    found = first_failure(FOUR, with_node(Circling))
    assert found.kind is Kind.BROKEN
    assert "runs in a circle" in found.sentence


def test_what_never_ends_is_not_waited_for() -> None:
    class Unmended(SimWorld):
        async def heal(self) -> None:
            while True:
                await self.sleep(1)

    found = judge_seed(FOUR, 1, make_world=Unmended)
    assert found.kind is Kind.BROKEN
    assert found.sentence == "after 10 simulated minutes this had not ended: at 977ms heal"


def test_an_error_of_the_checker_is_never_told_as_the_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise ZeroDivisionError("in the checker")

    monkeypatch.setattr(session, "no_lost_writes", stumble)
    judged = judge_seed(FOUR, 1, [], ["no-lost-writes"])
    assert judged.kind is Kind.OURS
    assert "the checker of no-lost-writes failed: ZeroDivisionError" in judged.sentence
    assert judged.history
    assert not judged.failed


def test_a_mistake_in_a_plan_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = plan(FOUR, 1)
    wrong = msgspec.structs.replace(planned, checks=("all-siblings-and-more",))
    assert judge(wrong).kind is Kind.OURS


def test_ddmin_leaves_the_parts_without_which_it_does_not_fail() -> None:
    tried: list[list[int]] = []

    def fails(kept: object) -> bool:
        assert isinstance(kept, list)
        tried.append(kept)
        return {3, 17} <= set(kept)

    assert ddmin(list(range(40)), fails) == [3, 17]
    assert len(tried) < 60


def test_a_counterexample_is_told_in_this_order() -> None:
    made = with_node(Hasty)
    small = shrink(first_failure(FOUR, made), made)
    text = counterexample(small, "kvlab run x.scenario --world sim")
    parts = ["stage 4, replication, does not hold", "operations", "faults", "ms  client", "again   kvlab run"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    narrow = counterexample(small, "kvlab run x.scenario --world sim", columns=60)
    wide, small_one = (told[told.index("      ms  client") : told.index("again ")] for told in (text, narrow))
    assert max(map(len, wide.splitlines())) > 60 >= max(map(len, small_one.splitlines()))


# -- the command ---------------------------------------------------------------------------------


def kvlab_fuzz(*arguments: str) -> Result:
    result = CliRunner().invoke(fuzz_command, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_stage_that_holds_ends_with_0() -> None:
    result = kvlab_fuzz("4", "--seeds", "3")
    assert result.exit_code == 0
    assert result.stdout == "stage 4, replication: 3 of 3 seeds: 3 holds\n"


def test_on_real_processes_a_stage_is_held_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, less in {"SPAN_MS": 200, "SETTLE_MS": 200, "OPERATIONS_MIN": 10, "OPERATIONS_MAX": 20}.items():
        monkeypatch.setattr(f"kvlab.fuzz.plan.{name}", less)
    result = kvlab_fuzz("1", "--seeds", "1", "--world", "process")
    assert result.exit_code == 0, result.output
    assert result.stdout == "stage 1, hashmap: 1 of 1 seeds: 1 holds\n"


def test_tombstones_of_stage_9_are_reaped_before_the_end_of_a_run_and_nothing_comes_back() -> None:
    """With the grace of a real cluster, two minutes, no run lasted until one was: the claim that no delete
    is undone was held against nothing."""
    judged = judge(plan(_config(9, ()), 8), recorded=True)
    assert judged.kind is Kind.HOLDS, judged.sentence
    assert "no-resurrection" in judged.plan.checks
    assert [event for event in judged.events if isinstance(event, Removed) and event.why == "reaped"]
    assert _config(9, ("hintttl=60s",)).grace_ms > 70_000  # with no need to ask for it


def test_on_real_processes_a_bug_in_a_node_is_no_bad_luck_of_the_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Seen to fail: the operation's outcome was unknown, and all that was claimed held."""

    async def stumbling(scenario: Scenario, world: World) -> Report:
        world.tell(NodeFault(world.at_ms(), NodeId("n1"), "KeyError: 'seven'"))
        return Report((), 0, 0)

    monkeypatch.setattr("kvlab.cli.fuzz.run_scenario", stumbling)
    result = kvlab_fuzz("1", "--seeds", "1", "--world", "process", "--out", str(tmp_path))
    assert result.exit_code == 1
    assert "n1 has a bug: KeyError: 'seven'" in result.stdout


def test_what_cannot_be_told_is_no_failure_and_said_with_its_reason() -> None:
    """Of three replicas one is dead at the end, and three have to answer a read."""
    arguments = ("5", "r=3", "w=1", "--faults", "death", "--check", "no-lost-writes", "--seeds", "8")
    result = kvlab_fuzz(*arguments)
    assert result.exit_code == 0
    counted, *told = result.stdout.splitlines()
    assert "undecided" in counted
    assert told
    assert all(re.match(r"seed \d+ is undecided: k\d could not be read at the end", line) for line in told)
    summary = json.loads(kvlab_fuzz(*arguments, "--json").stdout.splitlines()[-1])
    assert len(summary["undecided_seeds"]) == len(told)


def test_a_failure_ends_with_1_and_the_command_that_does_it_again(tmp_path: Path) -> None:
    options = ("--check", "convergence", "--out", str(tmp_path))
    result = kvlab_fuzz("4", *options, "--seeds", "1..20")  # on all cores
    assert result.exit_code == 1
    (path,) = tmp_path.iterdir()
    seed = path.stem.rpartition("-")[2]
    assert f"again   kvlab run {path} --world sim" in result.stdout
    again = CliRunner().invoke(run_command, [str(path), "--world", "sim"])
    assert again.exit_code == 1
    sentence = result.stdout.splitlines()[0].split("convergence: ")[1]
    assert sentence in again.stdout
    told = kvlab_fuzz("4", *options, "--seeds", f"{seed}..{seed}", "--json")  # on this one
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    assert [line["type"] for line in lines] == ["failure", "summary"]
    assert lines[0]["scenario"] == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["12"], "there is no stage 12"),
        (["4", "w=2"], "a number between them is a quorum"),
        (["4", "nodes=x"], "a whole number"),
        (["4", "--faults", "fire"], "there is no fault 'fire'"),
        (["4", "--check", "all-siblings"], "stage 6"),
        (["4", "--seeds", "9..3"], "a number of seeds"),
    ],
)
def test_what_makes_no_sense_ends_with_2(arguments: list[str], said: str) -> None:
    result = kvlab_fuzz(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_an_error_of_ours_ends_with_2_and_keeps_the_history(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stumble(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(session, "no_lost_writes", stumble)
    arguments = ("4", "--seeds", "1", "--check", "no-lost-writes", "--out", str(tmp_path))
    result = kvlab_fuzz(*arguments)
    assert result.exit_code == 2
    assert "an error in kvlab, not in the stage" in result.stderr
    assert json.loads((tmp_path / "fuzz-4-1.history.json").read_text(encoding="utf-8"))


def test_a_long_run_says_how_far_it_is_where_no_bar_can_be_seen() -> None:
    told = kvlab_fuzz("1", "--seeds", "200", "--faults", "restart", "--json")
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    assert lines[0] == {"type": "progress", "seeds": 10, "of": 200}
    assert [line["type"] for line in lines] == ["progress"] * 19 + ["summary"]


NODES = [NodeId(name) for name in ("n1", "n2", "n9", "n10")]
WIDE = drawn(
    [
        (1, CLIENT, NODES[0], False, "put k old"),
        (2, NODES[0], NODES[2], True, "Keep LOST (partition)"),
        (3, NodeId(""), NodeId(""), False, "-- partition n1 n2 n9 | n10"),
        (14, NODES[3], NODES[0], False, "Kept"),
    ]
)


@pytest.mark.parametrize("columns", [90, 80, 70, 60])
def test_a_diagram_in_a_narrow_terminal_keeps_every_arrow_every_x_and_every_word(columns: int) -> None:
    narrow = narrowed(WIDE, columns)
    assert max(map(len, narrow)) <= columns
    assert (narrow == WIDE) is (columns >= max(map(len, WIDE)))
    for what in ("|-", "->|", "X", "|<-", "| n10"):
        assert sum(line.count(what) for line in narrow) == sum(line.count(what) for line in WIDE), what
    assert " ".join(" ".join(narrow).split()).count("-- partition n1 n2 n9 | n10") >= (columns > 60)
    assert [line[:10] for line in narrow if line[:10].strip()] == [line[:10] for line in WIDE]


def test_how_many_rows_a_diagram_leaves_out_is_told_in_a_narrow_terminal_too() -> None:
    many = drawn([(i, CLIENT, NODES[0], False, "put k v") for i in range(50)])
    assert narrowed(many, 40)[-1] == many[-1] == "          ... and 10 rows more"
    assert narrowed([], 40) == []


def test_a_node_that_could_not_be_restarted_while_it_was_to_be_removed_is_restarted_at_the_end() -> None:
    """In seed 920 a removal fails, and the restart that comes meanwhile is refused: n1 would stay down."""
    judged = judge_seed(_config(9, ["n=3", "r=2", "w=2"]), 920)
    assert "remove n1" in judged.plan.text()
    assert (judged.kind, judged.sentence) == (Kind.HOLDS, "")
