"""Heartbeats: silence counted in one's own beats."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kvlab.core.heartbeats import Heartbeats
from kvlab.messages import NodeId

N2, N3 = NodeId("n2"), NodeId("n3")


def test_a_peer_is_silent_when_it_has_answered_none_of_the_beats_that_are_borne() -> None:
    heartbeats = Heartbeats([N2, N3], patience=2)
    for _ in range(2):
        heartbeats.beat()
        heartbeats.answered(N3)
    assert heartbeats.silent() == []
    heartbeats.beat()
    assert heartbeats.silent() == [N2]


def test_an_answer_ends_the_silence() -> None:
    heartbeats = Heartbeats([N2], patience=1)
    for _ in range(5):
        heartbeats.beat()
    assert heartbeats.silent() == [N2]
    heartbeats.answered(N2)
    assert heartbeats.silent() == []


def test_who_did_not_beat_accuses_nobody_however_much_time_has_passed() -> None:
    """A paused observer: when it wakes, it has beaten once more, and that is all it knows of."""
    heartbeats = Heartbeats([N2, N3], patience=2)
    heartbeats.answered(N2)
    heartbeats.beat()
    assert heartbeats.silent() == []


@given(st.lists(st.sampled_from(["beat", "n2", "n3"])), st.integers(1, 5))
def test_a_peer_is_silent_exactly_if_more_beats_than_borne_came_after_its_last_answer(
    events: list[str], patience: int
) -> None:
    heartbeats = Heartbeats([N2, N3], patience)
    since = {"n2": 0, "n3": 0}
    for event in events:
        if event == "beat":
            heartbeats.beat()
            since = {peer: beats + 1 for peer, beats in since.items()}
        else:
            heartbeats.answered(NodeId(event))
            since[event] = 0
    assert heartbeats.silent() == [peer for peer, beats in since.items() if beats > patience]
