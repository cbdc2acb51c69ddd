"""How often a bank may be asked while nobody is there: counted in the database, before the call.

One run of a job is one access: its further windows and pages are free, and so are the turns it goes on in, unless the
connector says that its banks count them (ConnectorInfo.counts_pages). A run that crashed, or was not answered, has
spent its access; the bank saw it too. One that the bank turned away (5xx, 429) saw nothing of the customer and is given
back.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from banks import store
from banks.errors import BankError, BankRateLimited, BankUnavailable, QuotaSpent
from banks.leases import Claim
from banks.models import Account, Connection, FetchRecord, Institution
from banks.types import Resource
from consents.scopes import Presence

WINDOW = timedelta(hours=24)
#: A job that goes on in another turn this soon is still the same access.
ONE_ACCESS = timedelta(hours=1)


def spend(
    held: Claim, *, account_id: UUID | None, resource: Resource, stage: str, now: datetime, counts_pages: bool = False
) -> None:
    """Count one fetch, before it is made. `account_id` None: the list of accounts, which is the connection's.

    Raises QuotaSpent (nothing was counted), StaleLease.
    """
    with store.fenced_alone(held, stage=stage) as connection:
        mine = FetchRecord.objects.filter(connection_id=connection.id, account_id=account_id, resource=resource)
        if not counts_pages and _is_going_on(mine.filter(job_id=held.job_id), held, now):
            return
        allowed = _allowed(connection.institution, held.presence)
        if allowed is not None:
            recent = mine.filter(presence=held.presence, fetched_at__gt=now - WINDOW).order_by("-fetched_at")
            oldest_that_counts = recent.values_list("fetched_at", flat=True)[allowed - 1 : allowed].first()
            if oldest_that_counts is not None:
                raise QuotaSpent(oldest_that_counts + WINDOW)
        FetchRecord.objects.create(
            connection_id=connection.id,
            account_id=account_id,
            resource=resource,
            presence=held.presence,
            job_id=held.job_id,
            epoch=held.epoch,
            fetched_at=now,
        )
        _announce(connection.id, connection.institution, account_id, now)


def give_back(held: Claim, *, account_id: UUID | None, resource: Resource, error: BankError, now: datetime) -> None:
    """Take this run's fetch of the resource out of the count, if the bank answered that it serves nobody now.

    The caller knows that nothing of the resource was told in this run. What was not answered at all stays counted.
    """
    if not isinstance(error, BankUnavailable | BankRateLimited) or error.upstream_status is None:
        return
    with transaction.atomic():
        connection = Connection.objects.select_for_update(no_key=True, of=("self",)).select_related("institution")
        link = connection.get(id=held.connection_id)
        FetchRecord.objects.filter(
            connection_id=link.id,
            account_id=account_id,
            resource=resource,
            job_id=held.job_id,
            epoch=held.epoch,
        ).delete()
        _announce(link.id, link.institution, account_id, now)


def _is_going_on(of_job: QuerySet[FetchRecord], held: Claim, now: datetime) -> bool:
    """The first attempt of a job that was put back because there was more to fetch: leases.go_on begins anew to count
    attempts, while each failed one counts up and is an access of its own."""
    if of_job.filter(epoch=held.epoch).exists():
        return True
    return held.attempts == 1 and of_job.filter(fetched_at__gt=now - ONE_ACCESS).exists()


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


def forget(*, now: datetime, batch: int) -> int:
    """Delete records that no window reaches any more; how many."""
    old = FetchRecord.objects.filter(fetched_at__lt=now - 2 * WINDOW).values_list("id", flat=True)[:batch]
    deleted, _ = FetchRecord.objects.filter(id__in=list(old)).delete()
    return deleted


def _allowed(institution: Institution, presence: Presence) -> int | None:
    if presence == Presence.PRESENT:
        return None
    return institution.attested_fetches_max if presence == Presence.ATTESTED else institution.unattended_fetches_max


def _announce(connection_id: UUID, institution: Institution, account_id: UUID | None, now: datetime) -> None:
    """`next_refresh_after` of the accounts concerned: told in every answer without looking here again."""
    concerned = Account.objects.for_sync().filter(connection_id=connection_id)
    if account_id is not None:
        concerned = concerned.filter(id=account_id)
    for one in concerned.values_list("id", flat=True):
        until = next_allowed(connection_id, institution, [one], presence=Presence.ABSENT, now=now)
        Account.objects.for_sync().filter(id=one).update(next_refresh_after=until)


def _spent_until(records: Iterable[tuple[UUID | None, str, datetime]], allowed: int) -> datetime | None:
    by_resource: dict[tuple[UUID | None, str], list[datetime]] = defaultdict(list)
    for account_id, resource, fetched_at in records:
        by_resource[account_id, resource].append(fetched_at)
    ends = [sorted(at, reverse=True)[allowed - 1] + WINDOW for at in by_resource.values() if len(at) >= allowed]
    return max(ends, default=None)
