"""Time at the bank: instants are UTC, days are London's. Both can be moved (`move`); the reading is kept in one row.

What moves with the clock is what the bank itself decides by time: when consents expire, how long its codes and tokens
live, how long an authorization request waits, when a customer's answer was given, the DateTime of balances, and the
day of the books (so pending rows are booked). What does not move is what a client or a browser measures too, on a
clock of its own: client assertions, request objects and ID tokens are judged and dated by `real_now`, and so are the
bank's cookies and its request log.

    instant of the bank = real instant + seconds_ahead
    day of the books    = (books_on, or London's day at the bank's instant) + days_ahead

`books_on` fixes the day, in the past or ahead, such as the two nights when London changes its clocks; while it is set,
passing instants do not change the day. A client whose clock is not moved asks for consents in its own time: an
ExpirationDateTime before the bank's instant is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from banks.sandbox.models import Calendar

LONDON = ZoneInfo("Europe/London")
#: Ten years, for instants and for days.
DAYS_AHEAD_MAX = 3_650
SECONDS_AHEAD_MAX = DAYS_AHEAD_MAX * 86_400
#: The books begin on the first of these days; a later last day would only cost time to write them.
BOOKS_FIRST, BOOKS_LAST = date(2023, 1, 1), date(2040, 12, 31)


class ClockError(Exception):
    """The clock cannot be moved like that; str() says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How far the clock was moved. `seconds_ahead` and `days_ahead` from 0; `books_on` None: the days go by."""

    seconds_ahead: int = 0
    days_ahead: int = 0
    books_on: date | None = None

    def instant(self, real: datetime) -> datetime:
        return real + timedelta(seconds=self.seconds_ahead)

    def day(self, real: datetime) -> date:
        base = self.books_on or self.instant(real).astimezone(LONDON).date()
        return base + timedelta(days=self.days_ahead)


def real_now() -> datetime:
    """This instant, UTC, whatever the bank's clock says."""
    return datetime.now(UTC)


def now() -> datetime:
    """The bank's instant, UTC."""
    return reading().instant(real_now())


def today() -> date:
    """The day of the books."""
    return reading().day(real_now())


def reading() -> Reading:
    """How far the clock is moved right now; read anew each time, so every request and process agrees."""
    row = Calendar.objects.filter(pk=Calendar.ONLY).values(*_FIELDS).first()
    return Reading(**row) if row else Reading()


def move(changes: Mapping[str, Any]) -> Reading:
    """Set what is named, forwards or back; leave the rest. `books_on` as YYYY-MM-DD or None. Raises ClockError."""
    if unknown := changes.keys() - _FIELDS.keys():
        raise ClockError(f"unknown member: {min(unknown)}; one of {', '.join(_FIELDS)}")
    if not changes:
        raise ClockError(f"name at least one of {', '.join(_FIELDS)}")
    read = {name: _FIELDS[name](value) for name, value in changes.items()}
    Calendar.objects.update_or_create(pk=Calendar.ONLY, defaults=read)
    return reading()


def reset() -> Reading:
    """Put the clock right again."""
    Calendar.objects.update_or_create(pk=Calendar.ONLY, defaults=asdict(Reading()))
    return Reading()


def _whole(name: str, highest: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= highest:
            raise ClockError(f"{name} is a whole number from 0 to {highest}")
        return value

    return read


def _books_on(value: object) -> date | None:
    if value is None:
        return None
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        day = None
    if day is None or not BOOKS_FIRST <= day <= BOOKS_LAST:
        raise ClockError(f"books_on is a day from {BOOKS_FIRST} to {BOOKS_LAST}, or null")
    return day


_FIELDS: dict[str, Callable[[object], Any]] = {
    "seconds_ahead": _whole("seconds_ahead", SECONDS_AHEAD_MAX),
    "days_ahead": _whole("days_ahead", DAYS_AHEAD_MAX),
    "books_on": _books_on,
}
