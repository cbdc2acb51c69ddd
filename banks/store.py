"""Writes what a fetch brought. The caller's transaction is fenced (`banks.fences`): it holds the connection's lock."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from uuid import UUID, uuid4

from django.db.models import F, QuerySet

from banks import store_rows
from banks.compiled import SLOTS, Compiled
from banks.matching import FACT_NAMES, Facts, Stored
from banks.models import Account, Connection, LinkSuggestion, QuarantinedRow, RawPayload, Transaction
from banks.normalize.entries import Entry
from banks.reconcile import (
    Addition,
    Asked,
    Changes,
    Correction,
    Renaming,
    Suggestion,
    listed,
    reconcile,
    says_the_same,
)
from banks.types import RejectedRow, TransactionStatus
from banks.vault import Vault, keyed_digest

#: Rows in one transaction: enough to be cheap, few enough that a revocation never waits long.
CHUNK = 500
_REMOVED = TransactionStatus.REMOVED


def compared(account_id: UUID, fetched: Sequence[Entry], *, asked: Asked) -> Changes:
    """What `reconcile` says of this fetch. Where the bank lists what it listed before, nothing but keys is read."""
    values = {"account_id": account_id, "start_on": asked.since, "end_on": asked.until}
    kept = _contents(asked.until is not None).rows(values)
    if says_the_same([(key, content) for key, content, status in kept if status != _REMOVED], fetched):
        return Changes(unchanged=len(listed(fetched)))
    in_window = _as_stored(_in_window(account_id, asked.since, asked.until)) if kept else []
    return reconcile(_with_namesakes(account_id, in_window, fetched), fetched, asked=asked)


@lru_cache(maxsize=2)
def _contents(is_bounded: bool) -> Compiled:
    rows = _in_window(SLOTS["account_id"], SLOTS["start_on"], SLOTS["end_on"] if is_bounded else None)
    return Compiled(rows.values_list("identity_key", "content_hash", "status"))


def _in_window(account_id: UUID, since: date, until: date | None) -> QuerySet[Transaction]:
    rows = Transaction.objects.for_sync().filter(account_id=account_id, listed_on__gte=since)
    return rows if until is None else rows.filter(listed_on__lte=until)


def stored_entries(
    account_id: UUID, fetched: Sequence[Entry], *, since: date, until: date | None = None
) -> list[Stored]:
    """What reconcile compares with: the rows from `since` to `until` (None: to the newest), and others under a bank id
    that was now listed.

    Removed rows too: one the bank lists again comes back under its old id.
    """
    return _with_namesakes(account_id, _as_stored(_in_window(account_id, since, until)), fetched)


def _with_namesakes(account_id: UUID, in_window: list[Stored], fetched: Sequence[Entry]) -> list[Stored]:
    found = {row.id: row for row in in_window}
    rows = Transaction.objects.for_sync().filter(account_id=account_id)
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
        placed = [(uuid4(), addition) for addition in additions]
        store_rows.insert(
            Transaction,
            [
                {
                    "account_id": account_id,
                    "id": row_id,
                    "identity_key": addition.entry.identity_key,
                    "occurrence": addition.occurrence,
                    "content_hash": addition.entry.content_hash,
                    "revision": 1,
                    "change_sequence": first + number,
                    "added_sequence": first + number,
                    "refiled_sequence": first + number,
                    "first_seen_at": now,
                    "updated_at": now,
                    **addition.entry.columns,
                }
                for number, (row_id, addition) in enumerate(placed)
            ],
        )
        owner = Vault.of(connection.id, connection.wrapped_key)
        store_rows.insert(
            RawPayload,
            [
                {"account_id": account_id, "transaction_id": row_id, "sealed": _sealed(owner, row_id, addition.entry)}
                for row_id, addition in placed
            ],
        )
        store_rows.insert(
            LinkSuggestion,
            [
                {
                    "id": uuid4(),
                    "account_id": account_id,
                    "pending_transaction_id": one.pending_id,
                    "booked_transaction_id": row_id,
                    "confidence_percent": one.confidence_percent,
                    "created_at": now,
                }
                for row_id, addition in placed
                for one in suggested.get((addition.entry.identity_key, addition.occurrence), ())
            ],
        )
        _touch(account_id)

    return write


def _correcting(account_id: UUID, corrections: Sequence[Correction], now: datetime) -> Write:
    def write(connection: Connection) -> None:
        first = _sequence(connection, len(corrections))
        rows: list[dict[str, object]] = [
            {
                "id": correction.id,
                "identity_key": correction.entry.identity_key,
                "occurrence": correction.occurrence,
                "content_hash": correction.entry.content_hash,
                "change_sequence": first + number,
                "refiled_sequence": first + number if correction.refiled else None,
                "link_method": correction.link,
                "updated_at": now,
                **correction.entry.columns,
            }
            for number, correction in enumerate(corrections)
        ]
        store_rows.update(
            Transaction,
            rows,
            account_id=account_id,
            key="id",
            counted="revision",
            kept=("refiled_sequence", "link_method"),
        )
        _reseal(connection, account_id, [(correction.id, correction.entry) for correction in corrections])
        _touch(account_id)

    return write


def _renaming(account_id: UUID, renamings: Sequence[Renaming]) -> Write:
    """No number and no revision: a reader sees the same row as before."""

    def write(connection: Connection) -> None:
        rows: list[dict[str, object]] = [
            {
                "id": renaming.id,
                "identity_key": renaming.entry.identity_key,
                "occurrence": renaming.occurrence,
                **{name: renaming.entry.columns[name] for name in ("bank_transaction_id", "provenance")},
            }
            for renaming in renamings
        ]
        store_rows.update(Transaction, rows, account_id=account_id, key="id")
        _reseal(connection, account_id, [(renaming.id, renaming.entry) for renaming in renamings])

    return write


def _reseal(connection: Connection, account_id: UUID, entries: Sequence[tuple[UUID, Entry]]) -> None:
    owner = Vault.of(connection.id, connection.wrapped_key)
    sealed = [{"transaction_id": row_id, "sealed": _sealed(owner, row_id, entry)} for row_id, entry in entries]
    store_rows.update(RawPayload, sealed, account_id=account_id, key="transaction_id")


def _removing(account_id: UUID, ids: Sequence[UUID], now: datetime) -> Write:
    def write(connection: Connection) -> None:
        first = _sequence(connection, len(ids))
        rows: list[dict[str, object]] = [
            {
                "id": row_id,
                "status": TransactionStatus.REMOVED,
                "change_sequence": first + number,
                "updated_at": now,
            }
            for number, row_id in enumerate(ids)
        ]
        store_rows.update(Transaction, rows, account_id=account_id, key="id", counted="revision")
        _touch(account_id)

    return write


def _sequence(connection: Connection, count: int) -> int:
    """The first of `count` numbers, taken under the connection's row lock: no reader can skip a late commit."""
    return store_rows.take_sequence(connection.id, count) - count + 1


def _touch(account_id: UUID) -> None:
    Account.objects.for_sync().filter(id=account_id).update(version=F("version") + 1)


def _sealed(owner: Vault, row_id: UUID, entry: Entry) -> bytes:
    return owner.seal(f"raw:{row_id}", entry.raw)


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
