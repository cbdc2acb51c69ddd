"""The user disconnects a bank: every consent loses what comes through that link, and the link ends.

Locks are taken in the order consents (by id), connection, account.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from banks import endings
from banks.errors import ConnectionNotFound
from banks.models import Connection, LinkAttempt
from banks.needs import RETENTION
from consents import audit, lifecycle
from consents.audit import Actor
from consents.models import Consent, ConsentAccount
from consents.states import LIVE_CONSENTS, ConnectionStatus, ConsentAccountStatus, ConsentStatus

#: Reason code of what leaves a consent so.
DISCONNECTED = "bank_disconnected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """One live consent that reads through the link. `accounts`: how many it loses; `ends`: it has no others."""

    consent_id: UUID
    platform: str
    accounts: int
    ends: bool


def affected(*, user_id: UUID, connection_id: UUID, now: datetime) -> list[Affected]:
    """What disconnecting would do, by the name of the platform. Raises ConnectionNotFound."""
    _own(user_id, connection_id)
    consents = {consent.id: consent for consent in _live_on(user_id, connection_id, now)}
    held = ConsentAccount.objects.filter(consent_id__in=consents).exclude(status=ConsentAccountStatus.REVOKED)
    rows = list(held.values_list("consent_id", "connection_id"))
    lost = Counter(consent_id for consent_id, through in rows if through == connection_id)
    kept = {consent_id for consent_id, through in rows if through != connection_id}
    found = [
        Affected(
            consent_id=consent_id,
            platform=consent.platform.name,
            accounts=lost[consent_id],
            ends=consent_id not in kept,
        )
        for consent_id, consent in consents.items()
    ]
    return sorted(found, key=lambda one: (one.platform.casefold(), str(one.consent_id)))


def disconnect(
    *, user_id: UUID, connection_id: UUID, actor: Actor, now: datetime, deletes_at_once: bool = False
) -> bool:
    """End the link at once, for every consent; what is at the bank and in the store is ended by the sweeps.

    False: it had ended before. `deletes_at_once`: what was read goes with the next sweep, not after 24 hours. Questions
    that wait for an answer forget what this bank showed for them. Raises ConnectionNotFound.
    """
    with transaction.atomic():
        connection = _own(user_id, connection_id)
        # Whatever may come to hold this link asks under its consent's lock first: all of them, or one might slip by.
        unfinished = (*LIVE_CONSENTS, ConsentStatus.AWAITING_AUTHORISATION)
        own = Consent.objects.select_for_update(no_key=True).filter(user_id=user_id, status__in=unfinished)
        list(own.order_by("id"))
        for consent in _live_on(user_id, connection_id, now):
            lifecycle.leave_connection(
                consent_id=consent.id,
                user_id=user_id,
                connection_id=connection_id,
                reason=DISCONNECTED,
                actor=actor,
                now=now,
                deletes_at_once=deletes_at_once,
            )
        LinkAttempt.objects.filter(user_id=user_id, connection_id=connection_id).delete()
        has_ended = endings.review(connection_id, now=now)
        if has_ended:
            _record(connection, actor, now)
        if deletes_at_once:
            # As if it had not been needed for as long as rows are kept: the next sweep purges it.
            over = Connection.objects.filter(id=connection_id, purged_at=None).exclude(unneeded_at=None)
            over.update(unneeded_at=now - RETENTION)
        return has_ended


def _own(user_id: UUID, connection_id: UUID) -> Connection:
    found = Connection.objects.select_related("user").filter(id=connection_id, user_id=user_id)
    connection = found.exclude(status=ConnectionStatus.CLOSED).first()
    if connection is None:
        raise ConnectionNotFound(connection_id)
    return connection


def _live_on(user_id: UUID, connection_id: UUID, now: datetime) -> list[Consent]:
    shared = ConsentAccount.objects.filter(connection_id=connection_id).exclude(status=ConsentAccountStatus.REVOKED)
    live = Consent.objects.filter(user_id=user_id, status__in=LIVE_CONSENTS, expires_at__gt=now)
    return list(live.filter(id__in=shared.values("consent_id")).select_related("platform").order_by("id"))


def _record(connection: Connection, actor: Actor, now: datetime) -> None:
    audit.record(
        "connection.disconnected",
        actor=actor,
        now=now,
        user_pseudonym=connection.user.pseudonym,
        institution_id=connection.institution_id,
        from_status=connection.status,
        to_status=ConnectionStatus.REVOKED,
        reason_code=DISCONNECTED,
        details={"connection_id": str(connection.id)},
    )
