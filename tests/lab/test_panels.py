"""The panels of the cluster tab and the data tab: what the eye should find there, and what it should not."""

from __future__ import annotations

import msgspec
import pytest

from kvlab.core.merkle import MerkleTree
from kvlab.lab.draw import cluster, data, merkle
from kvlab.lab.draw.hints import marks
from kvlab.lab.draw.latency import latency, percentile
from kvlab.lab.draw.matrix import found_out as found_out_by
from kvlab.lab.draw.matrix import matrix, rows
from kvlab.lab.draw.ring import ring
from kvlab.lab.draw.theme import Theme
from kvlab.lab.view import Took, View
from kvlab.messages import NodeId
from kvlab.trace.events import AnyEvent, Hinted, NodePaused, Partitioned, Removed, Repaired, Stored
from tests.lab.stories import (
    KEY,
    births,
    conflict,
    copy_of,
    cut,
    death,
    doubt,
    found_out,
    held,
    mended,
    mirrored,
    put,
    stood_in,
    view,
    written,
)

SIZE = (60, 12)


def drawn(seen: View, tab: str = "data", size: tuple[int, int] = (100, 30)) -> str:
    draw = {"data": data.draw, "cluster": cluster.draw}[tab]
    return "\n".join(draw(seen, size, Theme()).text())


# -- who believes whom -----------------------------------------------------------------------------


def test_the_matrix_has_a_row_an_observer_and_a_column_an_observed() -> None:
    text = matrix(view(births(), *found_out(), stage=7, now_ms=3300.0), SIZE, Theme()).text()
    assert text[1].split() == ["n1", "n2", "n3", "n4", "n5"]
    assert text[2].split() == ["n1", "·", "✓", "✗f", "✓", "✓", "failed", "2.0", "s"]
    assert text[3].split() == ["n2", "✓", "·", "?s", "✓", "✓", "suspect", "1.0", "s"]
    assert text[4].split() == ["n3", "is", "not", "there", "to", "say"]


def test_who_has_not_found_out_yet_is_said_to_be_waiting() -> None:
    dead = view(births(), death("n3", 1000), stage=7, now_ms=1700.0)
    gone = dead.node("n3")
    observer = dead.node("n1")
    assert gone is not None
    assert observer is not None
    assert found_out_by(dead, observer, gone)[0] == "not yet, 0.7 s"
    early = view(births(), doubt("n3", 500, "failed", "n1"), death("n3", 1000), stage=7)
    observer = early.node("n1")
    assert observer is not None
    assert found_out_by(early, observer, gone)[0] == "failed before"


def test_of_two_who_are_silent_the_last_is_the_one_that_is_timed() -> None:
    paused: list[AnyEvent] = [NodePaused(1500, NodeId("n4"))]
    text = matrix(view(births(), death("n3", 1000), paused, stage=7), SIZE, Theme()).text()
    assert text[0].endswith("of n4, after")


@pytest.mark.parametrize("width", [26, 33, 49, 80])
def test_the_matrix_of_twelve_has_all_its_columns_at_any_width(width: int) -> None:
    many = view(births(12), death("n3", 1000), stage=7, nodes=12)
    row = matrix(many, (max(width, 30), 14), Theme()).text()[2]
    assert row.count("✓") == 11


def test_there_is_no_matrix_before_stage_7() -> None:
    assert rows(view(births(), stage=6)) == 0
    assert rows(view(births(), stage=7)) == 7
    assert "BELIE" not in drawn(view(births(), stage=6), "cluster")


# -- latency ---------------------------------------------------------------------------------------


def test_percentiles_are_of_the_nearest_rank() -> None:
    times = [float(i) for i in range(1, 101)]
    assert percentile(times, 50) == 50
    assert percentile(times, 99) == 99
    assert percentile([7.0], 50) == percentile([7.0], 99) == 7.0
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0


def test_a_slow_operation_has_a_higher_bar_and_a_failed_one_a_sign() -> None:
    ended = (Took(1.0, "ok"), Took(1.0, "ok"), Took(40.0, "ok"), Took(1500.0, "unknown"))
    text = latency(view(births(), ended=ended), (60, 3), Theme()).text()
    assert text[0] == " LATENCY p50 1.0 ms  p99 1500 ms  of the last 4"
    assert text[1] == "   ▁█"
    assert text[2] == " ▁▁█✗"
    assert (
        latency(view(births()), (40, 3), Theme()).text()[0]
        == " LATENCY of operations: none has ended yet"[:40]
    )


