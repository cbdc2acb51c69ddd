"""Links between a user and a bank: start, finish, and share under a consent."""

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import BoundedSemaphore
from uuid import UUID

from django.db import transaction

from banks import accounts, leases, sessions, vault
from banks.authority import foreseen
from banks.connector import Connector, Credentials, Link, StartedAuthorisation
from banks.errors import BankError, BankRateLimited, InstitutionNotFound, LinkFailed, LinkStateInvalid
from banks.models import Account, Connection, Institution, LinkAttempt, SyncTrigger
from banks.types import AccountData, Resource
from banks.vault import Vault
from consents import events, lifecycle
from consents.audit import Actor
from consents.errors import ConsentNotFound, Denied, TransitionRefused
from consents.lifecycle import AccountChoice, Disclosure
from consents.models import Consent, ConsentAccount
from consents.scopes import Scope, fetched_for
from consents.states import LIVE_CONSENTS, ConnectionStatus, ConsentStatus

log = logging.getLogger(__name__)

#: A redirect that has not come back by then is forgotten.
ATTEMPT_WINDOW = timedelta(minutes=10)

#: How old a login at the bank may be when a link that existed before it is shared or widened.
STEP_UP_WINDOW = timedelta(minutes=5)

#: Seconds one page may wait for its bank, all calls together.
PAGE_SECONDS = 10.0

#: Pages of one process that may wait for banks at once. A bulkhead, so per process by nature: the other threads go on
#: answering, revocations above all.
_WAITING = BoundedSemaphore(3)

#: Ended for good: a new link makes a new connection.
_OVER = (ConnectionStatus.CLOSED,)


# -- to the bank and back ----------------------------------------------------------------------------------------------


def start_link(*, user_id: UUID, consent_id: UUID, slug: str, session_key: str, now: datetime) -> str:
    """Lodge a consent at the bank and return where to send the browser.

    Asks the bank for what this consent needs and what the user's live consents there still need, and for nothing else.
    Raises ConsentNotFound, TransitionRefused (answered, or too late), InstitutionNotFound, Denied (the bank does
    not accept this platform or any of its purposes), BankError.
    """
    consent = _awaiting(consent_id, user_id, now)
    institution = Institution.objects.filter(slug=slug).first()
    if institution is None:
        raise InstitutionNotFound(slug)
    if denial := foreseen(consent, institution.id, now=now):
        raise Denied(denial)
    needing = [consent, *_live_consents(user_id, institution.id)]
    resources = frozenset(Resource(name) for name in fetched_for(Scope(s) for c in needing for s in c.scopes))
    history = [c.history_from for c in needing if c.history_from is not None]
    state = secrets.token_urlsafe(32)
    with _at_the_bank(institution, now=now) as connector:
        started = connector.start_authorisation(
            resources=resources,
            history_from=min(history) if history and Resource.TRANSACTIONS in resources else None,
            expires_at=_wanted_until(needing, institution, now),
            state=state,
        )
    attempt = LinkAttempt(
        state_digest=_digest(state),
        session_digest=_digest(session_key),
        user_id=user_id,
        institution=institution,
        consent_id=consent_id,
        resources=sorted(resources),
        history_from=min(history) if history else None,
        bank_consent_id=started.bank_consent_id,
        created_at=now,
        expires_at=now + ATTEMPT_WINDOW,
    )
    attempt.sealed_secrets = _seal_secrets(attempt.id, started)
    attempt.save(force_insert=True)
    return started.redirect_to


def finish_link(*, user_id: UUID, slug: str, session_key: str, parameters: dict[str, str], now: datetime) -> UUID:
    """The browser is back. Returns the consent to go on with.

    The state is good once, for ten minutes, in the session, for the user and at the bank it was made for; anything else
    is LinkStateInvalid and changes nothing. LinkFailed: the bank said no or failed; nothing was linked.
    TransitionRefused: the person answered no here, or too late: the code is not used, and nothing is fetched.
    """
    attempt = _claimed_attempt(parameters.get("state", ""), user_id, slug, session_key, now)
    institution = attempt.institution
    try:
        _awaiting(attempt.consent_id, user_id, now)
    except TransitionRefused:
        _revoke_upstream(institution, attempt.bank_consent_id, now)
        raise
    link: Link | None = None
    try:
        with _at_the_bank(institution, now=now) as connector:
            link = connector.finish_authorisation(started=_opened_secrets(attempt), parameters=parameters)
        with _at_the_bank(institution, now=now, credentials=link.credentials) as connector:
            fetched = connector.accounts()
        superseded = _keep(attempt, link, fetched, now)
    except TransitionRefused:
        if link is not None:
            _revoke_upstream(institution, link.bank_consent_id, now)
        raise
    except BankError as error:
        log.warning("link failed", extra={"institution": slug, "consent_id": attempt.consent_id, "code": error.code})
        if link is not None:
            _revoke_upstream(institution, link.bank_consent_id, now)
        raise LinkFailed(attempt.consent_id, error) from error
    if superseded:
        _revoke_upstream(institution, superseded, now)
    return attempt.consent_id


