"""Gathers what decide() needs about one consent, and asks it. No rule of its own."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from banks.clocks import connection_state
from banks.models import Account
from consents.denials import Denial, DenialCode
from consents.errors import Denied
from consents.facts import consent_accounts, consent_facts, policies_in_force
from consents.models import Consent, ConsentAccount
from consents.policy import AccountFacts, Permit, PolicyFacts, Slice, decide
from consents.scopes import Presence, Purpose
from consents.states import ConnectionStatus, ConsentAccountStatus, ConsentStatus, PlatformStatus


def permit_for(consent: Consent, *, purpose: Purpose | None, presence: Presence, now: datetime) -> Permit:
    """What this consent opens right now. `consent` is loaded with user and platform. Raises Denied."""
    answer = decide(
        consent_facts(consent),
        slices_of(consent, now=now),
        PlatformStatus(consent.platform.status),
        purpose,
        presence,
        now,
    )
    if isinstance(answer, Denial):
        raise Denied(answer)
    return answer


def refusals(
    consent: Consent, denial: Denial, *, purpose: Purpose | None, presence: Presence, now: datetime
) -> dict[UUID, DenialCode]:
    """Why each bank under this consent serves nothing of it, given that all of them together said `denial`.

    One query where the consent is of one bank.
    """
    held = ConsentAccount.objects.filter(consent_id=consent.id).exclude(status=ConsentAccountStatus.REVOKED)
    institution_ids = set(held.values_list("institution_id", flat=True))
    if len(institution_ids) <= 1:
        return dict.fromkeys(institution_ids, denial.code)
    platform = PlatformStatus(consent.platform.status)
    answers = {
        part.institution_id: decide(consent_facts(consent), [part], platform, purpose, presence, now)
        for part in slices_of(consent, now=now)
        if part.institution_id in institution_ids
    }
    return {one: answer.code for one, answer in answers.items() if isinstance(answer, Denial)}


def foreseen(consent: Consent, institution_id: UUID, *, now: datetime) -> Denial | None:
    """What decide() would say if the user now allowed this request at this bank: asked before anyone is sent there.

    None: some purpose would open something. `consent` is loaded with user and platform.
    """
    facts = replace(
        consent_facts(consent),
        status=ConsentStatus.AUTHORISED,
        authorised_at=now,
        expires_at=now + timedelta(days=consent.duration_days or 0),
    )
    policy = policies_in_force([institution_id], consent.platform_id, now=now).get(institution_id)
    account = AccountFacts(
        account_id=consent.id,  # stands for whatever they would choose
        status=ConsentAccountStatus.ACTIVE,
        connection_status=ConnectionStatus.ACTIVE,
        connection_expires_at=None,
    )
    part = Slice(institution_id=institution_id, policy=policy, accounts=(account,))
    platform = PlatformStatus(consent.platform.status)
    answers = [decide(facts, [part], platform, Purpose(name), Presence.PRESENT, now) for name in consent.purposes]
    denials = [answer for answer in answers if isinstance(answer, Denial)]
    return denials[0] if len(denials) == len(answers) else None


def slices_of(consent: Consent, *, now: datetime) -> list[Slice]:
    """Per institution under the consent: the policy in force, and each account with its connection's state."""
    rows = consent_accounts(consent.id)
    policies = policies_in_force({row.institution_id for row in rows}, consent.platform_id, now=now)
    return slices_from(rows, policies, connections_of(rows, now))


ConnectionState = tuple[ConnectionStatus, datetime | None]  #: as of now, and the end of the bank's own consent


def slices_from(
    rows: Sequence[ConsentAccount],
    policies: Mapping[UUID, PolicyFacts],
    connections: Mapping[UUID, ConnectionState],
) -> list[Slice]:
    """The slices of one consent's `rows`; `connections` by account."""
    by_institution: dict[UUID, list[ConsentAccount]] = defaultdict(list)
    for row in rows:
        by_institution[row.institution_id].append(row)
    return [
        Slice(
            institution_id=institution_id,
            policy=policies.get(institution_id),
            accounts=tuple(_account_facts(row, connections) for row in members),
        )
        for institution_id, members in by_institution.items()
    ]


def connections_of(rows: Sequence[ConsentAccount], now: datetime) -> dict[UUID, ConnectionState]:
    """By account: status as of now and end of the connection it comes from, as far as the bank's consent reaches it."""
    covered = Account.objects.for_sync().filter(id__in=[row.account_id for row in rows], is_covered=True)
    found = covered.values_list(
        "id", "connection__status", "connection__consent_expires_at", "connection__authentication_expires_at"
    )
    return {
        account_id: (connection_state(ConnectionStatus(status), expires_at, login_expires_at, now), expires_at)
        for account_id, status, expires_at, login_expires_at in found
    }


def _account_facts(row: ConsentAccount, connections: Mapping[UUID, ConnectionState]) -> AccountFacts:
    # What is not there any more, or was taken back at the bank, serves nothing.
    status, expires_at = connections.get(row.account_id, (ConnectionStatus.CLOSED, None))
    return AccountFacts(
        account_id=row.account_id,
        status=ConsentAccountStatus(row.status),
        connection_status=status,
        connection_expires_at=expires_at,
    )
