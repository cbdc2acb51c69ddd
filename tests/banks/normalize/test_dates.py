"""Dates as the bank wrote them; instants only where an offset makes them one."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banks.normalize.dates import DateRejected, calendar_date, instant


@pytest.mark.parametrize(
    ("text", "day", "moment"),
    [
        ("2026-03-01", date(2026, 3, 1), None),
        ("2026-03-01T12:30:00", date(2026, 3, 1), None),
        ("2026-03-01T12:30:00Z", date(2026, 3, 1), datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01T00:30:00+01:00", date(2026, 3, 1), datetime(2026, 2, 28, 23, 30, tzinfo=UTC)),
        ("2026-03-01T23:30:00-05:00", date(2026, 3, 1), datetime(2026, 3, 2, 4, 30, tzinfo=UTC)),
        ("2026-03-01T12:30:00+0530", date(2026, 3, 1), datetime(2026, 3, 1, 7, 0, tzinfo=UTC)),
        ("2026-03-01T12:30Z", date(2026, 3, 1), datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01T12:30:00.5Z", date(2026, 3, 1), datetime(2026, 3, 1, 12, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-03-01T23:59:59.999999999Z", date(2026, 3, 1), datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)),
        ("2024-02-29T00:00:00+00:00", date(2024, 2, 29), datetime(2024, 2, 29, tzinfo=UTC)),
        ("1970-01-01T00:00:00+14:00", date(1970, 1, 1), datetime(1969, 12, 31, 10, tzinfo=UTC)),
        ("2100-12-31T23:59:59-12:00", date(2100, 12, 31), datetime(2101, 1, 1, 11, 59, 59, tzinfo=UTC)),
    ],
)
def test_dates_and_instants(text: str, day: date, moment: datetime | None) -> None:
    assert calendar_date(text) == day
    assert instant(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "today",
            "0001-01-01",
            "1969-12-31",
            "2101-01-01",
            "9999-12-31",
            "10000-01-01",
            "2026-13-01",
            "2026-00-01",
        ),
        *("2026-02-29", "2026-3-1", "20260301", "2026-W09-1", "2026-060", "01/03/2026", "2026-03-01 12:30:00Z"),
        *("2026-03-01T24:00:00Z", "2026-03-01T12:60:00Z", "2026-03-01T12:30:61Z", "2026-03-01T12:30:00+25:00"),
        *("2026-03-01T12:30:00 +01:00", "2026-03-01T12", "2026-03-01Z", " 2026-03-01", "2026-03-01\n", "٢٠٢٦-٠٣-٠١"),
        *("2026-03-01T25:00:00", "-2026-03-01", "2026-03-01T12:30:00.Z", "2026-03-01T12:30:00.0000000001Z"),
    ],
)
def test_anything_else_is_refused_by_name(text: str) -> None:
    for read in (calendar_date, instant):
        with pytest.raises(DateRejected) as caught:
            read(text)
        assert caught.value.reason == "bad_date"


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 12, 31)),
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_the_date_is_the_one_written_whatever_the_offset(wall: datetime, offset: timezone) -> None:
    text = wall.replace(tzinfo=offset).isoformat()

    assert calendar_date(text) == wall.date()
    assert instant(text) == wall.replace(tzinfo=offset)
