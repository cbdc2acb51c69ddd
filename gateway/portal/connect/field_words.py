"""What the columns of a record are called where a person looks at what would go over. Pure."""

from collections.abc import Mapping
from datetime import date, datetime

from banks.normalize.money import to_text
from consents.scopes import FIELD_RULES, Record

#: Every column that a platform can get; `amount_minor` and `currency` are told as one.
FIELD_WORDS: dict[Record, dict[str, str]] = {
    Record.ACCOUNT: {
        "name": "Name of the account",
        "account_type": "Type",
        "category": "Kind of account",
        "status": "Open or closed",
        "currency": "Currency",
        "masked_number": "Last digits",
        "institution_id": "Your bank",
        "identifications": "Account numbers",
    },
    Record.BALANCE: {
        "type": "Which balance",
        "amount_minor": "Amount",
        "as_of": "As of",
        "credit_lines": "Credit line",
    },
    Record.TRANSACTION: {
        "listed_on": "Date",
        "amount_minor": "Amount",
        "kind": "Kind",
        "status": "Booked or not yet",
        "booked_on": "Booked on",
        "value_on": "Counts from",
        "transacted_at": "Time you paid",
        "merchant_name": "Shop",
        "category": "What for",
        "mcc": "Trade of the shop, as a number",
        "channel": "In the shop or online",
        "place_country": "Country",
        "place_region": "Region",
        "place_city": "Town",
        "place_postal_code": "Post code",
        "place_address": "Address of the shop",
        "instructed_amount_minor": "Amount in foreign money",
        "exchange_rate": "Rate of exchange",
        "counterparty_name": "Name of the person",
        "balance_after_minor": "Left after it",
        "description": "Your bank's own text",
    },
}
#: Told with the amount they belong to, or by a code of the platform's own.
TOLD_ELSEWHERE = frozenset({"id", "currency", "instructed_currency"})
_AMOUNTS = {
    "amount_minor": "currency",
    "instructed_amount_minor": "instructed_currency",
    "balance_after_minor": "currency",
}
NOT_KNOWN = "not known"


def cells(record: Record, row: Mapping[str, object], bank: str) -> list[tuple[str, str]]:
    """(label, text) of each column that is in `row`, in the order above. `bank`: what its institution is called."""
    named = FIELD_WORDS[record]
    return [(label, _text(name, row, bank)) for name, label in named.items() if name in row]


def labels(record: Record, names: frozenset[str]) -> list[str]:
    return [label for name, label in FIELD_WORDS[record].items() if name in names]


def every_name(record: Record) -> frozenset[str]:
    """All that is told of a record when nothing is kept back."""
    return frozenset(rule.name for rule in FIELD_RULES[record]) & frozenset(FIELD_WORDS[record])


def _text(name: str, row: Mapping[str, object], bank: str) -> str:
    value = row[name]
    if name in _AMOUNTS:
        return _money(value, row[_AMOUNTS[name]])
    if name == "institution_id":
        return bank
    if value is None or value == "":
        return NOT_KNOWN
    if isinstance(value, list):
        return "; ".join(_entry(one) for one in value) or "none"
    if isinstance(value, datetime):
        return f"{value.day} {value:%B %Y, %H:%M} UTC"
    if isinstance(value, date):
        return f"{value.day} {value:%B %Y}"
    text = str(value)
    return text.replace("_", " ").capitalize() if (text.isupper() and "_" in text) or name in _CODES else text


#: Columns whose values are words of a vocabulary.
_CODES = frozenset({"status", "kind", "category", "channel"})


def _money(minor: object, currency: object) -> str:
    if not isinstance(minor, int) or not isinstance(currency, str):
        return NOT_KNOWN
    return f"{to_text(minor, currency)} {currency}".replace("-", "\N{MINUS SIGN}")


def _entry(entry: object) -> str:
    if not isinstance(entry, Mapping):
        return str(entry)
    if "amount_minor" in entry:
        return f"{_money(entry['amount_minor'], entry.get('currency'))}"
    return " ".join(str(part) for part in entry.values() if part)
