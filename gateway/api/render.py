"""Records from banks.read -> JSON members. Pure: values in, dict out, and bytes at the end. Days and instants of rows
are left as they are: `as_json` tells them as `plain` does.

A member is there exactly when its column is in the record, and a column is in the record exactly when the permit
opened it: null says "unknown", absent says "not yours to see".
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from operator import itemgetter

import orjson

from banks.directory import InstitutionCard
from banks.normalize.money import to_text
from banks.read import AccountProgress, Answer, Coverage, Row, Rows
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
_TRANSACTION = {name: name for name in ("status", "listed_on", "booked_on", "value_on", "transacted_at", "kind")}
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


def transactions(rows: Rows, *, transaction_ids: Sequence[str], account_id: str) -> list[Body]:
    make = _transaction_maker(rows.columns)
    return [make(values, one, account_id) for values, one in zip(rows.values, transaction_ids, strict=True)]


def transaction(row: Row, *, transaction_id: str, account_id: str) -> Body:
    return _transaction_maker(tuple(row))(tuple(row.values()), transaction_id, account_id)


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


# -- a page of transactions: where each member comes from is found once for its columns --------------------------------

Values = tuple[object, ...]


@lru_cache(maxsize=256)
def _transaction_maker(columns: tuple[str, ...]) -> Callable[[Values, str, str], Body]:
    """(values, transaction_id, account_id) -> members, for rows of these columns."""
    at = {column: position for position, column in enumerate(columns)}
    plain_members, parts = _members(at, _TRANSACTION), _parts(at)
    amount_at, currency_at = at["amount_minor"], at["currency"]

    def make(values: Values, transaction_id: str, account_id: str) -> Body:
        body: Body = {"transaction_id": transaction_id, "account_id": account_id}
        body.update(plain_members(values))
        body.update(money(values[amount_at], values[currency_at]))
        for member, part in parts:
            body[member] = part(values)
        return body

    return make


def _parts(at: Mapping[str, int]) -> list[tuple[str, Callable[[Values], object]]]:
    """The members that further scopes open, each with what makes it."""
    parts: list[tuple[str, Callable[[Values], object]]] = []
    if _MERCHANT.keys() & at.keys():
        parts.append(("merchant", _nested(at, _MERCHANT)))
    if _LOCATION.keys() & at.keys():
        parts.append(("location", _nested(at, _LOCATION)))
    if "instructed_amount_minor" in at:
        parts.append(("currency_exchange", _currency_exchange(at)))
    if "counterparty_name" in at:
        parts.append(("counterparty_name", itemgetter(at["counterparty_name"])))
    if "balance_after_minor" in at:
        parts.append(("balance_after", _money_at(at, "balance_after_minor", "currency")))
    if "description" in at:
        parts.append(("description", itemgetter(at["description"])))
    return parts


def _members(at: Mapping[str, int], names: Mapping[str, str]) -> Callable[[Values], Iterable[tuple[str, object]]]:
    """Members by their columns, as far as the columns are there."""
    found = [(member, at[column]) for column, member in names.items() if column in at]
    members, positions = [member for member, _ in found], [position for _, position in found]
    if len(positions) == 1:  # itemgetter of one gives no tuple
        return lambda values: [(members[0], values[positions[0]])]
    take = itemgetter(*positions)
    return lambda values: zip(members, take(values), strict=True)


def _nested(at: Mapping[str, int], names: Mapping[str, str]) -> Callable[[Values], Body]:
    members = _members(at, names)
    return lambda values: dict(members(values))


def _money_at(at: Mapping[str, int], amount: str, currency: str) -> Callable[[Values], Body | None]:
    amount_at, currency_at = at[amount], at[currency]
    return lambda values: _money_or_none(values[amount_at], values[currency_at])


def _currency_exchange(at: Mapping[str, int]) -> Callable[[Values], Body]:
    instructed, currency_at = _money_at(at, "instructed_amount_minor", "instructed_currency"), at["instructed_currency"]
    rate_at = at["exchange_rate"]

    def make(values: Values) -> Body:
        amount = instructed(values)
        return {
            "instructed_amount": None if amount is None else amount["amount"],
            "instructed_currency": values[currency_at],
            "exchange_rate": values[rate_at],
        }

    return make


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
