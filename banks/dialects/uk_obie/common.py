"""What rows of every kind have in UK Open Banking Read/Write. Pure."""

from datetime import date

from banks.dialects.members import Row, RowRejected
from banks.normalize.dates import DateRejected, calendar_date
from banks.strict_json import JsonValue

NAME_LENGTH_MAX = 140


def check_account(row: Row, bank_account_id: str) -> None:
    """What is said of another account than the one asked for is nobody's here."""
    if row.needed_code("AccountId") != bank_account_id:
        raise RowRejected("other_account", "AccountId")


def is_debit(row: Row, path: str) -> bool:
    indicator = row.needed_code(path)
    if indicator not in ("Credit", "Debit"):
        raise RowRejected("bad_indicator", path)
    return indicator == "Debit"


def described_day(row: Row, path: str, *, into: str) -> date | None:
    """A date that merely describes."""
    day = day_or_none(row.hint(path))
    if day is not None:
        row.note(into, path)
    return day


def day_or_none(value: JsonValue) -> date | None:
    try:
        return calendar_date(value) if isinstance(value, str) else None
    except DateRejected:
        return None
