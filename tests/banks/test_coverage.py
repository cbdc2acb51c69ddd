"""Days fetched, days wanted, and the windows between: nothing claimed that was not fetched, nothing left out."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banks.coverage import OVERLAP, Covered, Pace, Span, from_day, newest_window, to_fetch

TODAY = date(2026, 3, 31)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def span(first: int, last: int) -> Span:
    """In days ago."""
    return Span(ago(first), ago(last))


def wanted(covered: Covered, since: int, *, oldest_pending: int | None = None, refresh: bool = True) -> list[Span]:
    pending = None if oldest_pending is None else ago(oldest_pending)
    return to_fetch(covered, since=ago(since), today=TODAY, oldest_pending_on=pending, refresh=refresh)


# -- what is covered ---------------------------------------------------------------------------------------------------


def test_nothing_is_covered_at_first() -> None:
    covered = Covered.of(None, None, [])

    assert (covered.first_on, covered.last_on, covered.gaps) == (None, None, [])


def test_gaps_lie_between_spans_and_read_back_as_written() -> None:
    covered = Covered().plus(span(200, 100)).plus(span(20, 0)).plus(span(60, 50))

    assert (covered.first_on, covered.last_on) == (ago(200), TODAY)
    assert covered.gaps == [[str(ago(99)), str(ago(61))], [str(ago(49)), str(ago(21))]]
    assert Covered.of(covered.first_on, covered.last_on, covered.gaps) == covered


def test_neighbours_become_one() -> None:
    assert Covered().plus(span(10, 5)).plus(span(4, 0)) == Covered((span(10, 0),))
    assert Covered().plus(span(10, 6)).plus(span(4, 0)).gaps == [[str(ago(5)), str(ago(5))]]


spans = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: span(max(pair), min(pair)))


@given(st.lists(spans, max_size=8))
def test_covered_days_are_exactly_those_that_were_added(added: list[Span]) -> None:
    covered = Covered()
    for one in added:
        covered = covered.plus(one)

    for days in range(62):
        assert covered.holds(ago(days)) == any(one.first_on <= ago(days) <= one.last_on for one in added)
    assert Covered.of(covered.first_on, covered.last_on, covered.gaps) == covered


# -- what is wanted ----------------------------------------------------------------------------------------------------


def test_a_first_fetch_wants_everything() -> None:
    assert wanted(Covered(), 90) == [span(90, 0)]


def test_what_is_covered_is_asked_for_again_only_where_banks_still_correct() -> None:
    assert wanted(Covered((span(90, 0),)), 90) == [span(14, 0)]
    assert wanted(Covered((span(90, 2),)), 90) == [span(16, 0)]


def test_a_narrower_consent_is_not_overstepped() -> None:
    assert wanted(Covered((span(90, 0),)), 5) == [span(5, 0)]


def test_a_wider_consent_adds_what_is_missing_and_no_more() -> None:
    assert wanted(Covered((span(20, 0),)), 120) == [span(14, 0), span(120, 21)]


def test_after_a_long_outage_the_hole_and_the_days_before_it_are_wanted() -> None:
    assert wanted(Covered((span(300, 60),)), 300) == [span(60 + OVERLAP.days, 0)]


def test_a_gap_begins_where_late_rows_of_its_time_may_be() -> None:
    covered = Covered((span(300, 200), span(90, 0)))

    assert wanted(covered, 300) == [span(14, 0), span(200 + OVERLAP.days, 91)]


def test_an_old_pending_row_widens_the_newest_window_and_a_forgotten_one_does_not() -> None:
    covered = Covered((span(90, 0),))

    assert wanted(covered, 90, oldest_pending=30) == [span(31, 0)]
    assert wanted(covered, 90, oldest_pending=46) == [span(14, 0)]


def test_a_continuation_wants_only_what_is_missing() -> None:
    assert wanted(Covered((span(20, 0),)), 120, refresh=False) == [span(120, 21)]
    assert wanted(Covered((span(120, 0),)), 120, refresh=False) == []


def test_what_the_bank_does_not_have_is_not_wanted() -> None:
    assert from_day([span(14, 0), span(120, 21), span(300, 200)], ago(60)) == [span(14, 0), span(60, 21)]


@given(st.lists(spans, max_size=5), st.integers(0, 60))
def test_after_all_that_is_wanted_nothing_is_missing_and_nothing_lies_before_the_consent(
    added: list[Span], since: int
) -> None:
    covered = Covered()
    for one in added:
        covered = covered.plus(one)

    asked = wanted(covered, since)

    for one in asked:
        assert one.first_on >= ago(since)
        covered = covered.plus(one)
    assert covered.holds_all(span(since, 0))
    assert asked == sorted(asked, reverse=True)


# -- windows -----------------------------------------------------------------------------------------------------------


def test_windows_go_from_the_newest_to_the_oldest_and_share_an_edge() -> None:
    rest, windows = [span(400, 0)], []
    while rest:
        window, rest = newest_window(rest, days_max=90, today=TODAY)
        windows.append(window)

    assert windows[0].until is None
    edges = [(89, 0), (179, 90), (269, 180), (359, 270), (400, 360)]
    assert [one.covers for one in windows] == [span(first, last) for first, last in edges]
    for newer, older in pairwise(windows):
        assert older.until == newer.since + timedelta(days=1)


def test_a_small_rest_is_taken_along() -> None:
    window, rest = newest_window([span(100, 0)], days_max=90, today=TODAY)

    assert (window.covers, rest) == (span(100, 0), [])


def test_at_one_day_a_window_is_one_day() -> None:
    window, rest = newest_window([span(1, 0)], days_max=1, today=TODAY)

    assert (window.covers, window.days, rest) == (span(0, 0), 1, [span(1, 1)])


@given(st.integers(0, 800), st.integers(1, 400))
def test_windows_of_any_size_cover_every_day_once(days: int, size: int) -> None:
    rest, seen = [span(days, 0)], set[date]()
    while rest:
        window, rest = newest_window(rest, days_max=size, today=TODAY)
        covers = window.covers
        told = {covers.first_on + timedelta(days=number) for number in range(window.days)}
        assert not told & seen
        seen |= told
    assert seen == {ago(number) for number in range(days + 1)}


@pytest.mark.parametrize(("seconds", "days"), [(1.0, 180), (10.0, 90), (31.0, 45)], ids=["fast", "steady", "slow"])
def test_the_pace_follows_the_bank(seconds: float, days: int) -> None:
    pace = Pace()

    pace.took(seconds)

    assert pace.days == days


def test_the_pace_never_falls_below_a_day() -> None:
    pace = Pace(days=2)
    pace.shrink()
    pace.shrink()

    assert (pace.days, pace.can_shrink) == (1, False)
