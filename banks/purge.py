"""Retention: what nobody needs any more is deleted, and the key that sealed it destroyed.

Each step is a short transaction that says in the row how far it came; after a crash the next sweep goes on from there.
A connection's key goes first: whatever is left of its rows then opens for nobody.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from banks import leases
from banks.models import (
    Account,
    Balance,
    Connection,
    FetchRecord,
    Finding,
    FindingKind,
    LinkAttempt,
    LinkSuggestion,
    QuarantinedRow,
    RawPayload,
    Transaction,
)
from banks.needing import needs_of
from banks.needs import RETENTION, is_due
from banks.types import AccountStatus
from consents import audit
from consents.audit import Actor
from consents.states import ConnectionStatus, Initiator

#: Rows in one transaction.
CHUNK = 500
#: Connections, and accounts, that one sweep takes on.
BATCH = 50

_SYSTEM = Actor(initiator=Initiator.SYSTEM)

#: What a bank told, and how far: after a purge it has told nothing.
_NO_TRANSACTIONS: dict[str, Any] = {
    "transactions_as_of": None,
    "coverage_first_on": None,
    "coverage_last_on": None,
    "coverage_gaps": [],
    "bank_first_on": None,
    "next_refresh_after": None,
    "proven_opening_minor": None,
    "proven_first_on": None,
}
_NOTHING: dict[str, Any] = {
    **_NO_TRANSACTIONS,
    "name": None,
    "masked_number": None,
    "identifications": [],
    "identification_digest": "",
    "holder_digest": "",
    "opened_on": None,
    "provenance": {},
    "content_hash": "",
    "balances_as_of": None,
    "status": AccountStatus.CLOSED,
    "is_covered": False,
}


def sweep(*, now: datetime) -> int:
    """Purge what is due; how many connections and accounts were. Safe to run twice, and at once."""
    done = 0
    while some := _sweep_some(now):
        done += some
    return done + _purge_balances(now)


def _sweep_some(now: datetime) -> int:
    edge = now - RETENTION
    ended = (ConnectionStatus.REVOKED, ConnectionStatus.CLOSED)
    over = Connection.objects.filter(status__in=ended, unneeded_at__lte=edge, purged_at=None)
    living = Account.objects.for_sync().filter(connection__unneeded_at=None)
    due = living.filter(Q(unneeded_at__lte=edge) | Q(transactions_unneeded_at__lte=edge))
    connections = list(over.order_by("unneeded_at", "id").values_list("id", flat=True)[:BATCH])
    accounts = list(due.order_by("id").values_list("id", flat=True)[:BATCH])
    done = sum(purge_connection(connection_id, now=now) for connection_id in connections)
    return done + sum(purge_account(account_id, now=now) for account_id in accounts)


# -- a whole connection ------------------------------------------------------------------------------------------------


def purge_connection(connection_id: UUID, *, now: datetime, at_once: bool = False) -> bool:
    """Delete all rows of an ended connection and destroy its key; CLOSED. False: it is needed, or not yet due.

    `at_once`: the user does not wait for the 24 hours.
    """
    with transaction.atomic():
        connection = _locked(connection_id)
        if (
            connection is None
            or connection.purged_at is not None
            or not is_due(connection.unneeded_at, now, at_once=at_once)
        ):
            return False
        # From here on there is no way back: a new link finds a closed connection and makes another.
        Connection.objects.filter(id=connection_id).update(
            status=ConnectionStatus.CLOSED,
            wrapped_key=b"",
            sealed_credentials=None,
            sealed_state=None,
            refresh_started_at=None,
        )
    accounts = Account.objects.for_sync().filter(connection_id=connection_id).order_by("id")
    for account_id in list(accounts.values_list("id", flat=True)):
        _delete_rows_of(account_id)
        Account.objects.for_sync().filter(id=account_id).delete()
    _close(connection, now)
    return True


def _close(connection: Connection, now: datetime) -> None:
    _Rows(FetchRecord.objects.filter(connection_id=connection.id)).delete_all()
    with transaction.atomic():
        LinkAttempt.objects.filter(user_id=connection.user_id, connection_id=connection.id).delete()
        # Only what the bank does not let us end still wants somebody's eyes.
        moot = Finding.objects.filter(connection_id=connection.id, closed_at=None)
        moot.exclude(kind=FindingKind.UPSTREAM_NOT_ENDED).update(closed_at=now)
        if not Connection.objects.filter(id=connection.id, purged_at=None).update(
            purged_at=now, bank_consent_id="", resources=[], history_from=None
        ):
            return  # another sweep was faster
        audit.record(
            "connection.closed",
            actor=_SYSTEM,
            now=now,
            user_pseudonym=connection.user.pseudonym,
            institution_id=connection.institution_id,
            from_status=connection.status,
            to_status=ConnectionStatus.CLOSED,
            reason_code="retention_ended",
            details={"connection_id": str(connection.id)},
        )


# -- one account of a connection that lives on -------------------------------------------------------------------------


def purge_account(account_id: UUID, *, now: datetime, at_once: bool = False) -> bool:
    """Delete the account, or its transactions alone, as its marks say. False: needed, not yet due, or not there."""
    row = Account.objects.for_sync().filter(id=account_id).values_list("connection_id", flat=True).first()
    if row is None:
        return False
    with _due_account(row, account_id, "unneeded_at", now=now, at_once=at_once) as account:
        if account is not None:
            # Its names go first, under the lock: whatever the bank lists from now on is another account.
            Account.objects.for_sync().filter(id=account_id).update(**_NOTHING, bank_account_id=f"purged:{account_id}")
    if account is not None:
        _delete_rows_of(account_id)
        FetchRecord.objects.filter(connection_id=row, account_id=account_id).delete()
        Account.objects.for_sync().filter(id=account_id).delete()
        return True
    return _purge_transactions(row, account_id, now=now, at_once=at_once)


def _purge_transactions(connection_id: UUID, account_id: UUID, *, now: datetime, at_once: bool) -> bool:
    """Under the lock row by row: a consent that needs them again stops it, and then the whole window is fetched anew,
    because the coverage went first."""
    mark = "transactions_unneeded_at"
    with _due_account(connection_id, account_id, mark, now=now, at_once=at_once) as account:
        if account is None:
            return False
        Account.objects.for_sync().filter(id=account_id).update(**_NO_TRANSACTIONS)
        # A running job compared what it fetched with rows that go now; should they be needed again, it would call days
        # covered whose rows it took to be there.
        leases.restart(connection_id, now=now)
    for rows in _transactions_of(account_id):
        more = True
        while more:
            with _due_account(connection_id, account_id, mark, now=now, at_once=at_once) as account:
                if account is None:
                    return False
                more = rows.delete_some()
    with _due_account(connection_id, account_id, mark, now=now, at_once=at_once) as account:
        if account is not None:
            Account.objects.for_sync().filter(id=account_id).update(transactions_unneeded_at=None)
    return account is not None


def _purge_balances(now: datetime) -> int:
    """Balances that no consent needs, and that nobody has fetched for as long as retention lasts."""
    living = Account.objects.for_sync().filter(connection__unneeded_at=None, unneeded_at=None)
    old = living.filter(balances_as_of__lte=now - RETENTION)
    count, after = 0, UUID(int=0)
    while batch := list(old.filter(id__gt=after).select_related("connection").order_by("id")[:CHUNK]):
        after = batch[-1].id
        needs = needs_of(list({row.connection_id: row.connection for row in batch}.values()), now=now)
        unneeded = [row for row in batch if row.id not in needs[row.connection_id].balances]
        count += sum(_forget_balances(row, now) for row in unneeded)
    return count


def purge_balances(account_id: UUID, *, now: datetime) -> bool:
    """At once, the balances of one account that no consent needs. False: needed, or not there."""
    account = Account.objects.for_sync().filter(id=account_id).exclude(balances_as_of=None).first()
    return account is not None and _forget_balances(account, now)


def _forget_balances(account: Account, now: datetime) -> bool:
    with transaction.atomic():
        connection = _locked(account.connection_id)
        if connection is None or account.id in needs_of([connection], now=now)[connection.id].balances:
            return False
        Balance.objects.for_sync().filter(account_id=account.id).delete()
        Account.objects.for_sync().filter(id=account.id).update(balances_as_of=None)
    return True


@contextmanager
def _due_account(
    connection_id: UUID, account_id: UUID, mark: str, *, now: datetime, at_once: bool
) -> Iterator[Account | None]:
    """The account under its connection's lock, where a grant takes marks away; None: it is needed, or not yet due."""
    with transaction.atomic():
        connection = _locked(connection_id)
        account = Account.objects.for_sync().filter(id=account_id).first()
        if connection is None or account is None:
            yield None
            return
        # Of a link that has ended, no account is marked by itself.
        since = getattr(account, mark) or (connection.unneeded_at if mark == "unneeded_at" else None)
        if not is_due(since, now, at_once=at_once):
            yield None
            return
        # A mark is as old as the last review; what is needed now decides.
        needs = needs_of([connection], now=now)[connection_id]
        needed = needs.accounts if mark == "unneeded_at" else needs.transactions
        yield None if account_id in needed else account


