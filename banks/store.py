"""Writes what a fetch brought: every transaction fenced, under the locks consent (by id), connection, account."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F, Min, QuerySet

from banks import leases
from banks.coverage import Covered, Span, Window
from banks.leases import Claim
from banks.matching import FACT_NAMES, Facts, Stored
from banks.models import Account, Connection, LinkSuggestion, QuarantinedRow, RawPayload, Transaction
from banks.normalize.entries import Column, Entry
from banks.plan import Plan, plan
from banks.reconcile import Addition, Changes, Correction, Renaming, Suggestion
from banks.types import RejectedRow, Resource, TransactionStatus
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


# -- transactions ------------------------------------------------------------------------------------------------------


def stored_entries(
    account_id: UUID, fetched: Sequence[Entry], *, since: date, until: date | None = None
) -> list[Stored]:
    """What reconcile compares with: the rows from `since` to `until` (None: to the newest), and others under a bank id
    that was now listed.

    Removed rows too: one the bank lists again comes back under its old id.
    """
    rows = Transaction.objects.for_sync().filter(account_id=account_id)
    here = rows.filter(listed_on__gte=since)
    if until is not None:
        here = here.filter(listed_on__lte=until)
    found = {row.id: row for row in _as_stored(here)}
    keys = sorted({entry.identity_key for entry in fetched if entry.has_bank_id})
    for start in range(0, len(keys), CHUNK):
        found |= {row.id: row for row in _as_stored(rows.filter(identity_key__in=keys[start : start + CHUNK]))}
    return list(found.values())


def _as_stored(rows: QuerySet[Transaction]) -> list[Stored]:
    names = ("id", "identity_key", "occurrence", "content_hash")
    return [
        Stored(
            id=row["id"],
            identity_key=row["identity_key"],
            occurrence=row["occurrence"],
            content_hash=row["content_hash"],
            facts=Facts.of(row),
        )
        for row in rows.values(*names, *FACT_NAMES)
    ]


def oldest_pending_on(account_id: UUID) -> date | None:
    pending = Transaction.objects.for_sync().filter(account_id=account_id, status=TransactionStatus.PENDING)
    found: date | None = pending.aggregate(day=Min("listed_on"))["day"]
    return found


Write = Callable[[Connection], None]


def writes(account_id: UUID, changes: Changes, *, now: datetime) -> Iterator[Write]:
    """`changes` cut into transactions of at most CHUNK rows; each call writes one, under the connection's lock."""
    suggested: dict[tuple[str, int], list[Suggestion]] = defaultdict(list)
    for one in changes.suggested:
        suggested[one.identity_key, one.occurrence].append(one)
    for start in range(0, len(changes.added), CHUNK):
        yield _adding(account_id, changes.added[start : start + CHUNK], suggested, now)
    for start in range(0, len(changes.modified), CHUNK):
        yield _correcting(account_id, changes.modified[start : start + CHUNK], now)
    for start in range(0, len(changes.renamed), CHUNK):
        yield _renaming(account_id, changes.renamed[start : start + CHUNK])
    for start in range(0, len(changes.removed), CHUNK):
        yield _removing(account_id, changes.removed[start : start + CHUNK], now)


def _adding(
    account_id: UUID,
    additions: Sequence[Addition],
    suggested: Mapping[tuple[str, int], Sequence[Suggestion]],
    now: datetime,
) -> Write:
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
                added_sequence=first + number,
                refiled_sequence=first + number,
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
        LinkSuggestion.objects.for_sync().bulk_create(
            LinkSuggestion(
                account_id=account_id,
                pending_transaction_id=one.pending_id,
                booked_transaction_id=row.id,
                confidence_percent=one.confidence_percent,
                created_at=now,
            )
            for row in rows
            for one in suggested.get((row.identity_key, row.occurrence), ())
        )
        _touch(account_id)

    return write


