"""Gathers what decide() needs about one consent, and asks it. No rule of its own."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from banks.models import Connection
from consents.denials import Denial
from consents.errors import Denied
from consents.facts import consent_accounts, consent_facts, policies_in_force
from consents.models import Consent, ConsentAccount
from consents.policy import AccountFacts, Permit, Slice, decide
from consents.scopes import Purpose
from consents.states import ConnectionStatus, ConsentAccountStatus, PlatformStatus


def permit_for(consent: Consent, *, purpose: Purpose | None, attended: bool, now: datetime) -> Permit:
    """What this consent opens right now. `consent` is loaded with user and platform. Raises Denied."""
    answer = decide(
        consent_facts(consent),
        slices_of(consent, now=now),
        PlatformStatus(consent.platform.status),
        purpose,
        attended,
        now,
    )
    if isinstance(answer, Denial):
        raise Denied(answer)
    return answer


def slices_of(consent: Consent, *, now: datetime) -> list[Slice]:
    """Per institution under the consent: the policy in force, and each account with its connection's state."""
    rows = consent_accounts(consent.id)
    by_institution: dict[UUID, list[ConsentAccount]] = defaultdict(list)
    for row in rows:
        by_institution[row.institution_id].append(row)
    policies = policies_in_force(by_institution, consent.platform_id, now=now)
    connections = _connections(rows)
    return [
        Slice(
            institution_id=institution_id,
            policy=policies.get(institution_id),
            accounts=tuple(_account_facts(row, connections) for row in members),
        )
        for institution_id, members in by_institution.items()
    ]


def _connections(rows: Sequence[ConsentAccount]) -> dict[UUID, tuple[str, datetime | None]]:
    wanted = {row.connection_id for row in rows}
    found = Connection.objects.filter(id__in=wanted).values_list("id", "status", "consent_expires_at")
    return {connection_id: (status, expires_at) for connection_id, status, expires_at in found}


def _account_facts(row: ConsentAccount, connections: dict[UUID, tuple[str, datetime | None]]) -> AccountFacts:
    # A connection that is not there any more serves nothing.
    status, expires_at = connections.get(row.connection_id, (ConnectionStatus.CLOSED, None))
    return AccountFacts(
        account_id=row.account_id,
        status=ConsentAccountStatus(row.status),
        connection_status=ConnectionStatus(status),
        connection_expires_at=expires_at,
    )
