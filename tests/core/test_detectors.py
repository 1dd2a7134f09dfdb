"""What one listener makes of a silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvlab.core.detectors import SAMPLES_MAX, Belief, Detector, PhiDetector, TimeoutDetector

PERIOD_MS = 200.0
ORDER = [Belief.ALIVE, Belief.SUSPECT, Belief.FAILED]

detectors = st.sampled_from(
    [lambda at_ms: TimeoutDetector(at_ms, 1000.0, 2000.0), lambda at_ms: PhiDetector(at_ms, PERIOD_MS)]
)
intervals = st.lists(st.floats(0, 5000), max_size=20)


def listening(make: object, gaps: list[float]) -> Detector:
    detector: Detector = make(0.0)  # type: ignore[operator]
    for gap in gaps:
        detector.heard(detector.heard_ms + gap)
    return detector


@given(detectors, intervals)
def test_who_is_heard_is_alive(make: object, gaps: list[float]) -> None:
    detector = listening(make, gaps)
    assert detector.opinion(detector.heard_ms) is Belief.ALIVE


@given(detectors, intervals, st.floats(0, 1e5), st.floats(0, 1e5))
def test_silence_only_makes_it_worse(make: object, gaps: list[float], first: float, more: float) -> None:
    detector = listening(make, gaps)
    sooner, later = (detector.opinion(detector.heard_ms + ms) for ms in (first, first + more))
    assert ORDER.index(sooner) <= ORDER.index(later)


@given(detectors, intervals)
def test_endless_silence_is_failure(make: object, gaps: list[float]) -> None:
    detector = listening(make, gaps)
    assert detector.opinion(detector.heard_ms + 1e6) is Belief.FAILED


@pytest.mark.parametrize(("silent_ms", "belief"), [(999, "alive"), (1000, "suspect"), (2000, "failed")])
def test_the_time_outs_are_the_first_moments_of_doubt(silent_ms: int, belief: str) -> None:
    assert TimeoutDetector(0, 1000, 2000).opinion(silent_ms) is Belief(belief)


def test_phi_8_is_a_silence_of_some_18_intervals() -> None:
    """Cassandra, whose interval is a second, convicts after about 18.4 s."""
    steady = listening(lambda at_ms: PhiDetector(at_ms, 1000.0), [1000.0] * (SAMPLES_MAX + 10))
    assert steady.opinion(steady.heard_ms + 18_300) is Belief.SUSPECT
    assert steady.opinion(steady.heard_ms + 18_500) is Belief.FAILED


def test_phi_waits_longer_where_heartbeats_come_at_longer_intervals() -> None:
    fast = listening(lambda at_ms: PhiDetector(at_ms, PERIOD_MS), [200.0] * 150)
    slow = listening(lambda at_ms: PhiDetector(at_ms, PERIOD_MS), [600.0] * 150)
    assert fast.opinion(fast.heard_ms + 4000) is Belief.FAILED
    assert slow.opinion(slow.heard_ms + 4000) is Belief.ALIVE


def test_phi_forgets_a_pace_of_long_ago() -> None:
    once_slow = listening(lambda at_ms: PhiDetector(at_ms, PERIOD_MS), [800.0] * 150 + [200.0] * SAMPLES_MAX)
    assert isinstance(once_slow, PhiDetector)
    assert once_slow.mean_ms == pytest.approx(200)


def test_an_outage_is_not_an_interval_between_heartbeats() -> None:
    """Else a node that was down for an hour would, back again, not be missed for days."""
    detector = listening(lambda at_ms: PhiDetector(at_ms, PERIOD_MS), [200.0] * 20 + [3_600_000.0])
    assert isinstance(detector, PhiDetector)
    assert detector.mean_ms < 300


def test_heartbeats_that_come_in_bunches_do_not_make_phi_impatient() -> None:
    """They were kept up on the way: their sender has beaten once a period all the same."""
    bunched = listening(lambda at_ms: PhiDetector(at_ms, PERIOD_MS), [1.0] * 150)
    assert bunched.opinion(bunched.heard_ms + 5 * PERIOD_MS) is Belief.ALIVE
