"""What a node keeps for others: DeCandia et al. 2007, section 4.6."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvlab.core.hints import Hint, HintBox
from kvlab.errors import HintsFull
from kvlab.messages import NOTHING, Actor, Dot, NodeId, Sibling, Siblings, Version

A, B, D = NodeId("n1"), NodeId("n2"), NodeId("n4")
MILK, BREAD = Version(b"milk", 1), Version(b"bread", 2)
TTL = 1000


def newest(a: Version, b: Version) -> Version:
    return max(a, b, key=lambda version: version.stamp_ms)


def both(a: Siblings, b: Siblings) -> Siblings:
    return Siblings(NOTHING, tuple(sorted({*a.siblings, *b.siblings}, key=lambda sibling: sibling.dot)))


def box(hints_max: int = 10) -> HintBox[Version]:
    return HintBox(newest, hints_max, TTL)


def write(value: bytes, count: int) -> Siblings:
    return Siblings(NOTHING, (Sibling(Dot(Actor("n1"), count), value, 0),))


def test_a_hint_is_for_its_owner_and_found_by_its_key() -> None:
    hints = box()
    hints.add(A, b"k", MILK, 0)
    assert hints.get(b"k", 0) == MILK
    assert hints.get(b"l", 0) is None
    assert hints.counts() == {A: 1}


def test_a_read_finds_what_is_kept_under_the_key_for_whomever_merged() -> None:
    hints = box()
    hints.add(A, b"k", BREAD, 0)
    hints.add(B, b"k", MILK, 1)
    assert hints.get(b"k", 1) == BREAD
    assert hints.get(b"k", TTL) == MILK


def test_a_second_hint_for_the_same_is_merged_with_the_first_in_either_order() -> None:
    for first, second in ((MILK, BREAD), (BREAD, MILK)):
        hints = box()
        hints.add(A, b"k", first, 0)
        hints.add(A, b"k", second, 1)
        assert hints.get(b"k", 1) == BREAD
        assert len(hints) == 1


def test_one_hint_too_many_is_refused_and_what_is_there_stays() -> None:
    hints = box(hints_max=2)
    hints.add(A, b"k", MILK, 0)
    hints.add(B, b"k", MILK, 0)
    with pytest.raises(HintsFull, match="2 are kept"):
        hints.add(A, b"l", MILK, 0)
    assert hints.counts() == {A: 1, B: 1}
    hints.add(A, b"k", BREAD, 0)  # it takes no room of its own
    assert hints.get(b"k", 0) == BREAD


def test_a_hint_is_gone_once_its_owner_has_what_is_in_it() -> None:
    hints = box()
    hints.add(A, b"k", MILK, 0)
    assert hints.delivered(A, b"k", MILK)
    assert len(hints) == 0
    assert hints.counts() == {}
    assert not hints.delivered(A, b"k", MILK)  # told twice


def test_what_was_merged_in_while_the_older_was_on_its_way_stays() -> None:
    hints = box()
    hints.add(A, b"k", MILK, 0)
    [(_, offered)] = hints.due(A, 0, 10, 10)
    hints.add(A, b"k", BREAD, 1)
    assert not hints.delivered(A, b"k", offered)
    assert hints.get(b"k", 1) == BREAD


def test_a_copy_that_comes_where_a_hint_has_expired_has_its_whole_time() -> None:
    hints = HintBox(both, 1, TTL)
    hints.add(A, b"k", write(b"milk", 1), 0)
    bread = write(b"bread", 2)
    assert hints.add(A, b"k", bread, TTL) == Hint(bread, 2 * TTL)
    assert hints.get(b"k", 2 * TTL - 1) == bread


def test_a_hint_expires_at_its_millisecond_and_is_neither_found_nor_due_from_then_on() -> None:
    hints = box()
    hints.add(A, b"k", MILK, 0)
    hints.add(B, b"l", MILK, 1)
    assert hints.get(b"k", TTL - 1) == MILK
    assert hints.expire(TTL - 1) == []
    assert hints.get(b"k", TTL) is None
    assert hints.due(A, TTL, 10, 10) == []
    assert hints.expire(TTL) == [(A, b"k")]
    assert hints.counts() == {B: 1}


def test_a_write_that_replaces_all_of_a_hint_has_its_whole_time_again() -> None:
    hints = box()
    hints.add(A, b"k", MILK, 0)
    assert hints.add(A, b"k", BREAD, 500).expires_ms == 500 + TTL


def test_no_value_is_kept_longer_than_its_time_however_often_others_join_it() -> None:
    """Stage 9 forgets a tombstone once no hint can be as old."""
    hints = HintBox(both, 10, TTL)
    hints.add(A, b"k", write(b"old", 1), 0)
    for i in range(2, 12):
        hints.add(A, b"k", write(b"new", i), i * 50)
    assert hints.get(b"k", TTL) is None


def test_the_oldest_are_due_first_in_chunks_bounded_by_keys_and_by_bytes() -> None:
    hints = box()
    for i in range(5):
        hints.add(A, b"%d" % i, Version(b"x" * 99, 0), 0)
    assert [key for key, _ in hints.due(A, 0, 2, 10_000)] == [b"0", b"1"]
    assert [key for key, _ in hints.due(A, 0, 10, 300)] == [b"0", b"1", b"2"]
    assert [key for key, _ in hints.due(A, 0, 10, 1)] == [b"0"]  # however large it is, it must go some time
    assert hints.due(B, 0, 10, 10_000) == []


def test_after_a_change_of_the_ring_hints_are_for_those_who_hold_the_key_now() -> None:
    hints = box()
    hints.add(A, b"k", MILK, 0)
    hints.add(D, b"k", BREAD, 5)
    assert hints.readdress(lambda key: [B, D]) == ([(A, b"k")], [(B, b"k")])
    assert hints.find(B, b"k") == Hint(MILK, TTL)  # it does not begin to count again
    assert hints.find(D, b"k") == Hint(BREAD, 5 + TTL)
    assert hints.find(A, b"k") is None


def test_readdressed_hints_have_room_for_they_were_promised_a_place() -> None:
    hints = box(hints_max=1)
    hints.add(A, b"k", MILK, 0)
    hints.readdress(lambda key: [B, D])
    assert hints.counts() == {B: 1, D: 1}


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.sampled_from([b"k", b"l"]), st.integers(0, 9))))
def test_duplicates_and_any_order_leave_the_same_hints(
    kept: list[tuple[NodeId, bytes, int]],
) -> None:
    one, other = box(100), box(100)
    for owner, key, stamp in kept:
        one.add(owner, key, Version(b"%d" % stamp, stamp), 0)
    for owner, key, stamp in reversed([*kept, *kept]):
        other.add(owner, key, Version(b"%d" % stamp, stamp), 0)
    for owner, key, _ in kept:
        assert one.find(owner, key) == other.find(owner, key)