# -- rows --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of one table, and the column that tells one from the next within its account or connection.

    `raw`: what was told of each, by `transaction_id`; it goes with it.
    """

    query: QuerySet[Any]
    key: str = "id"
    raw: QuerySet[RawPayload] | None = None

    def delete_some(self) -> bool:
        """At most CHUNK in a transaction of its own; whether there may be more."""
        with transaction.atomic():
            keys = list(self.query.values_list(self.key, flat=True)[:CHUNK])
            if keys and self.raw is not None:
                self.raw.filter(transaction_id__in=keys).delete()
            if keys:
                self.query.filter(**{f"{self.key}__in": keys}).delete()
        return len(keys) == CHUNK

    def delete_all(self) -> None:
        while self.delete_some():
            pass


def _transactions_of(account_id: UUID) -> list[_Rows]:
    """Raw rows with what they belong to: where a purge is stopped, no row is left without its own, for whoever fetches
    it again finds it unchanged."""
    raw = RawPayload.objects.for_sync().filter(account_id=account_id)
    return [
        _Rows(QuarantinedRow.objects.for_sync().filter(account_id=account_id)),
        _Rows(LinkSuggestion.objects.for_sync().filter(account_id=account_id)),
        _Rows(Transaction.objects.for_sync().filter(account_id=account_id), raw=raw),
        _Rows(raw, "transaction_id"),
    ]


def _delete_rows_of(account_id: UUID) -> None:
    for rows in (*_transactions_of(account_id), _Rows(Balance.objects.for_sync().filter(account_id=account_id))):
        rows.delete_all()


def _locked(connection_id: UUID) -> Connection | None:
    rows = Connection.objects.select_for_update(no_key=True, of=("self",)).select_related("user")
    return rows.filter(id=connection_id).first()