def test_latency_without_unicode_is_drawn_in_ascii() -> None:
    ended = tuple(Took(float(2**i), "ok") for i in range(10))
    assert all(
        row.isascii() for row in latency(view(births(), ended=ended), (60, 3), Theme(ascii=True)).text()
    )


# -- marks -----------------------------------------------------------------------------------------


def test_nodes_bear_marks_of_all_that_is_unusual_about_them() -> None:
    n1, n3 = NodeId("n1"), NodeId("n3")
    assert marks(view(births(3), mirrored(), stage=2, nodes=3), n1) == ["locked"]
    assert marks(view(births(), put(), stood_in(), stage=8), NodeId("n5")) == ["hint for n3"]
    kept: list[AnyEvent] = [Hinted(900, NodeId("n5"), n3, key, "kept", 2) for key in (b"a", b"b")]
    assert marks(view(births(), kept, stage=8), NodeId("n5")) == ["2 hints for n3"]
    assert marks(view(births(), put(), conflict(), stage=6), n3) == ["2 values"]
    mend: list[AnyEvent] = [Repaired(700, n1, KEY, n3, "read", put()[1].op)]  # type: ignore[union-attr]
    assert marks(view(births(), put(), mend, stage=5), n3) == ["mended"]
    assert marks(view(births(), put(), stage=8), n3) == []


@pytest.mark.parametrize("size", [(60, 13), (80, 16), (120, 33)])
def test_a_mark_is_seen_on_the_cluster_tab_at_every_size(size: tuple[int, int]) -> None:
    assert "hint for n3" in drawn(view(births(), put(), stood_in(), stage=8), "cluster", size)


def test_a_mark_never_covers_a_node() -> None:
    names = [NodeId(f"n{i}") for i in range(1, 13)]
    kept: list[AnyEvent] = [
        Hinted(900, keeper, owner, KEY, "kept", i)
        for keeper in names
        for i, owner in enumerate([name for name in names if name != keeper][:2], start=1)
    ]
    text = ring(view(births(12), kept, stage=8, nodes=12), (56, 27), Theme()).text()
    assert sum(row.count("hint for") for row in text) > 3
    assert all(any(f" n{i} " in row.replace("hint for n", "") for row in text) for i in range(1, 13))


# -- data ------------------------------------------------------------------------------------------


def test_each_home_replica_is_shown_with_its_values_and_what_it_has_seen() -> None:
    rows = drawn(view(births(), put(), conflict(), stage=6)).splitlines()
    assert rows[1].split() == ["n3", "1st", "home", "milk", "n3:1", "has", "seen", "n3:1", "n4:1"]
    assert rows[2].split() == ["bread", "n4:1"]
    assert rows[5].split() == ["n2", "3rd", "home", "milk", "n3:1", "has", "seen", "n3:1"]


def test_a_stand_in_is_shown_with_what_it_keeps_and_for_whom() -> None:
    text = drawn(view(births(), put(), stood_in(), stage=8, now_ms=2500.0))
    assert "n5  keeps for n3  bread  as a hint" in text
    assert "n3  1st home      ✗ is down" in text
    assert "n5  →  n3  cart:42 for 1.8 s" in text


def test_a_tombstone_is_shown_as_a_delete_and_counted() -> None:
    told: list[AnyEvent] = [
        Removed(
            400,
            NodeId("n3"),
            KEY,
            "deleted",
            0,
            0,
            copy=copy_of(written("n3", 2, None), seen="n3:2"),
            tombstones=1,
        )
    ]
    text = drawn(view(births(), put(), told, stage=9))
    assert "n3  1st home      (deleted)" in text
    assert "TOMBSTONES   n3  1" in text


def test_the_walk_shows_how_many_buckets_differed_at_each_level() -> None:
    rows = drawn(view(births(), put(), mended(), stage=9, now_ms=4200.0)).splitlines()
    at = next(i for i, row in enumerate(rows) if "MERKLE WALK" in row)
    assert rows[at + 1].split() == ["root", "■", "1", "of", "1", "differ"]
    assert rows[at + 2].split() == ["level", "1", "■■" + "□" * 14, "2", "of", "16", "differ"]
    assert rows[at + 4].split() == ["leaves", "■■■" + "□" * 13, "3", "of", "48", "differ"]
    assert rows[at + 5].split()[:3] == ["3", "keys", "differed;"]
    assert "since then no difference" in rows[at + 6]
    assert MerkleTree().fanout == merkle.FANOUT


