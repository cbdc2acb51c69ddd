"""How often a bank may be asked while nobody is there: counted in the database, before the call.

One run of a job is one access: its further windows and pages are free, and so are the turns it goes on in, unless the
connector says that its banks count them (ConnectorInfo.counts_pages). A run that crashed, or was not answered, has
spent its access; the bank saw it too. One that the bank turned away (5xx, 429) saw nothing of the customer and is given
back, and so is one that was counted ahead of a bank that failed before it was made.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Q, QuerySet

from banks.compiled import SLOTS, Compiled, CompiledInsert
from banks.errors import BankError, BankRateLimited, BankUnavailable, QuotaSpent
from banks.held_jobs import Claim
from banks.models import Account, Connection, FetchRecord, Institution
from banks.types import Resource
from consents.scopes import Presence

WINDOW = timedelta(hours=24)
#: A job that goes on in another turn this soon is still the same access.
ONE_ACCESS = timedelta(hours=1)


class _Fetch(NamedTuple):
    """Columns of a FetchRecord."""

    connection_id: UUID
    account_id: UUID | None
    resource: str
    presence: str
    job_id: UUID
    epoch: int
    fetched_at: datetime


class Ledger:
    """The connection's fetches of the whole window, read once a turn: whoever holds the connection's only job is the
    only one who adds to them, and each addition is under its lock."""

    def __init__(self) -> None:
        self._records: list[_Fetch] | None = None
        #: By account: `next_refresh_after` as it is stored.
        self._told: dict[UUID, datetime | None] = {}

    def forget(self) -> None:
        """They were changed elsewhere: they are read again when they are asked for."""
        self._records, self._told = None, {}

    def spend(
        self,
        held: Claim,
        connection: Connection,
        *,
        account_id: UUID | None,
        resource: Resource,
        now: datetime,
        counts_pages: bool,
    ) -> UUID | None:
        """Count one fetch, before it is made. `account_id` None: the list of accounts, which is the connection's.

        The record's id; None: it belongs to an access that is counted already.

        In a transaction of the caller's that is fenced and holds the connection's lock. Raises QuotaSpent (nothing was
        counted).
        """
        records = self._recent(connection.id, now)
        mine = [one for one in records if (one.account_id, one.resource) == (account_id, resource)]
        if not counts_pages and _is_going_on([one for one in mine if one.job_id == held.job_id], held, now):
            return None
        spent_until = _end([one.fetched_at for one in mine if one.presence == held.presence], connection, held.presence)
        if spent_until is not None:
            raise QuotaSpent(spent_until)
        new = _Fetch(
            connection_id=connection.id,
            account_id=account_id,
            resource=resource,
            presence=held.presence,
            job_id=held.job_id,
            epoch=held.epoch,
            fetched_at=now,
        )
        record_id = uuid4()
        _recording().run({**new._asdict(), "now": now, "row_id": record_id})
        assert self._records is not None
        self._records.append(new)
        told = self._told if account_id is None else {account_id: self._told.get(account_id)}
        self._told |= _announce(connection, [*records, new], told)
        return record_id

    def spent_until(self, connection: Connection, *, presence: Presence, now: datetime) -> datetime | None:
        """From when a refresh of all its accounts can do everything it is for; None: now. `connection` is loaded with
        its institution."""
        return _spent_until_of(self._recent(connection.id, now), connection, presence)

    def _recent(self, connection_id: UUID, now: datetime) -> list[_Fetch]:
        if self._records is None:
            self._records = _recent(connection_id, now)
            self._told = _stored_announcements(connection_id)
        return [one for one in self._records if one.fetched_at > now - WINDOW]


def give_back(held: Claim, *, account_id: UUID | None, resource: Resource, error: BankError, now: datetime) -> None:
    """Take this run's fetch of the resource out of the count, if the bank answered that it serves nobody now.

    The caller knows that nothing of the resource was told in this run. What was not answered at all stays counted.
    """
    if not isinstance(error, BankUnavailable | BankRateLimited) or error.upstream_status is None:
        return
    of_run = FetchRecord.objects.filter(job_id=held.job_id, epoch=held.epoch)
    _delete(held.connection_id, of_run.filter(account_id=account_id, resource=resource), now)


def take_back(held: Claim, record_ids: Collection[UUID], *, now: datetime) -> None:
    """Take fetches out of the count that were never made: `record_ids`, of Ledger.spend in this run."""
    _delete(held.connection_id, FetchRecord.objects.filter(id__in=record_ids), now)


def _delete(connection_id: UUID, records: QuerySet[FetchRecord], now: datetime) -> None:
    """Of one connection; what is announced of its accounts follows."""
    with transaction.atomic():
        connection = Connection.objects.select_for_update(no_key=True, of=("self",)).select_related("institution")
        link = connection.get(id=connection_id)
        records.filter(connection_id=link.id).delete()
        _announce(link, _recent(link.id, now), _stored_announcements(link.id))


def _recent(connection_id: UUID, now: datetime) -> list[_Fetch]:
    rows = _recorded().rows({"connection_id": connection_id, "since_at": now - WINDOW})
    return [_Fetch(*row) for row in rows]


@lru_cache(maxsize=1)
def _recording() -> CompiledInsert:
    slots = {name: SLOTS[name] for name in _Fetch._fields if name != "fetched_at"}
    return CompiledInsert(FetchRecord(id=SLOTS["row_id"], fetched_at=SLOTS["now"], **slots))


@lru_cache(maxsize=1)
def _recorded() -> Compiled:
    recent = FetchRecord.objects.filter(connection_id=SLOTS["connection_id"], fetched_at__gt=SLOTS["since_at"])
    return Compiled(recent.values_list(*_Fetch._fields))


def _is_going_on(of_job: Iterable[_Fetch], held: Claim, now: datetime) -> bool:
    """The first attempt of a job that was put back because there was more to fetch: leases.go_on begins anew to count
    attempts, while each failed one counts up and is an access of its own."""
    return any(one.epoch == held.epoch or (held.attempts == 1 and one.fetched_at > now - ONE_ACCESS) for one in of_job)


def next_allowed(
    connection_id: UUID, institution: Institution, account_ids: Collection[UUID], *, presence: Presence, now: datetime
) -> datetime | None:
    """From when a refresh of these accounts can do everything it is for; None: now."""
    allowed = _allowed(institution, presence)
    if allowed is None:
        return None
    recent = FetchRecord.objects.filter(
        Q(account_id=None) | Q(account_id__in=list(account_ids)),
        connection_id=connection_id,
        presence=presence,
        fetched_at__gt=now - WINDOW,
    )
    return _spent_until(recent.values_list("account_id", "resource", "fetched_at"), allowed)


def spent_until(connections: Collection[Connection], *, presence: Presence, now: datetime) -> dict[UUID, datetime]:
    """By connection: from when a refresh of all its accounts can do everything it is for; absent: now. One query.

    `connections` are loaded with their institution.
    """
    recent = FetchRecord.objects.filter(
        connection_id__in=[connection.id for connection in connections],
        presence=presence,
        fetched_at__gt=now - WINDOW,
    )
    records: dict[UUID, list[tuple[UUID | None, str, datetime]]] = defaultdict(list)
    for connection_id, account_id, resource, fetched_at in recent.values_list(
        "connection_id", "account_id", "resource", "fetched_at"
    ):
        records[connection_id].append((account_id, resource, fetched_at))
    found = {}
    for connection in connections:
        allowed = _allowed(connection.institution, presence)
        until = None if allowed is None else _spent_until(records[connection.id], allowed)
        if until is not None:
            found[connection.id] = until
    return found


def spent_until_of(connection: Connection, *, presence: Presence, now: datetime) -> datetime | None:
    """The same of one connection."""
    return _spent_until_of(_recent(connection.id, now), connection, presence)


def _spent_until_of(records: list[_Fetch], connection: Connection, presence: Presence) -> datetime | None:
    allowed = _allowed(connection.institution, presence)
    if allowed is None:
        return None
    mine = (one for one in records if one.presence == presence)
    return _spent_until([(one.account_id, one.resource, one.fetched_at) for one in mine], allowed)


def forget(*, now: datetime, batch: int) -> int:
    """Delete records that no window reaches any more; how many."""
    old = FetchRecord.objects.filter(fetched_at__lt=now - 2 * WINDOW).values_list("id", flat=True)[:batch]
    deleted, _ = FetchRecord.objects.filter(id__in=list(old)).delete()
    return deleted


def _allowed(institution: Institution, presence: Presence) -> int | None:
    if presence == Presence.PRESENT:
        return None
    return institution.attested_fetches_max if presence == Presence.ATTESTED else institution.unattended_fetches_max


def _end(fetched_at: list[datetime], connection: Connection, presence: Presence) -> datetime | None:
    """When the oldest fetch that counts is forgotten; None: one more is allowed now."""
    allowed = _allowed(connection.institution, presence)
    if allowed is None or len(fetched_at) < allowed:
        return None
    return sorted(fetched_at, reverse=True)[allowed - 1] + WINDOW


def _announce(
    connection: Connection, records: Iterable[_Fetch], told: Mapping[UUID, datetime | None]
) -> dict[UUID, datetime | None]:
    """`next_refresh_after` of the accounts concerned: told in every answer without looking here again.

    `records`: the connection's of the whole window; `told`: what is stored of these accounts. What is stored now.
    """
    allowed = _allowed(connection.institution, Presence.ABSENT)
    assert allowed is not None, "only who is present asks without limit"
    unattended = [(one.account_id, one.resource, one.fetched_at) for one in records if one.presence == Presence.ABSENT]
    found = {}
    for row_id, before in told.items():
        found[row_id] = _spent_until([one for one in unattended if one[0] in (None, row_id)], allowed)
        if found[row_id] != before:
            Account.objects.for_sync().filter(id=row_id).update(next_refresh_after=found[row_id])
    return found


def _stored_announcements(connection_id: UUID) -> dict[UUID, datetime | None]:
    """By account, each of the connection's."""
    return dict(_announced().rows({"connection_id": connection_id}))


@lru_cache(maxsize=1)
def _announced() -> Compiled:
    concerned = Account.objects.for_sync().filter(connection_id=SLOTS["connection_id"])
    return Compiled(concerned.values_list("id", "next_refresh_after"))


def _spent_until(records: Iterable[tuple[UUID | None, str, datetime]], allowed: int) -> datetime | None:
    by_resource: dict[tuple[UUID | None, str], list[datetime]] = defaultdict(list)
    for account_id, resource, fetched_at in records:
        by_resource[account_id, resource].append(fetched_at)
    ends = [sorted(at, reverse=True)[allowed - 1] + WINDOW for at in by_resource.values() if len(at) >= allowed]
    return max(ends, default=None)
