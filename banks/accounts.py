"""Which stored account is the one a bank lists now, and what is written of it.

A bank's account id says nothing beyond one login: "1" is someone's account at every customer's. Where both sides tell
the account's numbers, the numbers decide; the id decides only where one side tells none.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from functools import lru_cache
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Subquery

from banks.compiled import SLOTS, CompiledModels, CompiledUpdate
from banks.errors import BankFormatChanged
from banks.models import Account, Connection, Finding, Transaction
from banks.normalize.text import clean
from banks.types import AccountData, AccountStatus, Identification, TransactionStatus
from banks.vault import keyed_digest

#: Only their last digits are told, so that two cards may share one: they recognise nothing.
_MASKED_SCHEMES = frozenset({"MaskedPAN", "PAN"})

#: Origin of a status that the bank did not tell: the account is on its list no longer.
NOT_LISTED = "rule:not_listed"


def identification_digest(data: AccountData) -> str:
    """Keyed digest of the account's numbers, with currency and type: pockets of one IBAN are accounts apart.

    "" when the bank told no whole number, or no currency: another day it may tell it.
    """
    whole = [item for item in data.identifications if item.scheme_name not in _MASKED_SCHEMES]
    if not whole or data.currency is None:
        return ""
    return numbers_digest(data.currency, data.account_type, whole)


def numbers_digest(currency: str, account_type: str, whole: Iterable[Identification]) -> str:
    """The same of an account whose whole numbers are exactly these."""
    numbers = sorted(f"{item.scheme_name}={item.value}" for item in whole)
    return keyed_digest("account", "|".join([currency, account_type, *numbers]))


def recognised(stored: Iterable[Account], fetched: Sequence[AccountData]) -> list[tuple[AccountData, Account | None]]:
    """Each listed account with the stored one that it is, None for a new one. No stored account is given twice.

    Raises BankFormatChanged when the bank lists one id twice.
    """
    if len({data.bank_account_id for data in fetched}) != len(fetched):
        raise BankFormatChanged("account listed twice")
    free = {row.id: row for row in stored}
    found: dict[str, Account] = {}
    for same in (_same_id, _same_numbers):
        for data in fetched:
            candidates = [row for row in free.values() if same(row, data)]
            # Two candidates are a guess, and a guess would hand one account's consent to another.
            if data.bank_account_id not in found and len(candidates) == 1:
                found[data.bank_account_id] = free.pop(candidates[0].id)
    return [(data, found.get(data.bank_account_id)) for data in fetched]


def _same_id(row: Account, data: AccountData) -> bool:
    digest = identification_digest(data)
    contradicts = bool(row.identification_digest and digest and row.identification_digest != digest)
    return row.bank_account_id == data.bank_account_id and not contradicts


def _same_numbers(row: Account, data: AccountData) -> bool:
    return bool(row.identification_digest) and row.identification_digest == identification_digest(data)


def upsert(
    connection: Connection,
    pairs: Sequence[tuple[AccountData, Account | None]],
    *,
    with_numbers: Callable[[UUID | None], bool],
    now: datetime,
) -> dict[UUID, str]:
    """Write what `recognised` found; our id -> the bank's. A known account is written only where it says something new.

    `with_numbers` says of an account (None: a new one) whether some consent needs its whole number: otherwise it is
    not kept, even where the bank told it along with the last digits. The caller holds the connection's lock.
    """
    ids: dict[UUID, str] = {}
    for data, row in pairs:
        columns = _columns(data, numbers=with_numbers(row.id if row else None))
        if row is None:
            row = Account(
                connection=connection,
                institution_id=connection.institution_id,
                user_id=connection.user_id,
                fetched_at=now,
                **columns,
            )
            row.save(force_insert=True)
        elif row.content_hash != columns["content_hash"]:
            Account.objects.for_sync().filter(id=row.id).update(fetched_at=now, version=F("version") + 1, **columns)
            for name, value in columns.items():
                setattr(row, name, value)
        else:
            _fetched_again().run({"account_id": row.id, "now": now})
        ids[row.id] = data.bank_account_id
    return ids


@lru_cache(maxsize=1)
def _fetched_again() -> CompiledUpdate:
    return CompiledUpdate(Account.objects.for_sync().filter(id=SLOTS["account_id"]), {"fetched_at": SLOTS["now"]})


def stored(account_id: UUID) -> Account:
    """As it is now. Raises Account.DoesNotExist."""
    return _one().get({"account_id": account_id})


def stored_of(connection_id: UUID) -> list[Account]:
    """All of one connection, by id, with what `oldest_pending_on` and `has_findings` tell."""
    return _all().models({"connection_id": connection_id})


def oldest_pending_on(row: Account) -> date | None:
    """Of one that `stored_of` gave: the first day that a pending row is listed on, as of then."""
    found: date | None = vars(row).get("oldest_pending_on")  # a new account has none
    return found


def has_findings(row: Account) -> bool:
    """Of one that `stored_of` gave: whether a finding of it was open then."""
    return bool(vars(row).get("has_findings"))


@lru_cache(maxsize=1)
def _one() -> CompiledModels[Account]:
    return CompiledModels(Account.objects.for_sync().filter(id=SLOTS["account_id"]))


@lru_cache(maxsize=1)
def _all() -> CompiledModels[Account]:
    pending = Transaction.objects.for_sync().filter(account_id=OuterRef("id"), status=TransactionStatus.PENDING)
    opened = Finding.objects.filter(connection_id=OuterRef("connection_id"), account_id=OuterRef("id"), closed_at=None)
    rows = Account.objects.for_sync().filter(connection_id=SLOTS["connection_id"]).order_by("id")
    return CompiledModels(
        rows.annotate(
            oldest_pending_on=Subquery(pending.order_by("listed_on").values("listed_on")[:1]),
            has_findings=Exists(opened),
        )
    )


def mark_covered(connection: Connection, listed: Iterable[UUID]) -> None:
    """After a new link: what the customer did not tick at the bank this time is no longer served."""
    rows = Account.objects.for_sync().filter(connection=connection)
    rows.filter(id__in=list(listed)).update(is_covered=True)
    rows.exclude(id__in=list(listed)).update(is_covered=False)


def mark_unlisted(account_ids: Collection[UUID]) -> None:
    """What is stored of them stays and is served, as of then; the next list that has one of them says what it is again.

    The caller holds the connection's lock.
    """
    if not account_ids:
        return
    rows = Account.objects.for_sync().filter(id__in=list(account_ids)).exclude(status=AccountStatus.CLOSED)
    for row in rows:
        Account.objects.for_sync().filter(id=row.id).update(
            status=AccountStatus.CLOSED,
            provenance={**row.provenance, "status": NOT_LISTED},
            content_hash="",
            version=F("version") + 1,
        )


def _columns(data: AccountData, *, numbers: bool) -> dict[str, object]:
    columns: dict[str, object] = {
        "bank_account_id": data.bank_account_id,
        "category": data.category.value,
        "account_type": data.account_type,
        "name": clean(data.name, length_max=140),
        "currency": data.currency,
        "status": data.status.value,
        "masked_number": data.masked_number,
        "opened_on": data.opened_on,
        "provenance": data.provenance,
    }
    if data.identifications:
        # Under a narrower bank consent the numbers are not told: what was known before stays.
        columns["identification_digest"] = identification_digest(data)
        columns["identifications"] = [asdict(item) for item in data.identifications] if numbers else []
    canonical = json.dumps(columns, sort_keys=True, default=str)
    return {**columns, "content_hash": hashlib.sha256(canonical.encode()).hexdigest()}