@contextmanager
def _at_the_bank(
    institution: Institution, *, now: datetime, credentials: Credentials | None = None
) -> Iterator[Connector]:
    """A connector for a page: short deadline, few at once. Raises BankRateLimited when too many pages wait already."""
    if not _WAITING.acquire(blocking=False):
        raise BankRateLimited("too many pages wait for banks")
    try:
        deadline = time.monotonic() + PAGE_SECONDS
        with sessions.connector_for(
            institution, now=now, credentials=credentials, deadline_monotonic=deadline
        ) as connector:
            yield connector
    finally:
        _WAITING.release()


def _awaiting(consent_id: UUID, user_id: UUID, now: datetime) -> Consent:
    consent = Consent.objects.select_related("user", "platform").filter(id=consent_id, user_id=user_id).first()
    if consent is None:
        raise ConsentNotFound(consent_id)
    if consent.status != ConsentStatus.AWAITING_AUTHORISATION or consent.is_expired(now):
        raise TransitionRefused(consent.status)
    return consent


def _live_consents(user_id: UUID, institution_id: UUID) -> list[Consent]:
    shared = ConsentAccount.objects.filter(institution_id=institution_id)
    return list(Consent.objects.filter(user_id=user_id, status__in=LIVE_CONSENTS, id__in=shared.values("consent_id")))


def _wanted_until(needing: list[Consent], institution: Institution, now: datetime) -> datetime:
    longest = max(
        now + timedelta(days=consent.duration_days or 0)
        if consent.status == ConsentStatus.AWAITING_AUTHORISATION
        else consent.expires_at
        for consent in needing
    )
    return min(longest, now + timedelta(days=institution.consent_days_max))


def _claimed_attempt(state: str, user_id: UUID, slug: str, session_key: str, now: datetime) -> LinkAttempt:
    """One use: whoever turns used_at from null has it (RFC 6749 section 10.12, RFC 9700 section 4.7)."""
    good = LinkAttempt.objects.filter(
        state_digest=_digest(state),
        session_digest=_digest(session_key),
        user_id=user_id,
        institution__slug=slug,
        used_at=None,
        expires_at__gt=now,
    )
    attempt = good.select_related("institution").first()
    if attempt is None or not good.update(used_at=now):
        raise LinkStateInvalid(slug)
    return attempt


def _keep(attempt: LinkAttempt, link: Link, fetched: list[AccountData], now: datetime) -> str | None:
    """Store connection and accounts; the bank consent that this one takes the place of, if any.

    Raises TransitionRefused when the question was answered while the bank was asked.
    """
    with transaction.atomic():
        Consent.objects.select_for_update(no_key=True, of=("self",)).get(id=attempt.consent_id)
        _awaiting(attempt.consent_id, attempt.user_id, now)
        connection = _known_connection(attempt, fetched) or Connection(
            user_id=attempt.user_id, institution=attempt.institution, created_at=now
        )
        superseded = connection.bank_consent_id or None
        if not connection.wrapped_key:
            connection.wrapped_key = vault.wrap_new_key(connection.id)
        connection.status = ConnectionStatus.ACTIVE
        connection.status_reason = ""
        connection.bank_consent_id = link.bank_consent_id
        connection.resources = attempt.resources
        connection.history_from = attempt.history_from
        connection.authentication_expires_at = link.authentication_expires_at
        connection.consent_expires_at = link.consent_expires_at
        owner = Vault.of(connection.id, connection.wrapped_key)
        connection.sealed_credentials = sessions.sealed(owner, link.credentials)
        connection.refresh_started_at = None
        connection.save()
        # A running job holds the credentials of the old link, which are about to end.
        leases.restart(connection.id, now=now)
        stored = Account.objects.for_sync().filter(connection=connection).order_by("id")
        pairs = accounts.recognised(stored, fetched)
        ids = accounts.upsert(connection, pairs, with_numbers=_keeps_numbers(connection), now=now)
        accounts.mark_covered(connection, ids)
        LinkAttempt.objects.filter(id=attempt.id).update(
            connection_id=connection.id,
            account_ids=sorted(str(account_id) for account_id in ids),
            sealed_secrets=b"",
        )
        events.publish(
            events.EventType.CONNECTION_LINKED, now=now, user_id=attempt.user_id, connection_id=connection.id
        )
    return superseded


