"""What may be fetched for one connection right now: the union of what live consents open, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from banks.authority import connections_of, slices_from
from banks.models import Connection
from banks.types import Resource
from consents.denials import Denial
from consents.facts import consent_facts, consents_accounts, policies_in_force
from consents.models import Consent, ConsentAccount
from consents.policy import Permit, PermitSlice, PolicyFacts, decide
from consents.scopes import Presence, Purpose, fetched_for
from consents.states import ConsentAccountStatus, ConsentStatus, PlatformStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPlan:
    """`since`: first day of transactions that some consent opens; None when none does."""

    resources: frozenset[Resource]
    since: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    accounts: dict[UUID, AccountPlan]

    def needs(self, account_id: UUID, resource: Resource) -> bool:
        part = self.accounts.get(account_id)
        return part is not None and resource in part.resources


def plan(connection: Connection, *, presence: Presence, now: datetime) -> Plan:
    """Asks decide() for every purpose of every consent on this connection."""
    return plan_of(consents_on(connection.id), connection, presence=presence, now=now)


def plan_of(consents: Sequence[Consent], connection: Connection, *, presence: Presence, now: datetime) -> Plan:
    """The same for these consents of it, as `consents_on` gave them."""
    accounts: dict[UUID, AccountPlan] = {}
    members = consents_accounts([consent.id for consent in consents]) if consents else {}
    rows = [row for of_consent in members.values() for row in of_consent]
    states = connections_of({row.account_id for row in rows}, now) if rows else {}
    # One person may have two logins at one bank, and a consent may span them.
    own = frozenset(row.account_id for row in rows if row.connection_id == connection.id)
    policies: dict[UUID, dict[UUID, PolicyFacts]] = {}
    for consent in consents:
        if consent.platform_id not in policies:
            banks = {row.institution_id for row in rows}
            policies[consent.platform_id] = policies_in_force(banks, consent.platform_id, now=now)
        slices = slices_from(members.get(consent.id, []), policies[consent.platform_id], states)
        facts, platform = consent_facts(consent), PlatformStatus(consent.platform.status)
        for purpose in consent.purposes:
            answer = decide(facts, slices, platform, Purpose(purpose), presence, now)
            if not isinstance(answer, Denial):
                _add(accounts, answer, connection, own, now)
    return Plan(accounts=accounts)


def consents_on(connection_id: UUID, *, lock: bool = False) -> list[Consent]:
    """Consents that may open something of it now. `lock`: hold them (by id) while a transaction writes, so that a
    revocation comes before or after it, never within."""
    accounts = ConsentAccount.objects.filter(connection_id=connection_id, status=ConsentAccountStatus.ACTIVE)
    consents = Consent.objects.filter(id__in=accounts.values("consent_id"), status=ConsentStatus.AUTHORISED)
    if lock:
        consents = consents.select_for_update(no_key=True, of=("self",))
    return list(consents.select_related("user", "platform").order_by("id"))


def holds_live_consent(connection_id: UUID) -> bool:
    """Whether some consent on it may open something again, though it may be paused or suspended now."""
    live = (ConsentStatus.AUTHORISED, ConsentStatus.PAUSED, ConsentStatus.SUSPENDED)
    accounts = ConsentAccount.objects.filter(connection_id=connection_id)
    return Consent.objects.filter(id__in=accounts.values("consent_id"), status__in=live).exists()


def _add(
    accounts: dict[UUID, AccountPlan], permit: Permit, connection: Connection, own: frozenset[UUID], now: datetime
) -> None:
    """`own`: accounts of this connection."""
    for part in permit.slices:
        if part.institution_id != connection.institution_id:
            continue
        resources = frozenset(Resource(name) for name in fetched_for(part.released | part.derivable))
        since = _since(part, connection, now) if Resource.TRANSACTIONS in resources else None
        for account_id in part.account_ids & own:
            accounts[account_id] = _union(accounts.get(account_id), AccountPlan(resources=resources, since=since))


def _since(part: PermitSlice, connection: Connection, now: datetime) -> date:
    # The edge of a window, as a calendar day; no row's own date is derived here.
    edge = now.date() - timedelta(days=connection.institution.history_days_max)
    return edge if part.history_from is None else max(edge, part.history_from)


def _union(left: AccountPlan | None, right: AccountPlan) -> AccountPlan:
    if left is None:
        return right
    days = [day for day in (left.since, right.since) if day is not None]
    return AccountPlan(resources=left.resources | right.resources, since=min(days, default=None))
