"""Gathers what decide() needs about one consent, and asks it. No rule of its own."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from banks.clocks import connection_state
from banks.models import Account
from consents.denials import Denial
from consents.errors import Denied
from consents.facts import consent_accounts, consent_facts, consents_accounts, policies_in_force
from consents.models import Consent, ConsentAccount
from consents.policy import AccountFacts, Permit, PermitSlice, PolicyFacts, Slice, decide
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
    return _slices(rows, policies, _connections(rows, now))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What one purpose of a consent opens on one connection: the slice, and those of its accounts that lie there."""

    permit: Permit
    part: PermitSlice
    account_ids: frozenset[UUID]


def opened_on_connections(
    consents: Collection[Consent], *, now: datetime, whatever_the_link: bool = False
) -> dict[tuple[UUID, UUID], list[Opened]]:
    """By (consent, connection): what each purpose opens there now, with nobody present; absent where nothing is open.

    For many consents of one platform at once, loaded with user and platform: the same facts and the same decision as
    `permit_for`, gathered in three queries. `whatever_the_link`: as if every connection were served from, for saying
    that one is not.
    """
    platform_ids = {consent.platform_id for consent in consents}
    if not platform_ids:
        return {}
    (platform_id,) = platform_ids
    by_consent = consents_accounts([consent.id for consent in consents])
    rows = [row for members in by_consent.values() for row in members]
    policies = policies_in_force({row.institution_id for row in rows}, platform_id, now=now)
    links = _as_if_served(rows) if whatever_the_link else _connections(rows, now)
    opened: dict[tuple[UUID, UUID], list[Opened]] = defaultdict(list)
    for consent in consents:
        members = by_consent.get(consent.id, [])
        for permit in _permits(consent, _slices(members, policies, links), now):
            for connection_id in {row.connection_id for row in members}:
                lying_there = {row.account_id for row in members if row.connection_id == connection_id}
                for part in permit.slices:
                    if account_ids := part.account_ids & lying_there:
                        one = Opened(permit=permit, part=part, account_ids=account_ids)
                        opened[consent.id, connection_id].append(one)
    return opened


def _permits(consent: Consent, slices: Sequence[Slice], now: datetime) -> list[Permit]:
    facts, platform = consent_facts(consent), PlatformStatus(consent.platform.status)
    answers = [decide(facts, slices, platform, Purpose(name), Presence.ABSENT, now) for name in consent.purposes]
    return [answer for answer in answers if isinstance(answer, Permit)]


def _slices(
    rows: Sequence[ConsentAccount], policies: Mapping[UUID, PolicyFacts], connections: Mapping[UUID, "_Connection"]
) -> list[Slice]:
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


_Connection = tuple[ConnectionStatus, datetime | None]


def _connections(rows: Sequence[ConsentAccount], now: datetime) -> dict[UUID, _Connection]:
    """By account: status as of now and end of the connection it comes from, as far as the bank's consent reaches it."""
    covered = Account.objects.for_sync().filter(id__in=[row.account_id for row in rows], is_covered=True)
    found = covered.values_list(
        "id", "connection__status", "connection__consent_expires_at", "connection__authentication_expires_at"
    )
    return {
        account_id: (connection_state(ConnectionStatus(status), expires_at, login_expires_at, now), expires_at)
        for account_id, status, expires_at, login_expires_at in found
    }


def _as_if_served(rows: Sequence[ConsentAccount]) -> dict[UUID, _Connection]:
    return {row.account_id: (ConnectionStatus.ACTIVE, None) for row in rows}


def _account_facts(row: ConsentAccount, connections: Mapping[UUID, _Connection]) -> AccountFacts:
    # What is not there any more, or was taken back at the bank, serves nothing.
    status, expires_at = connections.get(row.account_id, (ConnectionStatus.CLOSED, None))
    return AccountFacts(
        account_id=row.account_id,
        status=ConsentAccountStatus(row.status),
        connection_status=status,
        connection_expires_at=expires_at,
    )
