"""Of what several replicas hold under one key: what replaces what."""

from __future__ import annotations

from kvlab.lab.verdict import verdict
from kvlab.lab.view import View
from kvlab.messages import NodeId, Siblings, Version
from kvlab.trace.events import AnyEvent, NodeReady, Removed
from tests.lab.stories import KEY, births, conflict, copy_of, death, held, put, stood_in, view, written

MILK, BREAD, JAM = written("n3", 1, b"milk"), written("n4", 1, b"bread"), written("n3", 2, b"jam")


def replicas(n3: Siblings | Version, n4: Siblings | Version, n2: Siblings | Version, stage: int = 6) -> View:
    told = [held("n3", n3, 400), held("n4", n4, 401), held("n2", n2, 402)]
    return view(births(), told, stage=stage)


def test_replicas_that_hold_the_same_are_said_to() -> None:
    same = copy_of(MILK, seen="n3:1")
    assert verdict(replicas(same, same, same)) == ["All 3 hold the same."]


def test_a_write_replaces_what_its_writer_had_seen() -> None:
    old, new = copy_of(MILK, seen="n3:1"), copy_of(JAM, seen="n3:2")
    assert verdict(replicas(new, old, new)) == [
        "n4 is behind: n3:1 has been replaced, and n3:2 is not there yet.",
        "n3:2 (jam) replaces the rest: its writer had seen it.",
    ]


def test_writes_that_had_not_seen_each_other_are_concurrent() -> None:
    one, other = copy_of(MILK, seen="n3:1"), copy_of(BREAD, seen="n4:1")
    assert verdict(replicas(one, other, one)) == [
        "n3 and n2 are behind: n4:1 is not there yet.",
        "n4 is behind: n3:1 is not there yet.",
        "CONCURRENT: n3:1 (milk) and n4:1 (bread): neither writer had seen the other. A read returns both, "
        "and the write that follows it replaces both.",
    ]


def test_a_replica_whose_write_was_replaced_by_what_it_lacks_only_in_part_is_behind_in_part() -> None:
    both, jam = copy_of(MILK, BREAD, seen="n3:1 n4:1"), copy_of(BREAD, JAM, seen="n3:2 n4:1")
    assert verdict(replicas(jam, both, jam))[0] == (
        "n4 is behind: n3:1 has been replaced, and n3:2 is not there yet."
    )
    seen = copy_of(BREAD, seen="n3:2 n4:1")
    assert verdict(replicas(seen, both, seen))[0] == "n4 is behind: n3:1 has been replaced."


def test_three_concurrent_writes_are_all_returned() -> None:
    three = copy_of(written("n2", 1, b"tea"), MILK, BREAD, seen="n2:1 n3:1 n4:1")
    assert "no writer had seen the other. A read returns all" in verdict(replicas(three, three, three))[1]


def test_a_replica_without_a_copy_is_behind() -> None:
    told: list[AnyEvent] = [held("n3", copy_of(MILK, seen="n3:1"), 400)]
    assert verdict(view(births(), told, stage=6)) == [
        "n4 and n2 are behind, without any copy: n3:1 is not there yet."
    ]


def test_a_delete_is_a_write_like_any_other() -> None:
    gone = written("n4", 1, None)
    deleted = copy_of(gone, seen="n3:1 n4:1")
    told: list[AnyEvent] = [
        held("n3", copy_of(MILK, seen="n3:1"), 400),
        Removed(401, NodeId("n4"), KEY, "deleted", 0, 0, copy=deleted, tombstones=1),
        Removed(402, NodeId("n2"), KEY, "deleted", 0, 0, copy=deleted, tombstones=1),
    ]
    assert verdict(view(births(), told, stage=6)) == [
        "n3 is behind: n3:1 has been replaced, and n4:1 is not there yet.",
        "n4:1 (a delete) replaces the rest: its writer had seen it.",
    ]


def test_by_clocks_the_later_version_replaces_the_others_and_of_a_tie_the_greater_value() -> None:
    old, new, tie = Version(b"milk", 1000), Version(b"bread", 1250), Version(b"apples", 1250)
    assert verdict(replicas(new, old, tie, stage=5)) == [
        "n4 is behind: the write is 250 ms older by the clock, so bread replaces it.",
        "n2 is behind: the value loses the tie, so bread replaces it.",
    ]
    much_older = Version(b"tea", 0)
    assert verdict(replicas(new, much_older, much_older, stage=5)) == [
        "n4 and n2 are behind: the write is 1.2 s older by the clock, so bread replaces it."
    ]
    assert verdict(view(births(), [held("n3", new, 400)], stage=5)) == [
        "n4 and n2 are behind: no copy is there yet."
    ]
    assert verdict(replicas(new, new, new, stage=5)) == ["All 3 hold the same."]


def test_without_versions_nothing_says_which_is_newer() -> None:
    second = put("n1.0.2", 500, b"bread", silent="n4")
    assert verdict(view(births(), put(), second))[0].startswith(
        "They differ, and nothing says which is newer"
    )
    assert verdict(view(births(), put())) == ["All 3 hold the same."]
    assert verdict(view(births())) == []


def test_the_dead_and_the_stand_ins_have_no_say() -> None:
    assert verdict(view(births(), put(), stood_in(), stage=8)) == ["Both hold the same."]
    assert "n2" not in " ".join(verdict(view(births(), conflict(), death("n2", 500), stage=6)))


def test_what_a_node_found_on_its_disk_is_not_taken_for_nothing() -> None:
    same = copy_of(MILK, seen="n3:1")
    told = [held("n3", same, 400), held("n4", same, 401)]
    again: list[AnyEvent] = [NodeReady(500, NodeId("n2"), 1, kept_keys=1)]
    restarted = view(births(), told, again, stage=6)
    assert [one.told for one in restarted.holdings] == [True, True, False]
    assert verdict(restarted) == ["Both hold the same."]
