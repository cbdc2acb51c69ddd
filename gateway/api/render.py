"""Records from banks.read -> JSON members. Pure: values in, dict out, and bytes at the end. Days and instants of rows
are left as they are: `as_json` tells them as `plain` does.

A member is there exactly when its column is in the record, and a column is in the record exactly when the permit
opened it: null says "unknown", absent says "not yours to see".
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import orjson

from banks.directory import InstitutionCard
from banks.normalize.money import to_text, to_texts
from banks.read import AccountProgress, Answer, Coverage, Row, Rows
from banks.refresh_status import Refresh, RefreshPart
from consents.models import Consent
from consents.policy import PermitSlice
from consents.scopes import LocationPrecision, Record, SensitiveGroup
from consents.states import ConsentStatus, Initiator

Body = dict[str, object]

#: Column -> member, for what goes over as it is.
_ACCOUNT = {
    "name": "name",
    "account_type": "type",
    "category": "category",
    "status": "status",
    "currency": "currency",
    "masked_number": "masked_number",
    "identifications": "identifications",
}
_TRANSACTION = ("status", "listed_on", "booked_on", "value_on", "transacted_at", "kind")
_MERCHANT = {"merchant_name": "name", "category": "category", "mcc": "mcc", "channel": "channel"}
_LOCATION = {
    "place_country": "country",
    "place_region": "region",
    "place_city": "city",
    "place_postal_code": "postal_code",
    "place_address": "address",
}


def as_json(body: Body) -> bytes:
    """RFC 8259, UTF-8, without blanks. Days as YYYY-MM-DD; instants, all in UTC, as RFC 3339 with Z."""
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)


def institution(card: InstitutionCard) -> Body:
    return {
        "id": card.slug,
        "name": card.name,
        "country": card.country,
        "status": card.status,
        "history_days_max": card.history_days_max,
        "consent_days_max": card.consent_days_max,
        "is_sandbox": card.is_sandbox,
    }


def institution_name(card: InstitutionCard) -> Body:
    return {"id": card.slug, "name": card.name}


def account(row: Row, *, account_id: str, card: InstitutionCard | None) -> Body:
    """`card` is None where the permit does not release which bank it is."""
    return {
        "account_id": account_id,
        **({} if card is None else {"institution": institution_name(card)}),
        **_renamed(row, _ACCOUNT),
        "as_of": plain(row["as_of"]),
        "next_refresh_after": plain(row["next_refresh_after"]),
    }


def balance(row: Row) -> Body:
    return {
        "type": row["type"],
        **money(row["amount_minor"], row["currency"]),
        "credit_lines": [_credit_line(line) for line in _list(row["credit_lines"])],
        "as_of": plain(row["as_of"]),
    }


def transactions(rows: Rows, *, transaction_ids: Sequence[str], account_ids: Sequence[str]) -> list[Body]:
    """Ids of the same order as `rows`. Member by member over all rows, which costs half of going row by row."""
    if not rows:
        return []
    columns: dict[str, Sequence[Any]] = dict(zip(rows.columns, zip(*rows.values, strict=True), strict=True))
    members = {
        "transaction_id": transaction_ids,
        "account_id": account_ids,
        **{name: columns[name] for name in _TRANSACTION},
        **_amounts(columns["amount_minor"], columns["currency"]),
        **_nested("merchant", columns, _MERCHANT),
        **_nested("location", columns, _LOCATION),
        **_currency_exchange(columns),
        **{name: columns[name] for name in ("counterparty_name",) if name in columns},
        **_balance_after(columns),
        **{name: columns[name] for name in ("description",) if name in columns},
    }
    return _joined(members)


def transaction(row: Row, *, transaction_id: str, account_id: str) -> Body:
    one = Rows(tuple(row), [tuple(row.values())])
    (body,) = transactions(one, transaction_ids=[transaction_id], account_ids=[account_id])
    return body


def freshness(answer: Answer) -> Body:
    return {"as_of": plain(answer.as_of), "next_refresh_after": plain(answer.next_refresh_after)}


def progress(one: AccountProgress, *, account_id: str) -> Body:
    return {
        "account_id": account_id,
        "update_status": one.update_status,
        "as_of": plain(one.as_of),
        "next_refresh_after": plain(one.next_refresh_after),
        "coverage": coverage(one.coverage),
    }


def refresh(asked: Refresh, *, refresh_id: str, parts: Sequence[Body]) -> Body:
    return {
        "refresh_id": refresh_id,
        "status": asked.status,
        "parts": list(parts),
        "created_at": plain(asked.created_at),
        "next_refresh_after": plain(asked.next_refresh_after),
    }


def refresh_part(part: RefreshPart, *, account_ids: Sequence[str], card: InstitutionCard | None, now: datetime) -> Body:
    """`card` is None where the permit does not release which bank it is; no account ids: where it tells none."""
    wait = None if part.retry_at is None else max(1, math.ceil((part.retry_at - now).total_seconds()))
    return {
        **({} if card is None else {"institution": institution_name(card)}),
        **({"account_ids": list(account_ids)} if account_ids else {}),
        "status": part.status,
        "code": part.code,
        "retry_after": wait,
    }


def coverage(covered: Coverage) -> Body:
    return {
        "first_on": plain(covered.first_on),
        "last_on": plain(covered.last_on),
        "gaps": [{"first_on": plain(first), "last_on": plain(last)} for first, last in covered.gaps],
    }


def consent(row: Consent, *, consent_id: str) -> Body:
    """What the user said, as it is stored."""
    return {
        "consent_id": consent_id,
        "status": row.status,
        "scopes": sorted(row.scopes),
        "purposes": sorted(row.purposes),
        **_limits(row.history_from, row.location_precision, row.on_platform_only, row.hidden_groups),
        "authorised_at": plain(row.authorised_at),
        "expires_at": plain(row.expires_at),
    }


def managed_consent(row: Consent, *, consent_id: str, status: ConsentStatus) -> Body:
    """As the platform's own list shows it: what was said and how it stands, nothing of who said it.

    `status` is as of now; where the clock was faster than the sweep, what the sweep is going to write is told.
    """
    is_written = status == row.status
    return {
        **consent(row, consent_id=consent_id),
        "status": status,
        "status_reason": (row.status_reason or None) if is_written else status.lower(),
        "status_initiator": row.status_initiator if is_written else Initiator.SYSTEM,
        "status_changed_at": plain(row.status_changed_at if is_written else row.expires_at),
        "duration_type": row.duration_type,
        "created_at": plain(row.created_at),
        "ended_at": plain(row.ended_at if is_written else row.expires_at),
    }


def opening(part: PermitSlice, card: InstitutionCard | None) -> Body:
    """What one institution's slice opens now. Which bank it is belongs to the scope `accounts`."""
    named = card is not None and "institution_id" in part.fields(Record.ACCOUNT)
    return {
        "institution": institution_name(card) if named and card is not None else None,
        "scopes": sorted(part.released | part.derivable),
        **_limits(part.history_from, part.location_precision, part.on_platform_only, part.hidden_groups),
    }


