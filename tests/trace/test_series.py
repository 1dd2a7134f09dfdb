"""What ended in each quarter of a second, and after how long."""

from __future__ import annotations

import pytest

from kvlab.trace.series import QUARTERS_MAX, Series


def test_what_ends_in_one_quarter_is_counted_together_and_empty_quarters_are_not_kept() -> None:
    series = Series()
    for at_ms, outcome in ((10, "ok"), (249, "failed"), (250, "ok"), (251, "unknown"), (2000, "ok")):
        series.add(at_ms, outcome, 1.0)
    counted = [(q.number, q.ok, q.failed, q.unknown, q.ended) for q in series.quarters()]
    assert counted == [(0, 1, 1, 0, 2), (1, 1, 0, 1, 2), (8, 1, 0, 0, 1)]


@pytest.mark.parametrize("scale", [0.05, 1.0, 300.0])
def test_percentiles_are_right_to_within_five_percent(scale: float) -> None:
    series = Series()
    for i in range(1000, 0, -1):
        series.add(100.0, "ok", i * scale)
    (quarter,) = series.quarters()
    assert quarter.p50_ms == pytest.approx(500 * scale, rel=0.05)
    assert quarter.p99_ms == pytest.approx(990 * scale, rel=0.05)


def test_what_took_no_time_at_all_is_counted_too() -> None:
    series = Series()
    series.add(0.0, "ok", 0.0)
    assert series.quarters()[0].p99_ms == pytest.approx(0.01, rel=0.05)


def test_what_is_told_late_counts_in_the_quarter_that_is_not_over() -> None:
    series = Series()
    for at_ms in (260.0, 240.0):
        series.add(at_ms, "ok", 1.0)
    assert [(q.number, q.ok) for q in series.quarters()] == [(1, 2)]


def test_a_minute_is_kept_and_no_more() -> None:
    series = Series()
    for i in range(QUARTERS_MAX * 3):
        series.add(i * 250.0, "ok", 1.0)
    assert len(series.quarters()) == QUARTERS_MAX + 1
    assert series.quarters()[-1].number == QUARTERS_MAX * 3 - 1


def test_a_copy_goes_on_by_itself() -> None:
    series = Series()
    for i in range(3):
        series.add(i * 250.0, "ok", 1.0)
    before = series.quarters()
    again = series.copy()
    assert again.quarters() == before
    again.add(500.0, "failed", 2.0)
    again.add(900.0, "ok", 2.0)
    assert series.quarters() == before


def test_a_series_of_nothing_is_empty() -> None:
    assert Series().quarters() == ()