def test_what_a_stage_does_not_have_is_not_shown() -> None:
    for stage in (3, 4, 5, 6, 7):
        text = drawn(view(births(), put(), stage=stage))
        assert "HINTS" not in text
        assert "MERKLE" not in text
    assert "HINTS" in drawn(view(births(), put(), stage=8))
    assert "MERKLE" not in drawn(view(births(), put(), stage=8))


def test_a_window_too_low_for_all_the_data_says_how_much_is_missing() -> None:
    text = drawn(view(births(), put(), conflict(), mended(), stage=9), size=(80, 10))
    assert "more rows: make the window taller" in text.splitlines()[-1]


# -- what the stage adds, as it stands now ---------------------------------------------------------


def row_of(seen: View) -> str:
    """The row under the goal."""
    return drawn(seen, "cluster", (100, 30)).splitlines()[1].strip()


def test_under_the_goal_stands_what_the_stage_adds_as_it_is_now() -> None:
    assert row_of(view(births(3), stage=2, nodes=3)).startswith("CHOICE cp  writes are taken")
    assert row_of(view(births(3), mirrored(), stage=2, nodes=3)).startswith(
        "CHOICE cp  n1, n2 and n3 take no"
    )
    assert row_of(view(births(3), mirrored()[:4], stage=2, nodes=3, choice="ap")).startswith(
        "CHOICE ap  both sides"
    )
    shares = [int(word[:-1]) for word in row_of(view(births(), stage=3)).split() if word.endswith("%")]
    assert len(shares) == 5
    assert 97 <= sum(shares) <= 103
    assert "2 of 3 replicas of the key are up: a write waits for all, in vain" in row_of(
        view(births(), death("n3", 300))
    )
    assert "3 of 3 replicas of the key are up" in row_of(view(births()))
    assert row_of(view(births(), stage=5)) == (
        "QUORUM N=3 R=2 W=2  R + W > N: every read meets the last write at one replica"
    )
    assert "R + W <= N: a read may miss" in row_of(view(births(), stage=5, r=1))
    dead = (death("n3", 300), death("n4", 301))
    assert "1 of 3 replicas up: cart:42 cannot be written or read" in row_of(view(births(), *dead, stage=5))
    assert "cannot be written" in row_of(view(births(), death("n3", 300), stage=5, r=1, w=3))
    assert "both stay: milk and bread" in row_of(view(births(), conflict(), stage=6))
    assert row_of(view(births(), put(), stage=6)).startswith("SIBLINGS  none")
    assert row_of(view(births(), stage=7)) == "GOSSIP  everybody takes everybody for alive"
    assert "n3  failed for 2, suspected by 2" in row_of(view(births(), *found_out(), stage=7))
    assert row_of(view(births(), stage=8)).startswith("HINTS  none")
    assert " ".join(row_of(view(births(), stood_in(), stage=8)).split()) == "HINTS n5 keeps a hint for n3"
    assert "no two replicas" in row_of(view(births(), stage=9))
    seen = view(births(), mended(), stage=9)
    assert "n4  and  n3  3 keys differed, found with 2.4 KB" in row_of(seen)
    assert "have compared theirs: the same" in row_of(view(births(), mended(), stage=9, now_ms=99_000.0))


def at_80(seen: View) -> str:
    """The same row in the window that most people have."""
    return drawn(seen, "cluster", (80, 16)).splitlines()[1].strip()


