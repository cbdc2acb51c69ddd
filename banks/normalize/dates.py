"""Dates and instants as banks write them (ISO 8601). Pure.

A calendar date is the one the bank wrote, in its own local time; it is never worked out from an instant. So
"2026-03-01T00:30:00+01:00" is 1 March although its instant lies in February.
"""

import re
from datetime import UTC, date, datetime

FIRST_YEAR, LAST_YEAR = 1970, 2100

_ISO = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    # Later Pythons read 24:00 as midnight of the day after; it is no date-time of RFC 3339.
    r"(?:T(?P<hour>[01]\d|2[0-3]):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?P<offset>Z|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)


class DateRejected(ValueError):
    """Not a date or date-time that we take. `reason` is bad_date."""

    reason = "bad_date"

    def __init__(self) -> None:
        super().__init__(self.reason)


def calendar_date(text: str) -> date:
    """The date as written, from a date or a date-time. Raises DateRejected, for years outside 1970..2100 too."""
    return _parsed(text)[0]


def instant(text: str) -> datetime | None:
    """The moment in UTC, to the microsecond; None without a time and an offset, which name no moment.

    Raises DateRejected as `calendar_date` does.
    """
    return _parsed(text)[1]


def _parsed(text: str) -> tuple[date, datetime | None]:
    match = _ISO.fullmatch(text)
    if match is None:
        raise DateRejected
    try:
        day = date.fromisoformat(match["date"])
        moment = _moment(match)
    except (ValueError, OverflowError):
        raise DateRejected from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise DateRejected
    return day, moment


def _moment(match: re.Match[str]) -> datetime | None:
    if match["hour"] is None:
        return None
    fraction = (match["fraction"] or "0")[:6].ljust(6, "0")  # nanoseconds are cut, not rounded into the next second
    time = f"{match['hour']}:{match['minute']}:{match['second'] or '00'}.{fraction}"
    # Built without an offset too: 25:61 is refused either way.
    moment = datetime.fromisoformat(f"{match['date']}T{time}{match['offset'] or ''}")
    return None if moment.tzinfo is None else moment.astimezone(UTC)
