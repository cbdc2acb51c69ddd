"""Made-up rows for a preview before anything is stored: whole ones, cut to what the permit lets out. Pure."""

from datetime import datetime, timedelta
from types import MappingProxyType

from banks.read import Row
from consents.policy import PermitSlice
from consents.scopes import Record


def rows(record: Record, part: PermitSlice, *, now: datetime) -> list[Row]:
    """As `part` would let them out: the same fields as of real ones."""
    fields = part.fields(record)
    return [MappingProxyType({name: row[name] for name in fields if name in row}) for row in _whole(record, now)]


def _whole(record: Record, now: datetime) -> list[dict[str, object]]:
    if record == Record.ACCOUNT:
        return [_ACCOUNT]
    if record == Record.BALANCE:
        return [{**_BALANCE, "as_of": now}]
    return [
        _payment(now, 1, amount_minor=-1250, merchant_name="Corner Books", category="BOOKS", mcc="5942"),
        _payment(now, 3, amount_minor=-480, merchant_name="Sunny Bakery", category="FOOD_AND_DRINK", mcc="5462"),
    ]


_ACCOUNT: dict[str, object] = {
    "name": "Everyday",
    "account_type": "CACC",
    "category": "DEPOSIT",
    "status": "OPEN",
    "currency": "GBP",
    "masked_number": "1234",
    "identifications": [{"scheme_name": "IBAN", "value": "GB00 EXAM PLE0 0000 0000 00"}],
}
_BALANCE: dict[str, object] = {"type": "ITAV", "amount_minor": 31240, "currency": "GBP", "credit_lines": []}


def _payment(now: datetime, days_ago: int, **columns: object) -> dict[str, object]:
    at = now - timedelta(days=days_ago)
    day = now.date() - timedelta(days=days_ago)
    return {
        "listed_on": day,
        "status": "BOOKED",
        "booked_on": day,
        "value_on": day,
        "transacted_at": at,
        "currency": "GBP",
        "kind": "CARD_PAYMENT",
        "channel": "IN_STORE",
        "place_country": "GB",
        "place_region": "Yorkshire",
        "place_city": "Leeds",
        "place_postal_code": "LS1 0AA",
        "place_address": "1 Example Street",
        "instructed_amount_minor": None,
        "instructed_currency": None,
        "exchange_rate": None,
        "counterparty_name": None,
        "balance_after_minor": 31240,
        "description": "EXAMPLE CARD PAYMENT",
        **columns,
    }
