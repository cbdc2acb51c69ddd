"""What may be fetched for one connection right now: the union of what live consents open, and nothing else."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from uuid import UUID

from django.db.models import Exists, OuterRef

from banks.authority import slices_gathered
from banks.compiled import SLOTS, Compiled
from banks.gathering import Reaching, gather_reaching
from banks.models import Connection
from banks.types import Resource
from consents.denials import Denial
from consents.facts import consent_facts
from consents.models import Consent, ConsentAccount
from consents.policy import Permit, PermitSlice, decide
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
    return _plan(gather_reaching(connection.id, now=now), connection, presence, now)


def plan_under_lock(locked: Collection[UUID], connection: Connection, *, presence: Presence, now: datetime) -> Plan:
    """The same of these consents alone (`lock_consents`): what another one opens is not held, and for another time."""
    found = [one for one in gather_reaching(connection.id, now=now) if one.consent.id in locked]
    return _plan(found, connection, presence, now)


def _plan(found: Iterable[Reaching], connection: Connection, presence: Presence, now: datetime) -> Plan:
    accounts: dict[UUID, AccountPlan] = {}
    for one in found:
        # One person may have two logins at one bank, and a consent may span them.
        own = frozenset(held.account_id for held in one.held if held.connection_id == connection.id)
        slices = slices_gathered(one.held, one.policies, now=now)
        facts, platform = consent_facts(one.consent), PlatformStatus(one.consent.platform.status)
        for purpose in one.consent.purposes:
            answer = decide(facts, slices, platform, Purpose(purpose), presence, now)
            if not isinstance(answer, Denial):
                _add(accounts, answer, connection, own, now)
    return Plan(accounts=accounts)


def lock_consents(connection_id: UUID) -> frozenset[UUID]:
    """Hold the consents (by id) that may open something of it now, while a transaction writes: a revocation comes
    before or after it, never within."""
    return frozenset(consent_id for (consent_id,) in _locking().rows({"connection_id": connection_id}))


@lru_cache(maxsize=1)
def _locking() -> Compiled:
    connection_id = SLOTS["connection_id"]
    accounts = ConsentAccount.objects.filter(connection_id=connection_id, status=ConsentAccountStatus.ACTIVE)
    consents = Consent.objects.filter(id__in=accounts.values("consent_id"), status=ConsentStatus.AUTHORISED)
    return Compiled(consents.select_for_update(no_key=True, of=("self",)).order_by("id").values_list("id"))


def reaching(now: datetime) -> Exists:
    """Of a query of connections: whether some live consent reaches one. Whether a policy lets it through is for the job
    to ask: policies change."""
    accounts = ConsentAccount.objects.filter(
        connection_id=OuterRef("id"),
        status=ConsentAccountStatus.ACTIVE,
        consent__status=ConsentStatus.AUTHORISED,
        consent__expires_at__gt=now,
    )
    return Exists(accounts)


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
