"""Writes what a fetch brought: every transaction fenced, under the locks consent (by id), connection, account."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F, QuerySet

from banks import leases
from banks.leases import Claim
from banks.models import Account, Balance, Connection, QuarantinedRow, RawPayload, Transaction
from banks.normalize.entries import Column, Entry
from banks.normalize.money import to_minor
from banks.plan import Plan, plan
from banks.reconcile import Addition, Changes, Correction, Stored
from banks.types import BalanceData, RejectedRow, Resource, TransactionStatus
from banks.vault import Vault, keyed_digest
from consents.scopes import Presence

#: Rows in one transaction: enough to be cheap, few enough that a revocation never waits long.
CHUNK = 500


class NoLongerNeeded(Exception):
    """Between fetch and commit the last consent that needed this ended."""


@contextmanager
def fenced(
    held: Claim, *, stage: str, presence: Presence, now: Callable[[], datetime]
) -> Iterator[tuple[Connection, Plan]]:
    """One write transaction of a job: consents locked and asked again, connection locked, lease checked.

    Raises StaleLease.
    """
    with transaction.atomic():
        unlocked = Connection.objects.select_related("institution").get(id=held.connection_id)
        needs = plan(unlocked, presence=presence, now=now(), lock=True)
        with fenced_alone(held, stage=stage) as connection:
            yield connection, needs


@contextmanager
def fenced_alone(held: Claim, *, stage: str) -> Iterator[Connection]:
    """As `fenced`, to write of the connection itself and of no customer's data: no consent is asked.

    Raises StaleLease.
    """
    with transaction.atomic():
        connection = (
            Connection.objects.select_for_update(no_key=True, of=("self",))
            .select_related("institution")
            .get(id=held.connection_id)
        )
        leases.fence(held, stage=stage)
        yield connection


# -- balances ----------------------------------------------------------------------------------------------------------


def store_balances(account_id: UUID, fetched: Sequence[BalanceData], *, now: datetime) -> int:
    """Rows written or removed; unchanged ones cost no write but the account's `balances_as_of`.

    Raises AmountRejected before anything is written.
    """
    rows = {(row.type, row.currency): row for row in (_balance(account_id, data) for data in fetched)}
    kept = {(row.type, row.currency): row for row in Balance.objects.for_sync().filter(account_id=account_id)}
    changed = 0
    for key, row in rows.items():
        before = kept.get(key)
        if before is not None and before.content_hash == row.content_hash:
            continue
        row.id = before.id if before else row.id
        row.save(force_insert=before is None, force_update=before is not None)
        changed += 1
    gone = [row.id for key, row in kept.items() if key not in rows]
    if gone:
        Balance.objects.for_sync().filter(account_id=account_id, id__in=gone).delete()
    touched: dict[str, object] = {"balances_as_of": now}
    if changed or gone:
        touched["version"] = F("version") + 1
    Account.objects.for_sync().filter(id=account_id).update(**touched)
    return changed + len(gone)


def _balance(account_id: UUID, data: BalanceData) -> Balance:
    lines = [
        {
            "included": line.included,
            "type": line.type,
            "amount_minor": None if line.amount is None else to_minor(line.amount.amount, line.amount.currency),
            "currency": None if line.amount is None else line.amount.currency,
        }
        for line in data.credit_lines
    ]
    amount_minor = to_minor(data.money.amount, data.money.currency)
    told = [data.type, amount_minor, data.money.currency, lines, data.as_of.isoformat()]
    return Balance(
        account_id=account_id,
        type=data.type,
        amount_minor=amount_minor,
        currency=data.money.currency,
        credit_lines=lines,
        as_of=data.as_of,
        content_hash=hashlib.sha256(json.dumps(told).encode()).hexdigest(),
    )


# -- transactions ------------------------------------------------------------------------------------------------------


def stored_entries(account_id: UUID, fetched: Sequence[Entry], *, since: date) -> list[Stored]:
    """What reconcile compares with: the rows from `since` on, and older ones under a bank id that was now listed.

    Removed rows too: one the bank lists again comes back under its old id.
    """
    rows = Transaction.objects.for_sync().filter(account_id=account_id)
    older = rows.filter(listed_on__lt=since)
    found = _as_stored(rows.filter(listed_on__gte=since))
    if older.exists():
        keys = sorted({entry.identity_key for entry in fetched if entry.has_bank_id})
        for start in range(0, len(keys), CHUNK):
            found += _as_stored(older.filter(identity_key__in=keys[start : start + CHUNK]))
    return found


def _as_stored(rows: QuerySet[Transaction]) -> list[Stored]:
    names = ("id", "identity_key", "occurrence", "content_hash", "status", "listed_on")
    return [
        Stored(
            id=row_id,
            identity_key=identity_key,
            occurrence=occurrence,
            content_hash=content_hash,
            status=TransactionStatus(status),
            listed_on=listed_on,
        )
        for row_id, identity_key, occurrence, content_hash, status, listed_on in rows.values_list(*names)
    ]


Write = Callable[[Connection], None]


def writes(account_id: UUID, changes: Changes, *, now: datetime) -> Iterator[Write]:
    """`changes` cut into transactions of at most CHUNK rows; each call writes one, under the connection's lock."""
    for start in range(0, len(changes.added), CHUNK):
        yield _adding(account_id, changes.added[start : start + CHUNK], now)
    for start in range(0, len(changes.modified), CHUNK):
        yield _correcting(account_id, changes.modified[start : start + CHUNK], now)
    for start in range(0, len(changes.removed), CHUNK):
        yield _removing(account_id, changes.removed[start : start + CHUNK], now)


