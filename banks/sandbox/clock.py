"""Time at the bank: instants are UTC, days are London's. Tests may move the calendar ahead, never the instants.

Tokens and consents live by real instants; only "which day is it on the books" can be moved, so that a pending card
payment can be seen to become booked without waiting for midnight.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from banks.sandbox.models import Calendar

LONDON = ZoneInfo("Europe/London")


def now() -> datetime:
    """This instant, UTC."""
    return datetime.now(UTC)


def today() -> date:
    """The bank's day: London's, plus the days the control API moved it ahead."""
    calendar = Calendar.objects.filter(pk=Calendar.ONLY).first()
    return now().astimezone(LONDON).date() + timedelta(days=calendar.days_ahead if calendar else 0)