def test_at_80_columns_what_the_stage_adds_is_never_cut() -> None:
    """With a long key and long values, and in the middle of a cut, when everybody misses somebody."""
    sides: tuple[tuple[str, ...], ...] = (("n1", "n2"), ("n3", "n4", "n5"))
    told = [
        doubt(dead, 3000, "failed", *side)
        for side in sides for dead in ("n1", "n2", "n3", "n4", "n5") if dead not in side
    ]  # fmt: skip
    assert " ".join(at_80(view(births(), *told, stage=7)).split()) == (
        "GOSSIP n1 n2 failed for 3 n3 n4 n5 failed for 2"
    )
    half = at_80(view(births(), *told[:2], stage=7))
    assert " ".join(half.split()) == "GOSSIP n3 n4 failed for 2, alive for 2"
    everybody = [doubt(f"n{i}", 3000, "failed", "n1" if i > 1 else "n2") for i in range(1, 13)]
    some = everybody + [doubt(f"n{i}", 3000, "suspect", "n3") for i in range(4, 8)]
    many = view(births(12), *some, stage=7, nodes=12)
    assert " ".join(at_80(many).split()) == "GOSSIP n1 n2 n3 n4 n5 n6 n7 n8 n9 n10 n11 n12 failed"
    odd = [*everybody[:10], doubt("n11", 3000, "suspect", "n1"), doubt("n12", 3000, "suspect", "n1")]
    both_kinds = view(births(12), *odd, stage=7, nodes=12)
    assert at_80(both_kinds).endswith("n9 n10  failed  n11 n12  suspected")
    assert "GOSSIP  12 nodes missed by somebody" in drawn(both_kinds, "cluster", (60, 16))
    one, two = written("n3", 1, b"a long value"), written("n4", 1, b"another long")
    both = held("n3", copy_of(one, two, seen="n3:1 n4:1"), 401)
    assert at_80(view(births(), [both], stage=6, conflicts=3)) == (
        "SIBLINGS  2 values stay, for no writer had seen the other; 2 other keys too"
    )
    for number in range(2, 10):
        for dead in ((), (death("n3", 300),), (death("n3", 300), death("n4", 301))):
            assert "…" not in at_80(view(births(3 if number == 2 else 5), *dead, stage=number, nodes=5))


def test_siblings_of_another_key_are_counted_where_the_one_shown_has_none() -> None:
    seen = view(births(), conflict(), put("n2.0.1", 900, b"tea"), stage=6)
    other = msgspec.structs.replace(seen, holdings=(), conflicts=2)
    assert "of 2 keys: 3 shows which" in row_of(other)
    assert "; 1 other key too" in row_of(view(births(), conflict(), stage=6, conflicts=2))


def test_while_nodes_start_nothing_is_said_to_be_amiss() -> None:
    assert row_of(view(births()[:5], stage=5, ready=False)) == ""


def test_the_cut_is_drawn_between_the_sides_and_nowhere_else() -> None:
    def crosses(*stories: list[AnyEvent]) -> int:
        return "\n".join(ring(view(births(), *stories), (70, 30), Theme()).text()).count("✗")

    assert crosses() == 0
    assert crosses(cut(400)) == 6  # two lines of three: between n2 and n3, and between n5 and n1
    three: list[AnyEvent] = [
        Partitioned(
            400, NodeId(""), ((NodeId("n1"),), (NodeId("n2"), NodeId("n3")), (NodeId("n4"), NodeId("n5")))
        )
    ]
    assert crosses(three) == 9


def test_beside_simulated_nodes_which_have_no_ports_the_latency_and_the_log_are_not_cut() -> None:
    took = tuple(Took(ms, "ok") for ms in (3.5, 2011.0))
    for seen in (
        view(births(), put(), stage=6, simulated=True, ended=took),
        view(births(), put(), stage=7, simulated=True, ended=took),
    ):
        text = drawn(seen, "cluster", (80, 16))
        assert "p50 3.5 ms  p99 2011 ms" in text
        assert "SCENARIO: what was done, as lines" in text


def test_in_a_narrow_window_nothing_of_stages_1_and_2_is_cut_off() -> None:
    for simulated in (False, True):
        dead = view(births(1), death("n1", 300), stage=1, nodes=1, simulated=simulated)
        lost = " ".join(word for word in drawn(dead, "cluster", (80, 16)).split() if word != "│")
        assert "its dict is gone: nothing was on a disk" in lost
    three = drawn(view(births(3), mirrored(), stage=2, nodes=3), "cluster", (80, 16)).splitlines()
    at = next(i for i, line in enumerate(three) if line.count("cart:42") == 3)
    assert three[at + 1].split()[:3] == ["milk", "bread", "bread"]
    ann: list[AnyEvent] = [Stored(300, NodeId(f"n{i}"), b"account:ann", b"40", 1, 75) for i in (1, 2, 3)]
    bank = view(births(3), ann, stage=2, nodes=3, simulated=True)
    assert drawn(bank, "cluster", (80, 16)).count("account:ann") == 3
