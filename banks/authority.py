"""Gathers what decide() needs about one consent, and asks it. No rule of its own."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from banks import gathering
from banks.clocks import connection_state
from banks.gathering import HeldAccount
from banks.models import Account
from consents.denials import Denial, DenialCode
from consents.errors import Denied
from consents.facts import consent_accounts, consent_facts, consents_accounts, policies_in_force
from consents.lifecycle import AccountChoice
from consents.models import Consent, ConsentAccount
from consents.policy import Permit, PermitSlice, decide
from consents.policy_facts import AccountFacts, PolicyFacts, Slice
from consents.scopes import LocationPrecision, Presence, Purpose, Scope, SensitiveGroup
from consents.states import ConnectionStatus, ConsentAccountStatus, PlatformStatus


def permit_for(
    consent: Consent,
    *,
    purpose: Purpose | None,
    presence: Presence,
    now: datetime,
    slices: Sequence[Slice] | None = None,
) -> Permit:
    """What this consent opens right now. `consent` is loaded with user and platform. Raises Denied.

    `slices`: where they came with the token already (`behind`).
    """
    answer = decide(
        consent_facts(consent),
        slices_of(consent, now=now) if slices is None else slices,
        PlatformStatus(consent.platform.status),
        purpose,
        presence,
        now,
    )
    if isinstance(answer, Denial):
        raise Denied(answer)
    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """What is behind a token, whatever it is worth. `consent` is loaded with user and platform."""

    id: int
    expires_at: datetime
    resource: Sequence[str]
    consent: Consent
    slices: Sequence[Slice]  #: as `slices_of` gathers them


def behind(token_digest: str, *, now: datetime) -> TokenFacts | None:
    """Token, consent and everything that bears on it, in one statement. `token_digest`: SHA-256, hex."""
    found = gathering.gather(token_digest, now=now)
    if found is None:
        return None
    return TokenFacts(
        id=found.token_id,
        expires_at=found.token_expires_at,
        resource=found.token_resource,
        consent=found.consent,
        slices=slices_gathered(found.held, found.policies, now=now),
    )


def slices_gathered(held: Sequence[HeldAccount], policies: Mapping[UUID, PolicyFacts], *, now: datetime) -> list[Slice]:
    """The slices of one consent, of what `gathering` found."""
    accounts = [(one.institution_id, one.account_id, ConsentAccountStatus(one.status)) for one in held]
    connections = {one.account_id: _state(*one.link, now) for one in held if one.link is not None}
    return _slices(accounts, policies, connections)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What one bank would let out under a consent that is not given yet: over all of its purposes together.

    `denial`: why nothing at all; the rest is then the least there is. `scopes`: released or derivable.
    """

    denial: Denial | None
    scopes: frozenset[Scope]
    location_precision: LocationPrecision | None
    on_platform_only: bool
    hidden_groups: frozenset[SensitiveGroup]
    history_from: date | None
    expires_at: datetime


def outlooks(wanted: Consent, institution_ids: Iterable[UUID], *, now: datetime) -> dict[UUID, Outlook]:
    """What decide() would say if the user now allowed `wanted` (lifecycle.as_if_authorised) at each of these banks.

    `wanted` is loaded with user and platform.
    """
    institutions = list(institution_ids)
    policies = policies_in_force(institutions, wanted.platform_id, now=now)
    return {one: _outlook(wanted, one, policies.get(one), now) for one in institutions}


def _outlook(wanted: Consent, institution_id: UUID, policy: PolicyFacts | None, now: datetime) -> Outlook:
    account = AccountFacts(
        account_id=wanted.id,  # stands for whatever they would choose
        status=ConsentAccountStatus.ACTIVE,
        connection_status=ConnectionStatus.ACTIVE,
        connection_expires_at=None,
    )
    part = Slice(institution_id=institution_id, policy=policy, accounts=(account,))
    facts, platform = consent_facts(wanted), PlatformStatus(wanted.platform.status)
    answers = [decide(facts, [part], platform, Purpose(name), Presence.PRESENT, now) for name in wanted.purposes]
    permits = [answer for answer in answers if isinstance(answer, Permit)]
    if not permits:
        denial = next(answer for answer in answers if isinstance(answer, Denial))
        return Outlook(
            denial=denial,
            scopes=frozenset(),
            location_precision=None,
            on_platform_only=True,
            hidden_groups=facts.hidden_groups,
            history_from=facts.history_from,
            expires_at=now,
        )
    opened = [part for permit in permits for part in permit.slices]
    first = opened[0]  # but for the scopes, purposes differ in nothing
    return Outlook(
        denial=None,
        scopes=frozenset[Scope]().union(*(part.released | part.derivable for part in opened)),
        location_precision=first.location_precision,
        on_platform_only=first.on_platform_only,
        hidden_groups=first.hidden_groups,
        history_from=first.history_from,
        expires_at=permits[0].expires_at,
    )


