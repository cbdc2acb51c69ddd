"""What was linked is shared: the accounts a bank showed in this flow, and the user's yes."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from banks import attempts, job_requests
from banks.authority import outlooks
from banks.clocks import connection_state
from banks.models import Account, Connection, LinkAttempt, SyncTrigger
from banks.types import Resource
from consents import lifecycle
from consents.audit import Actor
from consents.errors import ConsentNotFound
from consents.facts import step_ups_in_force
from consents.lifecycle import AccountChoice, Disclosure, Narrower
from consents.lifecycle.narrower import UNCHANGED
from consents.models import Consent
from consents.policy_terms import StepUp
from consents.scopes import Scope, fetched_for
from consents.states import ConnectionStatus

#: How old a proof may be when a link that existed before it is shared or widened: a login at the bank, or (where the
#: bank's policy says so) a passkey or one-time code at our own pages.
STEP_UP_WINDOW = timedelta(minutes=5)

#: Links that can be shared further without a visit: what is fetched through them keeps coming.
_WORKING = frozenset(
    {
        ConnectionStatus.ACTIVE,
        ConnectionStatus.DEGRADED,
        ConnectionStatus.RATE_LIMITED,
        ConnectionStatus.EXPIRING,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What may be shared in one flow and browser, and what stands in the way of the rest.

    Institution ids: `aged`, where the login is too old for a link that was there before it; `narrow`, where the bank's
    own consent covers less than what is now to be shared. Both need a (further) visit. `left_out`: accounts that are
    known here and that the bank's consent does not reach, because they were not chosen there.
    """

    accounts: list[AccountChoice]
    left_out: list[AccountChoice]
    aged: list[UUID]
    narrow: list[UUID]


def offer(wanted: Consent, *, session_key: str, now: datetime, stepped_up_at: datetime | None = None) -> Offer:
    """No link is shared without a proof: a login at its bank in this very flow and browser, or else a step-up.

    `wanted` is the question as the user would now allow it (lifecycle.as_if_authorised), loaded with user and platform.
    Of each bank what the latest login showed. `stepped_up_at`: when this browser last saw a passkey or one-time code of
    this user; within STEP_UP_WINDOW it opens the links of `reusable`. What has ended, or would need a wider consent at
    the bank, is offered under no proof.
    """
    visits = _visits(wanted, session_key)
    shown = [(attempt, link) for attempt, link in visits if not _too_old(attempt, link, now) and _covers(link, wanted)]
    accounts = [
        AccountChoice(account_id=UUID(account_id), connection_id=link.id, institution_id=link.institution_id)
        for attempt, link in shown
        for account_id in attempt.account_ids
    ]
    if stepped_up_at is not None and now - STEP_UP_WINDOW <= stepped_up_at:
        seen = {link.institution_id for _, link in shown}
        accounts += _covered_accounts([link for link in _reusable(wanted, now) if link.institution_id not in seen])
    offered = {choice.institution_id for choice in accounts}
    barred = [(attempt, link) for attempt, link in visits if link.institution_id not in offered]
    return Offer(
        accounts=accounts,
        left_out=_left_out({choice.connection_id for choice in accounts}, {one.account_id for one in accounts}),
        aged=[link.institution_id for attempt, link in barred if _too_old(attempt, link, now)],
        narrow=[link.institution_id for attempt, link in barred if not _too_old(attempt, link, now)],
    )


def reusable(wanted: Consent, *, now: datetime) -> list[UUID]:
    """Banks whose link a passkey or one-time code opens, without a visit: institution ids.

    The bank's policy in force must say so, and accept the platform; its own consent must cover `wanted` already.
    """
    return sorted({link.institution_id for link in _reusable(wanted, now)})


def _reusable(wanted: Consent, now: datetime) -> list[Connection]:
    found = Connection.objects.filter(user_id=wanted.user_id, unneeded_at=None).order_by("created_at", "id")
    links = [link for link in found if _is_working(link, now) and _covers(link, wanted)]
    institutions = {link.institution_id for link in links}
    step_ups = step_ups_in_force(institutions, wanted.platform_id, now=now)
    willing = [one for one in institutions if step_ups.get(one) == StepUp.PASSKEY]
    accepted = {one for one, seen in outlooks(wanted, willing, now=now).items() if seen.denial is None}
    return [link for link in links if link.institution_id in accepted]


