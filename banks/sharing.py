"""What was linked is shared: the accounts a bank showed in this flow, and the user's yes."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from banks import attempts, leases
from banks.models import Account, Connection, LinkAttempt, SyncTrigger
from banks.types import Resource
from consents import lifecycle
from consents.audit import Actor
from consents.lifecycle import AccountChoice, Disclosure
from consents.models import Consent
from consents.scopes import Scope, fetched_for
from consents.states import ConnectionStatus

#: How old a login at the bank may be when a link that existed before it is shared or widened.
STEP_UP_WINDOW = timedelta(minutes=5)


def offered_accounts(*, consent_id: UUID, user_id: UUID, session_key: str, now: datetime) -> list[AccountChoice]:
    """What the banks showed in this very flow and browser: no link is shared without a login at its bank.

    Of each bank what the latest login there showed. Nothing of a bank once that login is older than STEP_UP_WINDOW and
    the link existed before it; nor once a later link for another consent left the bank's own consent too narrow for
    this one; nor once the connection has ended.
    """
    return [
        AccountChoice(account_id=UUID(account_id), connection_id=connection.id, institution_id=attempt.institution_id)
        for attempt, connection in _visits(consent_id, user_id, session_key)
        if not _too_old(attempt, connection, now) and (not _superseded(attempt) or _still_covered(attempt, connection))
        for account_id in attempt.account_ids
    ]


def aged_logins(*, consent_id: UUID, user_id: UUID, session_key: str, now: datetime) -> list[UUID]:
    """Banks of this flow where one has to log in once more before anything of theirs can be shared: institution ids."""
    visits = _visits(consent_id, user_id, session_key)
    return [attempt.institution_id for attempt, connection in visits if _too_old(attempt, connection, now)]


def _visits(consent_id: UUID, user_id: UUID, session_key: str) -> list[tuple[LinkAttempt, Connection]]:
    """The latest login of this flow at each bank, with the connection that it made or renewed, if that still lives."""
    linked = LinkAttempt.objects.filter(
        consent_id=consent_id, user_id=user_id, session_digest=attempts.digest(session_key)
    ).exclude(connection_id=None)
    latest = {attempt.institution_id: attempt for attempt in linked.order_by("created_at", "id")}
    found = Connection.objects.in_bulk([attempt.connection_id for attempt in latest.values()])
    pairs = [(attempt, found.get(attempt.connection_id)) for attempt in latest.values()]
    return [(attempt, connection) for attempt, connection in pairs if connection and not _is_gone(connection)]


def grant(
    *,
    consent_id: UUID,
    user_id: UUID,
    session_key: str,
    account_ids: Collection[UUID],
    scopes: Collection[Scope],
    disclosure: Disclosure,
    actor: Actor,
    now: datetime,
) -> Consent:
    """The user allows: consent, accounts and the first sync in one transaction.

    Raises ConsentNotFound, TransitionRefused, ValueError (an account that was not offered, or is gone, or none).
    """
    choices = offered_accounts(consent_id=consent_id, user_id=user_id, session_key=session_key, now=now)
    offered = {choice.account_id: choice for choice in choices}
    if not account_ids or not set(account_ids) <= set(offered):
        raise ValueError("accounts that the bank did not show in this flow")
    chosen = [offered[account_id] for account_id in sorted(set(account_ids))]
    with transaction.atomic():
        consent = lifecycle.authorise(
            consent_id=consent_id,
            user_id=user_id,
            accounts=chosen,
            scopes=scopes,
            disclosure=disclosure,
            actor=actor,
            now=now,
        )
        for connection_id in sorted({choice.connection_id for choice in chosen}):
            _hold(connection_id, [one.account_id for one in chosen if one.connection_id == connection_id], consent)
            leases.enqueue(connection_id, trigger=SyncTrigger.USER_PRESENT, now=now)
    return consent


def _hold(connection_id: UUID, account_ids: Collection[UUID], consent: Consent) -> None:
    """Needed from now on. The connection may have ended, or an account been purged, since the bank showed them: the
    lock says which came first, and then nothing is granted. Raises ValueError."""
    if _is_gone(Connection.objects.select_for_update(no_key=True).get(id=connection_id)):
        raise ValueError("accounts of a link that has ended")
    accounts = Account.objects.for_sync().filter(connection_id=connection_id, id__in=account_ids, is_covered=True)
    if accounts.update(unneeded_at=None) != len(account_ids):
        raise ValueError("an account that is gone")
    if Resource.TRANSACTIONS in fetched_for(_scopes(consent.scopes)):
        accounts.update(transactions_unneeded_at=None)


def _scopes(names: Iterable[str]) -> list[Scope]:
    return [Scope(name) for name in names]


def _is_gone(connection: Connection) -> bool:
    return connection.unneeded_at is not None or connection.status == ConnectionStatus.CLOSED


def _too_old(attempt: LinkAttempt, connection: Connection, now: datetime) -> bool:
    """Sharing or widening a link that was there already takes a fresh login; a new one was made by this person now."""
    assert attempt.used_at is not None
    return connection.created_at < attempt.used_at and attempt.used_at < now - STEP_UP_WINDOW


def _superseded(attempt: LinkAttempt) -> bool:
    later = LinkAttempt.objects.filter(
        user_id=attempt.user_id, connection_id=attempt.connection_id, created_at__gt=attempt.created_at
    )
    return later.exists()


def _still_covered(attempt: LinkAttempt, connection: Connection) -> bool:
    """Whether the bank's own consent, as it now is, covers what was asked for in this flow, and as far back."""
    if not set(attempt.resources) <= set(connection.resources):
        return False
    if Resource.TRANSACTIONS not in attempt.resources or connection.history_from is None:
        return True
    return attempt.history_from is not None and connection.history_from <= attempt.history_from