def money(amount_minor: object, currency: object) -> Body:
    """Minor units -> decimal string with exactly the currency's decimals; negative is money out, or owed."""
    return {
        "amount": _text(amount_minor, currency),
        "currency": currency,
        "credit_debit_indicator": _indicator(amount_minor),
    }


def plain(value: object) -> object:
    """Days as YYYY-MM-DD; instants as RFC 3339 in UTC with Z; the rest as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def _limits(
    history_from: date | None,
    precision: LocationPrecision | str | None,
    on_platform_only: bool,
    hidden_groups: frozenset[SensitiveGroup] | Sequence[str],
) -> Body:
    return {
        "history_from": plain(history_from),
        "location_precision": precision,
        "on_platform_only": on_platform_only,
        "hidden_groups": sorted(hidden_groups),
    }


def _renamed(row: Row, names: Mapping[str, str]) -> Body:
    return {member: row[column] for column, member in names.items() if column in row}


def _money_or_none(amount_minor: object, currency: object) -> Body | None:
    return None if amount_minor is None or currency is None else money(amount_minor, currency)


# -- members of many transactions at once: a column is one value for each of them --------------------------------------

Column = Sequence[object]
Columns = Mapping[str, Column]


def _joined(members: Columns) -> list[Body]:
    """One body for each row."""
    names = tuple(members)
    # Not strict inside: that is asked for every row, and costs a third of it.
    return [dict(zip(names, values, strict=False)) for values in zip(*members.values(), strict=True)]


def _nested(member: str, columns: Columns, names: Mapping[str, str]) -> dict[str, Column]:
    """What is there of `names`, as one member; no member where nothing is."""
    found = {name: columns[column] for column, name in names.items() if column in columns}
    return {member: _joined(found)} if found else {}


def _amounts(amounts_minor: Sequence[int], currencies: Sequence[str]) -> dict[str, Column]:
    return {
        "amount": to_texts(amounts_minor, currencies),
        "currency": currencies,
        "credit_debit_indicator": ["DEBIT" if amount < 0 else "CREDIT" for amount in amounts_minor],
    }


def _currency_exchange(columns: Columns) -> dict[str, Column]:
    if "instructed_amount_minor" not in columns:
        return {}
    currencies = columns["instructed_currency"]
    amounts = map(_text_or_none, columns["instructed_amount_minor"], currencies)
    exchanges = [
        {"instructed_amount": amount, "instructed_currency": currency, "exchange_rate": rate}
        for amount, currency, rate in zip(amounts, currencies, columns["exchange_rate"], strict=True)
    ]
    return {"currency_exchange": exchanges}


def _balance_after(columns: Columns) -> dict[str, Column]:
    if "balance_after_minor" not in columns:
        return {}
    return {"balance_after": list(map(_money_or_none, columns["balance_after_minor"], columns["currency"]))}


def _text(amount_minor: object, currency: object) -> str:
    assert isinstance(amount_minor, int) and isinstance(currency, str)
    return to_text(amount_minor, currency)


def _text_or_none(amount_minor: object, currency: object) -> str | None:
    return None if amount_minor is None or currency is None else _text(amount_minor, currency)


def _indicator(amount_minor: object) -> str:
    assert isinstance(amount_minor, int)
    return "DEBIT" if amount_minor < 0 else "CREDIT"


def _credit_line(line: object) -> Body:
    assert isinstance(line, Mapping)
    amount = _money_or_none(line["amount_minor"], line["currency"])
    return {
        "included": line["included"],
        "type": line["type"],
        "amount": None if amount is None else amount["amount"],
        "currency": line["currency"],
    }


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value