def _adding(account_id: UUID, additions: Sequence[Addition], now: datetime) -> Write:
    def write(connection: Connection) -> None:
        first = _sequence(connection, len(additions))
        rows = [
            Transaction(
                account_id=account_id,
                id=uuid4(),
                identity_key=addition.entry.identity_key,
                occurrence=addition.occurrence,
                content_hash=addition.entry.content_hash,
                change_sequence=first + number,
                first_seen_at=now,
                updated_at=now,
                **addition.entry.columns,
            )
            for number, addition in enumerate(additions)
        ]
        Transaction.objects.for_sync().bulk_create(rows)
        owner = Vault.of(connection.id, connection.wrapped_key)
        RawPayload.objects.for_sync().bulk_create(
            RawPayload(account_id=account_id, transaction_id=row.id, sealed=_sealed(owner, row.id, addition.entry))
            for row, addition in zip(rows, additions, strict=True)
        )
        _touch(account_id)

    return write


def _correcting(account_id: UUID, corrections: Sequence[Correction], now: datetime) -> Write:
    def write(connection: Connection) -> None:
        first = _sequence(connection, len(corrections))
        owner = Vault.of(connection.id, connection.wrapped_key)
        for number, correction in enumerate(corrections):
            columns: dict[str, Column] = correction.entry.columns
            Transaction.objects.for_sync().filter(account_id=account_id, id=correction.id).update(
                **columns,
                content_hash=correction.entry.content_hash,
                revision=F("revision") + 1,
                change_sequence=first + number,
                updated_at=now,
            )
            RawPayload.objects.for_sync().filter(account_id=account_id, transaction_id=correction.id).update(
                sealed=_sealed(owner, correction.id, correction.entry)
            )
        _touch(account_id)

    return write


def _removing(account_id: UUID, ids: Sequence[UUID], now: datetime) -> Write:
    def write(connection: Connection) -> None:
        first = _sequence(connection, len(ids))
        for number, row_id in enumerate(ids):
            Transaction.objects.for_sync().filter(account_id=account_id, id=row_id).update(
                status=TransactionStatus.REMOVED,
                revision=F("revision") + 1,
                change_sequence=first + number,
                updated_at=now,
            )
        _touch(account_id)

    return write


def _sequence(connection: Connection, count: int) -> int:
    """The first of `count` numbers, taken under the connection's row lock: no reader can skip a late commit."""
    Connection.objects.filter(id=connection.id).update(change_sequence=F("change_sequence") + count)
    last = Connection.objects.values_list("change_sequence", flat=True).get(id=connection.id)
    return last - count + 1


def _touch(account_id: UUID) -> None:
    Account.objects.for_sync().filter(id=account_id).update(version=F("version") + 1)


def _sealed(owner: Vault, row_id: UUID, entry: Entry) -> bytes:
    return owner.seal(f"raw:{row_id}", entry.raw)


def mark_complete(account_id: UUID, *, first_on: date, last_on: date, now: datetime, keep_first: bool) -> None:
    """The whole window was answered and stored. `keep_first`: the window began inside what is already covered."""
    columns: dict[str, object] = {"transactions_as_of": now, "coverage_last_on": last_on}
    if not keep_first:
        columns["coverage_first_on"] = first_on
    Account.objects.for_sync().filter(id=account_id).update(**columns)


def quarantine(
    connection: Connection, account_id: UUID, rejected: Sequence[RejectedRow], *, connector: str, now: datetime
) -> None:
    """Kept sealed, counted once however often it comes; reason, field and connector are for the operator."""
    owner = Vault.of(connection.id, connection.wrapped_key)
    for row in rejected:
        digest = keyed_digest("quarantine", hashlib.sha256(row.raw).hexdigest())
        QuarantinedRow.objects.for_sync().update_or_create(
            account_id=account_id,
            digest=digest,
            defaults={"last_seen_at": now, "reason": row.reason[:60], "field": row.field[:200]},
            create_defaults={
                "reason": row.reason[:60],
                "field": row.field[:200],
                "connector": connector,
                "sealed": owner.seal(f"quarantine:{digest}", row.raw),
                "first_seen_at": now,
                "last_seen_at": now,
            },
        )


def require(needs: Plan, account_id: UUID, resource: Resource) -> None:
    """Raises NoLongerNeeded."""
    if not needs.needs(account_id, resource):
        raise NoLongerNeeded(resource)
