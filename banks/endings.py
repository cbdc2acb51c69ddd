"""What becomes of a connection when consents end: it ends with the last of them, or keeps what the others need.

Two sweeps at once are harmless: whoever holds the connection's lock decides by what is true then. Locks are taken in
the order consents (by id), connection, account.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef

from banks import clocks, upstream
from banks.models import (
    LIVE_JOBS,
    Account,
    Connection,
    LinkAttempt,
    QuarantinedRow,
    SyncJob,
    SyncJobStatus,
    Transaction,
)
from banks.needing import consents_on, needs_of
from banks.needs import Marks, Needs, marks
from banks.upstream import EndingReason
from consents import audit, events
from consents.audit import Actor
from consents.models import Consent, ConsentAccount
from consents.states import ConnectionStatus, Initiator

#: How far back the quick sweep looks for consents that ended; what it missed, the slow one finds.
RECENT = timedelta(minutes=10)
BATCH = 500

#: A redirect to a bank is good for ten minutes; long after that, nothing can come of it any more.
ABANDONED_AFTER = timedelta(hours=1)
#: What a bank showed serves a question that lives an hour; kept for a day, like all that is not needed.
ATTEMPT_KEPT = timedelta(hours=24)

_SYSTEM = Actor(initiator=Initiator.SYSTEM)


# -- sweeps ------------------------------------------------------------------------------------------------------------


def sweep(*, now: datetime) -> int:
    """Review the connections of consents that ended in the last minutes; how many were changed. Cheap: run it often."""
    recent = Consent.objects.filter(ended_at__gte=now - RECENT).order_by("-ended_at", "id")
    ended = list(recent.values_list("id", flat=True)[:BATCH])
    shared = ConsentAccount.objects.filter(consent_id__in=ended).values_list("connection_id", flat=True)
    shown = LinkAttempt.objects.filter(consent_id__in=ended).values_list("connection_id", flat=True)
    found = {connection_id for connection_id in (*shared, *shown) if connection_id is not None}
    return _review_all(Connection.objects.filter(id__in=found, unneeded_at=None), now)


def care(*, now: datetime) -> int:
    """The same for every connection, in batches, and what the calendar brings: announcements, old redirects.

    How many were changed. It is what makes a sweep that was missed, or a row that was changed by hand, harmless.
    """
    changed = 0
    for batch in _in_batches():
        changed += _review_all(batch, now)
        changed += _announce_all(batch, now)
    _forget_attempts(now)
    return changed


def _in_batches() -> Iterator[list[Connection]]:
    after = UUID(int=0)
    living = Connection.objects.filter(unneeded_at=None).exclude(status=ConnectionStatus.CLOSED).order_by("id")
    while batch := list(living.filter(id__gt=after)[:BATCH]):
        yield batch
        after = batch[-1].id


def _review_all(connections: Collection[Connection], now: datetime) -> int:
    """Looked at without a lock first: nearly all of them are as they should be."""
    found = list(connections)
    needs = needs_of(found, now=now)
    held = _accounts_of([connection.id for connection in found])
    return sum(
        review(connection.id, now=now)
        for connection in found
        if not needs[connection.id].accounts
        or any(_marks(account, needs[connection.id], now) != _marked(account) for account in held[connection.id])
    )


# -- one connection ----------------------------------------------------------------------------------------------------


def review(connection_id: UUID, *, now: datetime) -> bool:
    """End it if no live consent and no open question needs it; else mark the accounts that none needs any more.

    Whether anything changed. A consent that is granted meanwhile comes before, and the connection stays; or after, and
    finds that it is gone (banks.sharing.grant).
    """
    with transaction.atomic():
        list(Consent.objects.select_for_update(no_key=True).filter(id__in=consents_on(connection_id)).order_by("id"))
        connection = _locked(connection_id)
        if connection is None or connection.unneeded_at is not None or connection.status == ConnectionStatus.CLOSED:
            return False
        needs = needs_of([connection], now=now)[connection.id]
        if needs.accounts:
            return _mark_accounts(connection, needs, now)
        _end(connection, now)
        return True


def _end(connection: Connection, now: datetime) -> None:
    """No fetch, no credentials to use, nothing to serve; rows and key stay until retention ends (banks.purge)."""
    # What the bank ended itself keeps that reason.
    was_over = connection.status == ConnectionStatus.REVOKED
    Connection.objects.filter(id=connection.id).update(
        status=ConnectionStatus.REVOKED,
        status_reason=connection.status_reason if was_over else EndingReason.NO_CONSENT_LEFT,
        unneeded_at=now,
        next_sync_at=None,
    )
    _cancel_job(connection.id, now)
    upstream.lodge(
        connection.institution,
        connection.bank_consent_id,
        connection_id=connection.id,
        reason=EndingReason.NO_CONSENT_LEFT,
        now=now,
    )
    audit.record(
        "connection.revoked",
        actor=_SYSTEM,
        now=now,
        user_pseudonym=connection.user.pseudonym,
        institution_id=connection.institution_id,
        from_status=connection.status,
        to_status=ConnectionStatus.REVOKED,
        reason_code=EndingReason.NO_CONSENT_LEFT,
        details={"connection_id": str(connection.id)},
    )


def _cancel_job(connection_id: UUID, now: datetime) -> None:
    """The epoch is raised, so that a worker in the middle of it writes nothing more."""
    SyncJob.objects.filter(connection_id=connection_id, status__in=LIVE_JOBS).update(
        status=SyncJobStatus.CANCELLED,
        epoch=F("epoch") + 1,
        error_code=EndingReason.NO_CONSENT_LEFT,
        stage="",
        lease_until=None,
        requested_again=False,
        customer_ip_address=None,
        finished_at=now,
    )


def _mark_accounts(connection: Connection, needs: Needs, now: datetime) -> bool:
    changed = False
    for account in _accounts_of([connection.id])[connection.id]:
        after = _marks(account, needs, now)
        if after != _marked(account):
            Account.objects.for_sync().filter(id=account.id).update(
                unneeded_at=after.unneeded_at, transactions_unneeded_at=after.transactions_unneeded_at
            )
            changed = True
    return changed


def _marks(account: Account, needs: Needs, now: datetime) -> Marks:
    has_transactions: bool = account.transactions_as_of is not None or account.has_rows  # type: ignore[attr-defined]
    return marks(account.id, _marked(account), needs, has_transactions=has_transactions, now=now)


def _marked(account: Account) -> Marks:
    return Marks(unneeded_at=account.unneeded_at, transactions_unneeded_at=account.transactions_unneeded_at)


def _accounts_of(connection_ids: Collection[UUID]) -> dict[UUID, list[Account]]:
    rows = Transaction.objects.for_sync().filter(account_id=OuterRef("id"))
    quarantined = QuarantinedRow.objects.for_sync().filter(account_id=OuterRef("id"))
    found: dict[UUID, list[Account]] = {connection_id: [] for connection_id in connection_ids}
    accounts = Account.objects.for_sync().filter(connection_id__in=list(connection_ids)).order_by("id")
    for account in accounts.annotate(has_rows=Exists(rows) | Exists(quarantined)):
        found[account.connection_id].append(account)
    return found


def _locked(connection_id: UUID) -> Connection | None:
    rows = Connection.objects.select_for_update(no_key=True, of=("self",)).select_related("institution", "user")
    return rows.filter(id=connection_id).first()


# -- what the calendar brings ------------------------------------------------------------------------------------------


def _announce_all(connections: Collection[Connection], now: datetime) -> int:
    needs = needs_of(connections, now=now)
    return sum(_announce(connection, needs[connection.id], now) for connection in connections)


def _announce(connection: Connection, needs: Needs, now: datetime) -> bool:
    """connection.needs_renewal, once for each of 30, 7 and 1 days before a clock runs out, and once when it has."""
    due_at = clocks.renewal_due_at(connection.consent_expires_at, connection.authentication_expires_at, needs.until)
    days, before = clocks.announced_days(due_at, now), connection.expiry_announced_days
    if days is None or (before is not None and before <= days):
        return False
    state = clocks.connection_state(
        ConnectionStatus(connection.status), connection.consent_expires_at, connection.authentication_expires_at, now
    )
    # What was lost otherwise was told when it was lost (banks.sync).
    if state in (ConnectionStatus.REVOKED, ConnectionStatus.SUSPENDED):
        return False
    with transaction.atomic():
        # Conditional on what was read: of two sweeps one announces, and a renewal meanwhile stops both.
        unchanged = Connection.objects.filter(
            id=connection.id, expiry_announced_days=before, bank_consent_id=connection.bank_consent_id
        )
        if not unchanged.update(expiry_announced_days=days):
            return False
        events.publish(
            events.EventType.CONNECTION_NEEDS_RENEWAL,
            now=now,
            user_id=connection.user_id,
            connection_id=connection.id,
            details={"code": _announcement(state, days), "days": days},
        )
    return True


def _announcement(state: ConnectionStatus, days: int) -> str:
    if days:
        return "connection_expiring"
    return "connection_expired" if state == ConnectionStatus.EXPIRED else "reauth_required"


def _forget_attempts(now: datetime) -> None:
    """Redirects that nothing came of: what was lodged at the bank for them is ended there, and the rows go."""
    for attempt in LinkAttempt.objects.filter(connection_id=None, created_at__lt=now - ABANDONED_AFTER)[:BATCH]:
        with transaction.atomic():
            # Whoever deletes it lodges it; an attempt that led somewhere meanwhile is not touched.
            deleted, _ = LinkAttempt.objects.filter(id=attempt.id, connection_id=None).delete()
            if deleted:
                upstream.lodge(
                    attempt.institution,
                    attempt.bank_consent_id,
                    connection_id=None,
                    reason=EndingReason.NOT_LINKED,
                    now=now,
                )
    LinkAttempt.objects.exclude(connection_id=None).filter(created_at__lt=now - ATTEMPT_KEPT).delete()