def _is_working(link: Connection, now: datetime) -> bool:
    status = ConnectionStatus(link.status)
    return connection_state(status, link.consent_expires_at, link.authentication_expires_at, now) in _WORKING


def _covered_accounts(links: Collection[Connection]) -> list[AccountChoice]:
    rows = Account.objects.for_sync().filter(connection__in=links, is_covered=True, unneeded_at=None).order_by("id")
    return [_choice(row) for row in rows]


def _left_out(connection_ids: Collection[UUID], offered: Collection[UUID]) -> list[AccountChoice]:
    rows = Account.objects.for_sync().filter(connection_id__in=connection_ids, is_covered=False).order_by("id")
    return [_choice(row) for row in rows.exclude(id__in=offered)]


def _choice(row: Account) -> AccountChoice:
    return AccountChoice(account_id=row.id, connection_id=row.connection_id, institution_id=row.institution_id)


def _visits(wanted: Consent, session_key: str) -> list[tuple[LinkAttempt, Connection]]:
    """The latest login of this flow at each bank, with the connection that it made or renewed, if that still lives."""
    linked = LinkAttempt.objects.filter(
        consent_id=wanted.id, user_id=wanted.user_id, session_digest=attempts.digest(session_key)
    ).exclude(connection_id=None)
    latest = {attempt.institution_id: attempt for attempt in linked.order_by("created_at", "id")}
    found = Connection.objects.in_bulk([attempt.connection_id for attempt in latest.values()])
    pairs = [(attempt, found.get(attempt.connection_id)) for attempt in latest.values()]
    return [(attempt, connection) for attempt, connection in pairs if connection and not _is_gone(connection)]


def last_bank(user_id: UUID) -> UUID | None:
    """Institution id of the bank this person visited last; None: none that is remembered."""
    visited = LinkAttempt.objects.filter(user_id=user_id).exclude(connection_id=None).order_by("-created_at", "-id")
    linked = Connection.objects.filter(user_id=user_id).order_by("-created_at", "-id")
    for rows in (visited, linked):
        found = rows.values_list("institution_id", flat=True).first()
        if found is not None:
            return UUID(str(found))
    return None


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
    narrower: Narrower = UNCHANGED,
    stepped_up_at: datetime | None = None,
) -> Consent:
    """The user allows: consent, accounts and the first sync in one transaction.

    `scopes` and `narrower` as in lifecycle.authorise, `stepped_up_at` as in `offer`. Raises ConsentNotFound,
    TransitionRefused, ValueError (an account that was not offered, or is gone, or none; more than was asked).
    """
    question = Consent.objects.select_related("user", "platform").filter(id=consent_id, user_id=user_id).first()
    if question is None:
        raise ConsentNotFound(consent_id)
    wanted = lifecycle.as_if_authorised(question, scopes=scopes, narrower=narrower, now=now)
    found = offer(wanted, session_key=session_key, now=now, stepped_up_at=stepped_up_at)
    offered = {choice.account_id: choice for choice in found.accounts}
    if not account_ids or not set(account_ids) <= set(offered):
        raise ValueError("accounts that the bank did not show in this flow")
    chosen = [offered[account_id] for account_id in sorted(set(account_ids))]
    with transaction.atomic():
        consent = lifecycle.authorise(
            consent_id=consent_id,
            user_id=user_id,
            accounts=chosen,
            scopes=scopes,
            narrower=narrower,
            disclosure=disclosure,
            actor=actor,
            now=now,
        )
        for connection_id in sorted({choice.connection_id for choice in chosen}):
            _hold(connection_id, [one.account_id for one in chosen if one.connection_id == connection_id], consent)
            job_requests.enqueue(connection_id, trigger=SyncTrigger.USER_PRESENT, now=now)
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


def _covers(connection: Connection, wanted: Consent) -> bool:
    """Whether the bank's own consent, as it now is, reaches what is to be shared, and as far back.

    A login for another consent may have narrowed it since, and a choice may have become wider.
    """
    needed = {Resource(name) for name in fetched_for(_scopes(wanted.scopes))}
    if not needed <= set(connection.resources):
        return False
    if Resource.TRANSACTIONS not in needed or connection.history_from is None:
        return True
    return wanted.history_from is not None and connection.history_from <= wanted.history_from