def _keeps_numbers(connection: Connection) -> Callable[[UUID | None], bool]:
    """Whole numbers of accounts that some consent reads stay; those of the others are not kept before anyone allows it.

    The first sync after the grant brings them.
    """
    kept = Account.objects.for_sync().filter(connection=connection).exclude(identifications=[])
    known = frozenset(kept.values_list("id", flat=True))
    return lambda account_id: account_id in known


def _known_connection(attempt: LinkAttempt, fetched: list[AccountData]) -> Connection | None:
    """The user's connection at this bank that holds one of these accounts: renewed in place, so that ids stay.

    Accounts that match nothing belong to another login, and get a connection of their own.
    """
    known = Connection.objects.filter(user_id=attempt.user_id, institution_id=attempt.institution_id)
    for connection in known.exclude(status__in=_OVER).order_by("created_at", "id"):
        stored = Account.objects.for_sync().filter(connection=connection).order_by("id")
        if any(row is not None for _, row in accounts.recognised(stored, fetched)):
            return Connection.objects.select_for_update(no_key=True).get(id=connection.id)
    return None


def _revoke_upstream(institution: Institution, bank_consent_id: str, now: datetime) -> None:
    """A consent at the bank that nobody will use. Whether it could be ended there changes nothing here."""
    try:
        with _at_the_bank(institution, now=now) as connector:
            connector.revoke(bank_consent_id=bank_consent_id)
    except BankError as error:
        log.warning("consent at the bank not revoked", extra={"institution": institution.slug, "code": error.code})


# -- sharing -----------------------------------------------------------------------------------------------------------


def offered_accounts(*, consent_id: UUID, user_id: UUID, session_key: str, now: datetime) -> list[AccountChoice]:
    """What the bank showed in this very flow and browser: no link is shared without a login at the bank.

    Nothing, once that login is older than STEP_UP_WINDOW and the link existed before it; nor once a later link for
    another consent left the bank's own consent too narrow for this one.
    """
    attempt = (
        LinkAttempt.objects.filter(consent_id=consent_id, user_id=user_id, session_digest=_digest(session_key))
        .exclude(connection_id=None)
        .order_by("-created_at")
        .first()
    )
    if attempt is None or attempt.connection_id is None:
        return []
    if _too_old(attempt, now) or (_superseded(attempt) and not _still_covered(attempt)):
        return []
    return [
        AccountChoice(
            account_id=UUID(account_id),
            connection_id=attempt.connection_id,
            institution_id=attempt.institution_id,
        )
        for account_id in attempt.account_ids
    ]


def _too_old(attempt: LinkAttempt, now: datetime) -> bool:
    """Sharing or widening a link that was there already takes a fresh login; a new one was made by this person now."""
    assert attempt.used_at is not None and attempt.connection_id is not None
    renewed = Connection.objects.filter(id=attempt.connection_id, created_at__lt=attempt.used_at).exists()
    return renewed and attempt.used_at < now - STEP_UP_WINDOW


def _superseded(attempt: LinkAttempt) -> bool:
    later = LinkAttempt.objects.filter(connection_id=attempt.connection_id, created_at__gt=attempt.created_at)
    return later.exists()


def _still_covered(attempt: LinkAttempt) -> bool:
    """Whether the bank's own consent, as it now is, covers what was asked for in this flow, and as far back."""
    assert attempt.connection_id is not None
    connection = Connection.objects.filter(id=attempt.connection_id).first()
    if connection is None or not set(attempt.resources) <= set(connection.resources):
        return False
    if Resource.TRANSACTIONS not in attempt.resources or connection.history_from is None:
        return True
    return attempt.history_from is not None and connection.history_from <= attempt.history_from


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

    Raises ConsentNotFound, TransitionRefused, ValueError (an account that was not offered, or none).
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
            Connection.objects.select_for_update(no_key=True).get(id=connection_id)
            leases.enqueue(connection_id, trigger=SyncTrigger.USER_PRESENT, now=now)
    return consent


# -- secrets of an attempt ---------------------------------------------------------------------------------------------


def _seal_secrets(attempt_id: UUID, started: StartedAuthorisation) -> bytes:
    plain = {
        "redirect_to": started.redirect_to,
        "bank_consent_id": started.bank_consent_id,
        "verifier": started.verifier,
        "nonce": started.nonce,
    }
    return vault.seal_alone(attempt_id, "link_secrets", json.dumps(plain).encode())


def _opened_secrets(attempt: LinkAttempt) -> StartedAuthorisation:
    plain = json.loads(vault.open_alone(attempt.id, "link_secrets", attempt.sealed_secrets))
    return StartedAuthorisation(
        redirect_to=plain["redirect_to"],
        bank_consent_id=plain["bank_consent_id"],
        verifier=plain["verifier"],
        nonce=plain["nonce"],
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
