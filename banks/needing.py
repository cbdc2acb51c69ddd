"""Gathers who needs what of connections: live consents, and questions that wait for an answer. Decides nothing."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from banks.models import Connection, LinkAttempt
from banks.needs import Need, Needs, needed
from banks.types import Resource
from consents.models import Consent, ConsentAccount
from consents.scopes import Scope, fetched_for
from consents.states import LIVE_CONSENTS, ConsentAccountStatus, ConsentStatus

_EVERYTHING = frozenset(Resource)


def needs_of(connections: Collection[Connection], *, now: datetime) -> dict[UUID, Needs]:
    """By connection id, each of them; three queries, however many."""
    needs: dict[UUID, list[Need]] = {connection.id: [] for connection in connections}
    for connection_id, need in (*_of_consents(needs), *_of_questions(connections)):
        needs[connection_id].append(need)
    return {connection_id: needed(found, now) for connection_id, found in needs.items()}


def consents_on(connection_id: UUID) -> list[UUID]:
    """Consents that hold it or may come to hold it, by id: the order in which they are locked."""
    shared = ConsentAccount.objects.filter(connection_id=connection_id)
    unfinished = (*LIVE_CONSENTS, ConsentStatus.AWAITING_AUTHORISATION)
    found = Consent.objects.filter(id__in=shared.values("consent_id"), status__in=unfinished)
    return list(found.order_by("id").values_list("id", flat=True))


def _of_consents(connection_ids: Collection[UUID]) -> list[tuple[UUID, Need]]:
    rows = ConsentAccount.objects.filter(connection_id__in=list(connection_ids), consent__status__in=LIVE_CONSENTS)
    kept = rows.exclude(status=ConsentAccountStatus.REVOKED).values_list(
        "connection_id", "account_id", "consent__scopes", "consent__expires_at"
    )
    return [
        (connection_id, Need(account_id=account_id, resources=_fetched(scopes), until=expires_at))
        for connection_id, account_id, scopes, expires_at in kept
    ]


def _of_questions(connections: Collection[Connection]) -> list[tuple[UUID, Need]]:
    # By user, which is what the table is indexed by.
    attempts = LinkAttempt.objects.filter(
        user_id__in={connection.user_id for connection in connections},
        connection_id__in=[connection.id for connection in connections],
    ).exclude(consent_id=None)
    found = list(attempts.values_list("connection_id", "consent_id", "account_ids"))
    waiting = dict(
        Consent.objects.filter(
            id__in={consent_id for _, consent_id, _ in found}, status=ConsentStatus.AWAITING_AUTHORISATION
        ).values_list("id", "expires_at")
    )
    return [
        (connection_id, Need(account_id=UUID(one), resources=_EVERYTHING, until=waiting[consent_id], is_question=True))
        for connection_id, consent_id, account_ids in found
        if connection_id is not None and consent_id in waiting
        for one in account_ids
    ]


def _fetched(scopes: Collection[str]) -> frozenset[Resource]:
    return frozenset(Resource(name) for name in fetched_for(Scope(scope) for scope in scopes))
