"""Records from banks.read -> JSON members. Pure: values in, dict out.

A member is there exactly when its column is in the record, and a column is in the record exactly when the permit
opened it: null says "unknown", absent says "not yours to see".
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from banks.directory import InstitutionCard
from banks.normalize.money import to_text
from banks.read import AccountProgress, Answer, Coverage, Row
from banks.refreshes import Refresh, RefreshPart
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


def transaction(row: Row, *, transaction_id: str, account_id: str) -> Body:
    body: Body = {"transaction_id": transaction_id, "account_id": account_id}
    body |= {name: plain(row[name]) for name in _TRANSACTION}
    body |= money(row["amount_minor"], row["currency"])
    if merchant := _renamed(row, _MERCHANT):
        body["merchant"] = merchant
    if location := _renamed(row, _LOCATION):
        body["location"] = location
    if "instructed_amount_minor" in row:
        body["currency_exchange"] = _currency_exchange(row)
    if "counterparty_name" in row:
        body["counterparty_name"] = row["counterparty_name"]
    if "balance_after_minor" in row:
        body["balance_after"] = _money_or_none(row["balance_after_minor"], row["currency"])
    if "description" in row:
        body["description"] = row["description"]
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
    assert isinstance(amount_minor, int) and isinstance(currency, str)
    return {
        "amount": to_text(amount_minor, currency),
        "currency": currency,
        "credit_debit_indicator": "DEBIT" if amount_minor < 0 else "CREDIT",
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


def _currency_exchange(row: Row) -> Body:
    instructed = _money_or_none(row["instructed_amount_minor"], row["instructed_currency"])
    return {
        "instructed_amount": None if instructed is None else instructed["amount"],
        "instructed_currency": row["instructed_currency"],
        "exchange_rate": row["exchange_rate"],
    }


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
