"""Links between a user and a bank: to the bank with a platform's question, and back from there.

The same redirect renews a connection without a question (banks.renewal); what was linked is shared by banks.sharing.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from banks import accounts, attempts, linking, renewal
from banks.authority import outlooks
from banks.connector import Link
from banks.errors import InstitutionNotFound
from banks.linking import Kept
from banks.models import Account, Connection, Institution, LinkAttempt
from banks.types import AccountData
from consents import lifecycle
from consents.errors import ConsentNotFound, Denied, TransitionRefused
from consents.lifecycle import Narrower
from consents.lifecycle.narrower import UNCHANGED
from consents.models import Consent, ConsentAccount
from consents.scopes import Scope
from consents.states import LIVE_CONSENTS, ConnectionStatus, ConsentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Where a redirect led. `consent_id`: the question to go on with; None: the user's own renewal."""

    consent_id: UUID | None
    connection_id: UUID


def start_link(
    *,
    user_id: UUID,
    consent_id: UUID,
    slug: str,
    session_key: str,
    now: datetime,
    scopes: Collection[Scope] | None = None,
    narrower: Narrower = UNCHANGED,
) -> str:
    """Lodge a consent at the bank and return where to send the browser.

    Asks the bank for what this consent needs and what the user's live consents there still need, and for nothing else.
    `scopes` and `narrower` are what the user has chosen so far; None: all that is asked.
    Raises ConsentNotFound, TransitionRefused (answered, or too late), InstitutionNotFound, Denied (the bank does
    not accept this platform or any of its purposes), BankError.
    """
    consent = _awaiting(consent_id, user_id, now)
    institution = Institution.objects.filter(slug=slug).first()
    if institution is None:
        raise InstitutionNotFound(slug)
    chosen = {Scope(scope) for scope in consent.scopes} if scopes is None else scopes
    wanted = lifecycle.as_if_authorised(consent, scopes=chosen, narrower=narrower, now=now)
    if denial := outlooks(wanted, [institution.id], now=now)[institution.id].denial:
        raise Denied(denial)
    return linking.start(
        institution,
        [wanted, *_live_consents(user_id, institution.id, now)],
        user_id=user_id,
        session_key=session_key,
        consent_id=consent_id,
        now=now,
    )


def finish_link(
    *,
    user_id: UUID,
    slug: str,
    session_key: str,
    parameters: dict[str, str],
    now: datetime,
    customer_ip_address: str | None = None,
) -> Finished:
    """The browser is back: with an answer to a question's link, or to a renewal.

    The state is good once, for ten minutes, in the session, for the user and at the bank it was made for; anything else
    is LinkStateInvalid and changes nothing. LinkFailed, RenewalFailed: the bank said no or failed; nothing was linked.
    TransitionRefused, NotRenewable: the person answered no here, or too late, or nothing needs the connection any more:
    the code is not used, and nothing is fetched.
    """
    attempt = attempts.claimed(
        state=parameters.get("state", ""), user_id=user_id, slug=slug, session_key=session_key, now=now
    )
    if attempt.consent_id is None:
        kept = linking.finish(
            attempt,
            parameters,
            still_wanted=renewal.still_wanted,
            keep=renewal.keeping(customer_ip_address),
            now=now,
        )
    else:
        kept = linking.finish(attempt, parameters, still_wanted=_still_awaiting, keep=_keep, now=now)
    return Finished(consent_id=attempt.consent_id, connection_id=kept.connection_id)


def _awaiting(consent_id: UUID, user_id: UUID, now: datetime) -> Consent:
    consent = Consent.objects.select_related("user", "platform").filter(id=consent_id, user_id=user_id).first()
    if consent is None:
        raise ConsentNotFound(consent_id)
    if consent.status != ConsentStatus.AWAITING_AUTHORISATION or consent.is_expired(now):
        raise TransitionRefused(consent.status)
    return consent


def _still_awaiting(attempt: LinkAttempt, now: datetime) -> None:
    _awaiting(_question(attempt), attempt.user_id, now)


def _question(attempt: LinkAttempt) -> UUID:
    assert attempt.consent_id is not None
    return attempt.consent_id


def _live_consents(user_id: UUID, institution_id: UUID, now: datetime) -> list[Consent]:
    shared = ConsentAccount.objects.filter(institution_id=institution_id)
    live = Consent.objects.filter(user_id=user_id, status__in=LIVE_CONSENTS, expires_at__gt=now)
    return list(live.filter(id__in=shared.values("consent_id")))


def _keep(attempt: LinkAttempt, link: Link, fetched: list[AccountData], now: datetime) -> Kept:
    """Store connection and accounts. Raises TransitionRefused: the question was answered while the bank was asked."""
    with transaction.atomic():
        # Every question of this person: of two that come back from one login the second finds the link of the first.
        asked = Consent.objects.filter(user_id=attempt.user_id, status=ConsentStatus.AWAITING_AUTHORISATION)
        list(asked.select_for_update(no_key=True, of=("self",)).order_by("id"))
        _still_awaiting(attempt, now)
        connection = _known_connection(attempt, fetched) or Connection(
            user_id=attempt.user_id, institution=attempt.institution, created_at=now
        )
        kept = linking.store(connection, attempt, link, fetched, now)
        # Until the question is answered all of it may be needed again, whoever was about to purge it.
        shown = Account.objects.for_sync().filter(id__in=kept.account_ids)
        shown.update(unneeded_at=None, transactions_unneeded_at=None)
        return kept


def _known_connection(attempt: LinkAttempt, fetched: list[AccountData]) -> Connection | None:
    """The user's connection at this bank that holds one of these accounts: renewed in place, so that ids stay.

    Accounts that match nothing belong to another login, and get a connection of their own.
    """
    known = Connection.objects.filter(user_id=attempt.user_id, institution_id=attempt.institution_id)
    for connection_id in _living(known).order_by("created_at", "id").values_list("id", flat=True):
        if not _holds_one_of(connection_id, fetched):
            continue
        # Looked at again under the lock: it may have been purged meanwhile.
        found = _living(Connection.objects.select_for_update(no_key=True)).filter(id=connection_id).first()
        if found is not None:
            return found
    return None


def _living(connections: QuerySet[Connection]) -> QuerySet[Connection]:
    """Closed is for good: a new link makes a new connection."""
    return connections.exclude(status=ConnectionStatus.CLOSED)


def _holds_one_of(connection_id: UUID, fetched: list[AccountData]) -> bool:
    stored = Account.objects.for_sync().filter(connection_id=connection_id).order_by("id")
    return any(row is not None for _, row in accounts.recognised(stored, fetched))
