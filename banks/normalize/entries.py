"""From a TransactionData to the columns we keep. Pure; an amount that does not fit is refused, never rounded."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from banks.normalize.categories import category, category_rule, sensitive_group, sensitive_rule
from banks.normalize.merchants import merchant_category_code, merchant_key
from banks.normalize.money import AmountRejected, to_minor
from banks.normalize.provenance import Origin, provenance
from banks.normalize.references import reference_digest
from banks.normalize.text import clean
from banks.types import CounterpartyKind, Money, RejectedRow, TransactionData, TransactionKind

Column = str | int | bool | date | datetime | dict[str, Origin] | None

#: A bank that gives its rows new ids, or words its members anew, has told a reader nothing new.
_UNSEEN = frozenset(("bank_transaction_id", "provenance"))

_MERCHANT_KINDS = frozenset({TransactionKind.CARD_PAYMENT, TransactionKind.REFUND})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row ready to be stored: what it is (identity), what it says (columns), whether that changed (hash)."""

    identity_key: str
    columns: dict[str, Column]
    content_hash: str
    listed_on: date
    has_bank_id: bool
    raw: bytes = field(repr=False)


def entry(data: TransactionData) -> Entry | RejectedRow:
    """The row as columns of Transaction, or why not (AmountRejected's reason and the member at fault)."""
    try:
        columns = _columns(data)
    except _Misfit as misfit:
        return RejectedRow(reason=misfit.reason, field=misfit.field, raw=data.raw)
    return Entry(
        identity_key=_identity(data, columns),
        columns=columns,
        content_hash=_hash(columns),
        listed_on=data.listed_on,
        has_bank_id=data.bank_transaction_id is not None,
        raw=data.raw,
    )


class _Misfit(Exception):
    def __init__(self, reason: str, field: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field


def _columns(data: TransactionData) -> dict[str, Column]:
    mcc = merchant_category_code(data.mcc)
    merchant_name = _merchant_name(data)
    place = data.place
    group = sensitive_group(mcc, data.kind)
    purpose = category(mcc, data.kind)
    columns: dict[str, Column] = {
        "bank_transaction_id": data.bank_transaction_id,
        "status": data.status.value,
        "immutable": data.immutable,
        "listed_on": data.listed_on,
        "booked_on": data.booked_on,
        "value_on": data.value_on,
        "transacted_at": data.transacted_at,
        "amount_minor": _minor(data.money, "Amount"),
        "currency": data.money.currency,
        "kind": data.kind.value,
        "merchant_name": merchant_name,
        "merchant_key": merchant_key(merchant_name, mcc),
        "mcc": mcc,
        "category": purpose.value if purpose else None,
        "channel": data.channel.value if data.channel else None,
        "sensitive_group": group.value if group else None,
        "place_country": place.country if place else None,
        "place_region": clean(place.region, length_max=80) if place else None,
        "place_city": clean(place.city, length_max=80) if place else None,
        "place_postal_code": clean(place.postal_code, length_max=20) if place else None,
        "place_address": clean(place.address, length_max=200) if place else None,
        "instructed_amount_minor": _minor(data.instructed, "CurrencyExchange") if data.instructed else None,
        "instructed_currency": data.instructed.currency if data.instructed else None,
        "exchange_rate": _rate(data.exchange_rate),
        "counterparty_name": clean(data.counterparty_name, length_max=140),
        "counterparty_kind": data.counterparty_kind.value if data.counterparty_kind else None,
        "balance_after_minor": _balance_after(data),
        "description": clean(data.description, length_max=500),
        "reference_digest": reference_digest(data.reference),
    }
    by_table = {"category": category_rule(data.kind), "sensitive_group": sensitive_rule(mcc)}
    return {**columns, "provenance": provenance(columns, data.provenance, by_table=by_table)}


def _merchant_name(data: TransactionData) -> str | None:
    """Only what the bank calls a merchant: any other name may be a person's, and that is another scope."""
    if data.counterparty_kind == CounterpartyKind.PERSON:
        return None
    if data.kind in _MERCHANT_KINDS or data.mcc is not None:
        return clean(data.merchant_name, length_max=140)
    return clean(data.merchant_name, length_max=140) if data.counterparty_kind == CounterpartyKind.MERCHANT else None


def _minor(money: Money, member: str) -> int:
    try:
        return to_minor(money.amount, money.currency)
    except AmountRejected as rejected:
        raise _Misfit(rejected.reason, member) from None


def _balance_after(data: TransactionData) -> int | None:
    """In the row's currency, or unknown: the column has no currency of its own."""
    after = data.balance_after
    if after is None or after.currency != data.money.currency:
        return None
    return _minor(after, "Balance")


def _rate(rate: Decimal | None) -> str | None:
    return None if rate is None else format(rate.normalize(), "f")[:40]


def _identity(data: TransactionData, columns: dict[str, Column]) -> str:
    """The bank's id where there is one; else what no bank changes about a row that it lists again."""
    if data.bank_transaction_id is not None:
        return _digest("id", data.bank_transaction_id)
    members = ("listed_on", "amount_minor", "currency", "kind", "merchant_name", "counterparty_name", "description")
    return _digest("row", *(str(columns[name]) for name in members))


def _hash(columns: dict[str, Column]) -> str:
    """Of all that a reader may see, and what it is filtered by: equal hash, nothing to tell."""
    seen = {name: value for name, value in columns.items() if name not in _UNSEEN}
    return _digest("content", _encoded(seen))


def _text(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


#: Made once: `json.dumps(default=...)` makes an encoder for each row.
_encoded = json.JSONEncoder(sort_keys=True, default=_text).encode


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
