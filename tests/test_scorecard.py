"""The scorecard: one workload, one schedule of faults, and what each stage makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from kvlab import scorecard
from kvlab.check.history import Operation
from kvlab.check.writes import stale_reads
from kvlab.cli import main
from kvlab.errors import Outcome, UserError
from kvlab.scorecard import Score
from kvlab.world.sim import SimWorld


def measured(*numbers: int) -> dict[str, Score]:
    found = {}
    for name, config in scorecard.entries(numbers, seed=1):
        world = SimWorld(config)

        async def fill(world: SimWorld = world, name: str = name) -> Score:
            async with world:
                return await scorecard.score(name, world)

        found[name] = world.run(fill())
    return found


@pytest.fixture(scope="module")
def card() -> dict[str, Score]:
    return measured(1, 2, 3, 4, 5, 8, 9)


def test_one_server_is_the_fastest_and_dies_with_its_data(card: dict[str, Score]) -> None:
    one = card["1 hashmap"]
    assert all(one.p50_ms <= other.p50_ms for other in card.values())
    assert (one.requests, one.data, one.dead) == (1, 1, 0)
    assert (one.cut, one.moved) == (None, None)
    assert one.lost == one.keys > 100


def test_a_choice_between_consistent_and_available_is_one(card: dict[str, Score]) -> None:
    refusing, going_on = card["2 cap, cp"], card["2 cap, ap"]
    assert refusing.stale == 0 < going_on.stale
    assert refusing.cut is not None
    assert refusing.cut < 1 == going_on.cut == going_on.dead
    assert refusing.dead < 1
    assert refusing.data == going_on.data == 1


def test_a_ring_holds_more_and_takes_more_than_one_server_and_copies_take_of_that(
    card: dict[str, Score],
) -> None:
    assert card["3 ring"].data > 3
    assert card["3 ring"].requests > 1.5
    assert 1 < card["4 replication"].data < card["3 ring"].data / 2


@pytest.mark.parametrize("stage", [3, 4, 5, 8, 9])
def test_a_newcomer_gets_about_its_share(card: dict[str, Score], stage: int) -> None:
    (score,) = (score for score in card.values() if score.stage == stage)
    assert score.moved == pytest.approx(1 / 6, abs=0.08)


def test_copies_outlive_a_node_and_a_quorum_does_not_wait_for_it(card: dict[str, Score]) -> None:
    assert card["3 ring"].lost > 0  # its one copy
    assert card["4 replication"].dead < 0.95  # a write waits for all
    assert card["4 replication"].lost > 0  # who came back empty is asked first
    assert card["5 quorum"].dead == 1
    assert card["5 quorum"].lost == 0
    assert card["5 quorum"].stale == 0


def test_a_sloppy_quorum_goes_on_through_a_cut_for_the_price_of_stale_reads(card: dict[str, Score]) -> None:
    strict, sloppy = card["5 quorum"], card["8 sloppy quorum"]
    assert strict.cut is not None
    assert sloppy.cut is not None
    assert strict.cut < 0.8 < 0.9 < sloppy.cut
    assert strict.stale == 0 < sloppy.stale


def test_only_trees_make_all_replicas_the_same_without_a_read(card: dict[str, Score]) -> None:
    assert card["9 merkle"].differ == 0
    assert all(card[name].differ > 0 for name in ("4 replication", "5 quorum", "8 sloppy quorum"))
    assert card["9 merkle"].lost == 0


def test_the_same_seed_gives_the_same_card(card: dict[str, Score]) -> None:
    assert measured(2)["2 cap, ap"] == card["2 cap, ap"]


def test_the_rows_stand_under_their_heads_and_fit_a_terminal(card: dict[str, Score]) -> None:
    for score in card.values():
        line = scorecard.row(score)
        assert len(line) == len(scorecard.HEAD[1]) == 80
        assert line.startswith(score.name)


@pytest.mark.parametrize("page", ["docs/index.md", "chapters/09_merkle/lesson.md"])
def test_what_is_measured_is_what_is_shown(page: str, card: dict[str, Score]) -> None:
    lines = (Path(__file__).parents[1] / page).read_text(encoding="utf-8").splitlines()
    shown = {line.strip() for line in lines}
    missing = [
        line for line in (*scorecard.HEAD, *map(scorecard.row, card.values())) if line.strip() not in shown
    ]
    assert not missing, f"{page} shows another card than `kvlab scorecard` prints: put its output there"


def test_a_stage_that_there_is_not_is_refused() -> None:
    with pytest.raises(UserError, match="there is no stage 10"):
        scorecard.entries([10], 1)


def test_the_command_prints_a_card_or_objects() -> None:
    done = CliRunner().invoke(main, ["scorecard", "1"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[:2] == list(scorecard.HEAD)
    assert done.stdout.splitlines()[2].startswith("1 hashmap")
    told = CliRunner().invoke(main, ["scorecard", "1", "--json"])
    assert json.loads(told.stdout)["lost"] > 0
    assert CliRunner().invoke(main, ["scorecard", "0"]).exit_code == 2


# -- stale reads ---------------------------------------------------------------------------------


def put(value: bytes, start: float, end: float, outcome: Outcome = Outcome.OK) -> Operation:
    return Operation("put", b"k", "n1", start, end, outcome, value)


def get(found: bytes, start: float, end: float) -> Operation:
    return Operation("get", b"k", "n2", start, end, found=(found,) if found else ())


@pytest.mark.parametrize(
    ("history", "stale"),
    [
        ([put(b"a", 0, 1), get(b"a", 2, 3)], 0),
        ([put(b"a", 0, 1), get(b"", 2, 3)], 1),
        ([put(b"a", 0, 1), put(b"b", 2, 3), get(b"a", 4, 5)], 1),
        ([put(b"a", 0, 1), put(b"b", 2, 5), get(b"a", 3, 4)], 0),  # b has not ended
        ([put(b"a", 0, 1), put(b"b", 2, 5), get(b"b", 3, 4)], 0),
        ([put(b"a", 0, 1), put(b"b", 2, 3, Outcome.UNKNOWN), get(b"a", 4, 5)], 0),
        ([put(b"a", 0, 1), get(b"a", 2, 3), put(b"b", 4, 5)], 0),  # it came later
        ([put(b"a", 0, 1), put(b"b", 2, 3), get(b"a", 4, 5), get(b"b", 6, 7)], 1),  # late, and not lost
    ],
)
def test_a_read_is_stale_if_it_misses_what_was_acknowledged_before(
    history: list[Operation], stale: int
) -> None:
    assert len(stale_reads(history)) == stale