def slices_of(consent: Consent, *, now: datetime) -> list[Slice]:
    """Per institution under the consent: the policy in force, and each account with its connection's state."""
    rows = consent_accounts(consent.id)
    policies = policies_in_force({row.institution_id for row in rows}, consent.platform_id, now=now)
    return slices_from(rows, policies, connections_of([row.account_id for row in rows], now))


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
    links = _as_if_served(rows) if whatever_the_link else connections_of([row.account_id for row in rows], now)
    opened: dict[tuple[UUID, UUID], list[Opened]] = defaultdict(list)
    for consent in consents:
        members = by_consent.get(consent.id, [])
        for permit in _permits(consent, slices_from(members, policies, links), now):
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


def slices_chosen(choices: Collection[AccountChoice], platform_id: UUID, *, now: datetime) -> list[Slice]:
    """The same as `slices_of` for accounts that are chosen, and shared with nobody yet."""
    chosen = [(choice.institution_id, choice.account_id, ConsentAccountStatus.ACTIVE) for choice in choices]
    policies = policies_in_force({choice.institution_id for choice in choices}, platform_id, now=now)
    return _slices(chosen, policies, connections_of([choice.account_id for choice in choices], now))


ConnectionState = tuple[ConnectionStatus, datetime | None]  #: as of now, and the end of the bank's own consent


def slices_from(
    rows: Sequence[ConsentAccount],
    policies: Mapping[UUID, PolicyFacts],
    connections: Mapping[UUID, ConnectionState],
) -> list[Slice]:
    """The slices of one consent's `rows`; `connections` by account."""
    held = [(row.institution_id, row.account_id, ConsentAccountStatus(row.status)) for row in rows]
    return _slices(held, policies, connections)


def _slices(
    accounts: Sequence[tuple[UUID, UUID, ConsentAccountStatus]],
    policies: Mapping[UUID, PolicyFacts],
    connections: Mapping[UUID, ConnectionState],
) -> list[Slice]:
    """Of (institution_id, account_id, status) triples."""
    by_institution: dict[UUID, list[tuple[UUID, ConsentAccountStatus]]] = defaultdict(list)
    for institution_id, account_id, status in accounts:
        by_institution[institution_id].append((account_id, status))
    return [
        Slice(
            institution_id=institution_id,
            policy=policies.get(institution_id),
            accounts=tuple(_account_facts(account_id, status, connections) for account_id, status in members),
        )
        for institution_id, members in by_institution.items()
    ]


def connections_of(account_ids: Iterable[UUID], now: datetime) -> dict[UUID, ConnectionState]:
    """By account: status as of now and end of the connection it comes from, as far as the bank's consent reaches it."""
    covered = Account.objects.for_sync().filter(id__in=list(account_ids), is_covered=True)
    found = covered.values_list(
        "id", "connection__status", "connection__consent_expires_at", "connection__authentication_expires_at"
    )
    return {one: _state(status, ends_at, login_ends_at, now) for one, status, ends_at, login_ends_at in found}


def _state(
    status: str, expires_at: datetime | None, login_expires_at: datetime | None, now: datetime
) -> ConnectionState:
    return connection_state(ConnectionStatus(status), expires_at, login_expires_at, now), expires_at


def _as_if_served(rows: Sequence[ConsentAccount]) -> dict[UUID, ConnectionState]:
    return {row.account_id: (ConnectionStatus.ACTIVE, None) for row in rows}


def _account_facts(
    account_id: UUID, status: ConsentAccountStatus, connections: Mapping[UUID, ConnectionState]
) -> AccountFacts:
    # What is not there any more, or was taken back at the bank, serves nothing.
    connection_status, expires_at = connections.get(account_id, (ConnectionStatus.CLOSED, None))
    return AccountFacts(
        account_id=account_id,
        status=status,
        connection_status=connection_status,
        connection_expires_at=expires_at,
    )
