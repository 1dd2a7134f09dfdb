"""Which version is the newest: the laws that make replicas agree."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from kvlab.core.versions import newest, reconcile
from kvlab.messages import Version

versions = st.builds(
    Version,
    value=st.none() | st.sampled_from([b"", b"a", b"b"]),
    stamp_ms=st.integers(0, 3),
    expires_ms=st.none() | st.integers(5, 7),
)


@given(st.lists(versions, min_size=1, max_size=4))
def test_whatever_order_copies_meet_in_the_same_one_is_left(copies: list[Version]) -> None:
    left = set()
    for order in permutations(copies):
        found: Version | None = None
        for copy in order:
            found = newest(found, copy)
        left.add(found)
    assert len(left) == 1


@given(versions, versions)
def test_the_later_stamp_wins_and_meeting_again_changes_nothing(a: Version, b: Version) -> None:
    found = newest(a, b)
    assert found.stamp_ms == max(a.stamp_ms, b.stamp_ms)
    assert newest(found, a) == newest(a, found) == found


def test_of_equal_stamps_a_tombstone_wins_and_then_the_greater_value() -> None:  # pitfall: ties
    assert newest(Version(b"z", 1), Version(None, 1)) == Version(None, 1)
    assert newest(Version(b"a", 1), Version(b"b", 1)) == Version(b"b", 1)


@given(versions, st.integers(5, 8))
def test_what_expired_on_one_replica_is_not_brought_back_by_another(copy: Version, now_ms: int) -> None:
    """Pitfall: an expiry on one replica must not look like a missing key to the other."""
    assert newest(copy.expired(now_ms), copy).expired(now_ms) == copy.expired(now_ms)


def test_a_write_is_lost_if_it_was_told_and_another_one_stays() -> None:
    old, new = Version(b"old", 1), Version(b"new", 2)
    assert reconcile(old, new, told=True) == (new, True)
    assert reconcile(old, new, told=False) == (new, False)
    assert reconcile(new, old, told=True) == (new, False)
    assert reconcile(old, old, told=True) == (old, False)
    assert reconcile(None, new, told=False) == (new, False)
