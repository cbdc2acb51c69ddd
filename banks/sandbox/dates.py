"""Dates as clients send them. Pure.

The Read/Write profile accepts all ISO 8601 forms in requests; filters in the query carry no time zone, and when they do
it is ignored (Transactions, Filtering).
"""

from datetime import datetime, tzinfo


def moment(text: str, zone: tzinfo) -> datetime:
    """An instant; without an offset it is meant in `zone`. Raises ValueError, also far outside any human calendar."""
    value = datetime.fromisoformat(text)
    # Conversion to UTC overflows at the ends of the calendar, and no consent lasts that long.
    if not 1900 <= value.year <= 9998:
        raise ValueError("year out of range")
    return value if value.tzinfo else value.replace(tzinfo=zone)


def wall_clock(text: str) -> datetime:
    """What the text shows on the wall, its offset ignored. Raises ValueError."""
    # "+01:00" in a query arrives as " 01:00" when the client forgot to encode the plus sign.
    before, space, after = text.rpartition(" ")
    offset_lost = bool(space) and "T" in before and ":" in after
    return datetime.fromisoformat(f"{before}+{after}" if offset_lost else text).replace(tzinfo=None)