def _correcting(account_id: UUID, corrections: Sequence[Correction], now: datetime) -> Write:
    def write(connection: Connection) -> None:
        first = _sequence(connection, len(corrections))
        owner = Vault.of(connection.id, connection.wrapped_key)
        for number, correction in enumerate(corrections):
            told: dict[str, Column] = dict(correction.entry.columns)
            if correction.link is not None:
                told["link_method"] = correction.link
            if correction.refiled:
                told["refiled_sequence"] = first + number
            Transaction.objects.for_sync().filter(account_id=account_id, id=correction.id).update(
                **told,
                identity_key=correction.entry.identity_key,
                occurrence=correction.occurrence,
                content_hash=correction.entry.content_hash,
                revision=F("revision") + 1,
                change_sequence=first + number,
                updated_at=now,
            )
            _reseal(owner, account_id, correction.id, correction.entry)
        _touch(account_id)

    return write


def _renaming(account_id: UUID, renamings: Sequence[Renaming]) -> Write:
    """No number and no revision: a reader sees the same row as before."""

    def write(connection: Connection) -> None:
        owner = Vault.of(connection.id, connection.wrapped_key)
        for renaming in renamings:
            told = {name: renaming.entry.columns[name] for name in ("bank_transaction_id", "provenance")}
            Transaction.objects.for_sync().filter(account_id=account_id, id=renaming.id).update(
                **told, identity_key=renaming.entry.identity_key, occurrence=renaming.occurrence
            )
            _reseal(owner, account_id, renaming.id, renaming.entry)

    return write


def _reseal(owner: Vault, account_id: UUID, row_id: UUID, entry: Entry) -> None:
    RawPayload.objects.for_sync().filter(account_id=account_id, transaction_id=row_id).update(
        sealed=_sealed(owner, row_id, entry)
    )


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


def covered(account_id: UUID) -> Covered:
    names = ("coverage_first_on", "coverage_last_on", "coverage_gaps")
    return Covered.of(*Account.objects.for_sync().filter(id=account_id).values_list(*names).get())


def mark_covered(account_id: UUID, window: Window, *, bank_first_on: date | None, now: datetime) -> None:
    """The whole window was answered and stored. `bank_first_on`: the first day the bank says it has anything for.

    Rows older than that were once fetched and stay covered. The caller holds the connection's lock.
    """
    columns: dict[str, object] = {}
    if bank_first_on is not None:
        columns["bank_first_on"] = bank_first_on
    if window.until is None:
        columns["transactions_as_of"] = now
    first_on = max(window.covers.first_on, bank_first_on or window.covers.first_on)
    if first_on <= window.covers.last_on:
        before = covered(account_id)
        columns |= _coverage_columns(before, before.plus(Span(first_on, window.covers.last_on)))
    Account.objects.for_sync().filter(id=account_id).update(**columns)


def doubt_coverage(account_id: UUID, *, since: date) -> None:
    """What is older than `since` is to be fetched once more: the rows do not add up. They stay, and are served."""
    before = covered(account_id)
    spans = (span for span in before.spans if span.last_on >= since)
    kept = Covered(tuple(Span(max(span.first_on, since), span.last_on) for span in spans))
    Account.objects.for_sync().filter(id=account_id).update(**_coverage_columns(before, kept))


def _coverage_columns(before: Covered, after: Covered) -> dict[str, object]:
    columns: dict[str, object] = {
        "coverage_first_on": after.first_on,
        "coverage_last_on": after.last_on,
        "coverage_gaps": after.gaps,
    }
    return columns if before == after else {**columns, "version": F("version") + 1}


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


def require(needs: Plan, account_id: UUID, resource: Resource, *, since: date | None = None) -> None:
    """`since`: the first day of transactions that is asked for, or was answered. Raises NoLongerNeeded."""
    if not needs.needs(account_id, resource):
        raise NoLongerNeeded(resource)
    opened_from = needs.accounts[account_id].since
    if since is not None and (opened_from is None or opened_from > since):
        raise NoLongerNeeded(resource)
