"""The rows that every contestant answers from, as SQL over the number of a row: the same in each database.

One big account has a tenth of all rows; the others have about 450 each, interleaved in time, so that a page of 100 rows
lies on about 100 pages of the heap.
"""

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

ROWS_PER_ACCOUNT = 450
SPAN_DAYS = 700
BIG = 0  #: the number of the big account
_MERCHANTS = (
    ("Corner Books", "BOOKS", "5942"),
    ("Green Grocer", "GROCERIES", "5411"),
    ("Harbour Cafe", "RESTAURANTS", "5812"),
    ("Northern Rail", "TRANSPORT", "4112"),
    ("City Pharmacy Lane Market", "GROCERIES", "5499"),
    ("Old Mill Bakery", "GROCERIES", "5462"),
    ("Lantern Cinema", "ENTERTAINMENT", "7832"),
)


def account_id(number: int) -> UUID:
    """BIG, or 1 to `accounts(rows)`."""
    return UUID(hashlib.md5(f"account {number}".encode()).hexdigest())


def accounts(rows: int) -> int:
    """How many there are beside the big one."""
    return max(1, rows * 9 // 10 // ROWS_PER_ACCOUNT)


def last_day(now: datetime) -> date:
    """Of the newest row: the day before, so that every row is past wherever the reader is."""
    return now.date() - timedelta(days=1)


def expressions(rows: int, last_on: date) -> dict[str, str]:
    """SQL of every value, over the bigint `n` from 1 to `rows`; in a session whose time zone is UTC."""
    ends_at = datetime.combine(last_on, time(20), tzinfo=UTC)
    step_seconds = SPAN_DAYS * 86_400 / rows
    instant = f"(timestamptz '{ends_at.isoformat()}' - make_interval(secs => ({rows} - n) * {step_seconds!r}))"
    number = f"(CASE WHEN n % 10 = 0 THEN {BIG} ELSE 1 + (9 * (n / 10) + n % 10 - 1) % {accounts(rows)} END)"
    merchant = f"[(1 + n % {len(_MERCHANTS)})::int]"
    return {
        "id": "md5('transaction ' || n)::uuid",
        "account_id": f"md5('account ' || {number})::uuid",
        "status": "'BOOKED'",
        "listed_on": f"{instant}::date",
        "booked_on": f"{instant}::date",
        "value_on": f"({instant} + interval '1 day')::date",
        "transacted_at": f"date_trunc('second', {instant})",
        "kind": "(CASE WHEN n % 17 = 0 THEN 'TRANSFER' ELSE 'CARD_PAYMENT' END)",
        "amount_minor": "(CASE WHEN n % 17 = 0 THEN 184250 ELSE -(199 + (n * 7919) % 20000) END)",
        "currency": "'GBP'",
        "merchant_name": f"(ARRAY{[name for name, _, _ in _MERCHANTS]})" + merchant,
        "category": f"(ARRAY{[category for _, category, _ in _MERCHANTS]})" + merchant,
        "mcc": f"(ARRAY{[code for _, _, code in _MERCHANTS]})" + merchant,
        "channel": "(CASE WHEN n % 3 = 0 THEN 'ONLINE' ELSE 'IN_STORE' END)",
    }
