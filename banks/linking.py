"""One redirect to a bank and back, whatever it is for: a platform's question, or the user's own renewal.

Nothing of the link that was there changes before the bank has answered, and then all of it in one transaction.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from banks import accounts, attempts, clocks, leases, sessions, upstream, vault
from banks.connector import Link
from banks.errors import BankError, LinkError, LinkFailed, RenewalFailed
from banks.models import Account, Connection, Institution, LinkAttempt
from banks.types import AccountData, Resource
from banks.upstream import EndingReason
from banks.vault import Vault
from banks.waiting import at_the_bank, end_upstream_now
from consents import events
from consents.errors import TransitionRefused
from consents.models import Consent
from consents.scopes import Scope, fetched_for
from consents.states import ConnectionStatus

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a finished login left: the connection, and those of its accounts that the bank showed.

    `superseded`: the bank's consent that the new one took the place of; "": none.
    """

    connection_id: UUID
    account_ids: frozenset[UUID]
    superseded: str


#: Whether it is still wanted, asked before the code is used; and what writes it, under the locks.
Check = Callable[[LinkAttempt, datetime], None]
Keep = Callable[[LinkAttempt, Link, list[AccountData], datetime], Kept]


def start(
    institution: Institution,
    needing: Sequence[Consent],
    *,
    user_id: UUID,
    session_key: str,
    consent_id: UUID | None = None,
    renewed_connection_id: UUID | None = None,
    now: datetime,
) -> str:
    """Lodge a consent at the bank for what these consents need, and nothing else; where to send the browser.

    One that is not given yet comes as it would be (lifecycle.as_if_authorised), with the end it would have.
    Raises BankError.
    """
    resources = frozenset(Resource(name) for name in fetched_for(Scope(s) for c in needing for s in c.scopes))
    history_from = _history_from(needing)
    state = attempts.new_state()
    with at_the_bank(institution, now=now) as connector:
        started = connector.start_authorisation(
            resources=resources,
            history_from=history_from if Resource.TRANSACTIONS in resources else None,
            expires_at=_wanted_until(needing, institution, now),
            state=state,
        )
    attempts.keep(
        state=state,
        session_key=session_key,
        user_id=user_id,
        institution=institution,
        consent_id=consent_id,
        renewed_connection_id=renewed_connection_id,
        resources=resources,
        history_from=history_from,
        started=started,
        now=now,
    )
    return started.redirect_to


def finish(attempt: LinkAttempt, parameters: dict[str, str], *, still_wanted: Check, keep: Keep, now: datetime) -> Kept:
    """Use the code, see which accounts there are, and keep it all.

    Raises LinkFailed, RenewalFailed (the bank said no or failed), and what `still_wanted` and `keep` raise. Whenever it
    raises, nothing has changed here, and the bank's consent is ended there.
    """
    try:
        still_wanted(attempt, now)
        with at_the_bank(attempt.institution, now=now) as connector:
            link = connector.finish_authorisation(started=attempts.opened_secrets(attempt), parameters=parameters)
        with at_the_bank(attempt.institution, now=now, credentials=link.credentials) as connector:
            fetched = connector.accounts()
        kept = keep(attempt, link, fetched, now)
    except (TransitionRefused, LinkError):
        _end_unused(attempt, now)
        raise
    except BankError as error:
        log.warning(
            "link failed",
            extra={"institution": attempt.institution.slug, "consent_id": attempt.consent_id, "code": error.code},
        )
        _end_unused(attempt, now)
        raise _failure(attempt, error) from error
    if kept.superseded:
        end_upstream_now(attempt.institution, kept.superseded, now=now)
    return kept


def _failure(attempt: LinkAttempt, cause: BankError) -> LinkError:
    if attempt.consent_id is not None:
        return LinkFailed(attempt.consent_id, cause)
    assert attempt.renewed_connection_id is not None
    return RenewalFailed(attempt.renewed_connection_id, cause)


def store(connection: Connection, attempt: LinkAttempt, link: Link, fetched: list[AccountData], now: datetime) -> Kept:
    """Write the link and its accounts. The caller holds the locks of the consents and of a known connection."""
    superseded = "" if connection.bank_consent_id == link.bank_consent_id else connection.bank_consent_id
    if superseded:
        upstream.lodge(
            attempt.institution, superseded, connection_id=connection.id, reason=EndingReason.SUPERSEDED, now=now
        )
    _write(connection, attempt, link, now)
    # A running job holds the credentials of the old link, which are about to end.
    leases.restart(connection.id, now=now)
    stored = Account.objects.for_sync().filter(connection=connection).order_by("id")
    pairs = accounts.recognised(stored, fetched)
    ids = accounts.upsert(connection, pairs, with_numbers=_keeps_numbers(connection), now=now)
    accounts.mark_covered(connection, ids)
    LinkAttempt.objects.filter(id=attempt.id).update(
        connection_id=connection.id, account_ids=sorted(str(account_id) for account_id in ids), sealed_secrets=b""
    )
    events.publish(events.EventType.CONNECTION_LINKED, now=now, user_id=attempt.user_id, connection_id=connection.id)
    return Kept(connection_id=connection.id, account_ids=frozenset(ids), superseded=superseded)


def _write(connection: Connection, attempt: LinkAttempt, link: Link, now: datetime) -> None:
    if not connection.wrapped_key:
        connection.wrapped_key = vault.wrap_new_key(connection.id)
    connection.status = ConnectionStatus.ACTIVE
    connection.status_reason = ""
    connection.bank_consent_id = link.bank_consent_id
    connection.resources = attempt.resources
    connection.history_from = attempt.history_from
    connection.consent_expires_at = link.consent_expires_at
    connection.authentication_expires_at = clocks.authentication_end(
        now, attempt.institution.authentication_days_max, link.authentication_expires_at
    )
    # Who has just been at the bank is not told that a short consent ends soon; the next stage is told.
    connection.expiry_announced_days = clocks.announced_days(
        clocks.ends_at(connection.consent_expires_at, connection.authentication_expires_at), now
    )
    owner = Vault.of(connection.id, connection.wrapped_key)
    connection.sealed_credentials = sessions.sealed(owner, link.credentials)
    connection.refresh_started_at = None
    connection.checked_at = now
    connection.unneeded_at = None
    connection.save()


def _end_unused(attempt: LinkAttempt, now: datetime) -> None:
    """A consent at the bank that nobody will use: ended there at once, or by a worker for as long as it takes."""
    institution, bank_consent_id = attempt.institution, attempt.bank_consent_id
    upstream.lodge(institution, bank_consent_id, connection_id=None, reason=EndingReason.NOT_LINKED, now=now)
    end_upstream_now(institution, bank_consent_id, now=now)


def _history_from(needing: Sequence[Consent]) -> date | None:
    return min((consent.history_from for consent in needing if consent.history_from is not None), default=None)


def _wanted_until(needing: Sequence[Consent], institution: Institution, now: datetime) -> datetime:
    longest = max(consent.expires_at for consent in needing)
    return min(longest, now + timedelta(days=institution.consent_days_max))


def _keeps_numbers(connection: Connection) -> Callable[[UUID | None], bool]:
    """Whole numbers of accounts that some consent reads stay; those of the others are not kept before anyone allows it.

    The first sync after the grant brings them.
    """
    kept = Account.objects.for_sync().filter(connection=connection).exclude(identifications=[])
    known = frozenset(kept.values_list("id", flat=True))
    return lambda account_id: account_id in known
