"""When a connection is synced next, without anybody asking: a due time on its row, claimed like everything else.

Locks: a connection, then its job; no consent and no gate is held here.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from banks import gate, leases, quota
from banks.errors import QuotaSpent
from banks.jitter import jittered
from banks.models import LIVE_JOBS, Account, Connection, SyncJob, SyncTrigger
from banks.standing import CHECK_AFTER
from consents.models import ConsentAccount
from consents.scopes import Presence
from consents.states import LIVE_CONSENTS, ConnectionStatus, ConsentAccountStatus, ConsentStatus

BATCH = 50
#: Only ever later: an interval of a quarter of a day must not become five times a day.
JITTER_PERCENT = 10
#: REAUTH_REQUIRED serves what is stored, but a bank that wants its customer is not asked again and again without them.
SCHEDULED = (
    ConnectionStatus.ACTIVE,
    ConnectionStatus.DEGRADED,
    ConnectionStatus.RATE_LIMITED,
    ConnectionStatus.EXPIRING,
)

#: Where the bank's end of its consent changes what is served.
CHECKED = (*SCHEDULED, ConnectionStatus.REAUTH_REQUIRED)


def enqueue_due(*, now: datetime, batch: int = BATCH) -> int:
    """Give every connection whose time has come a job; how many. Any number of callers: one of them gets each."""
    due = Connection.objects.filter(next_sync_at__lte=now).select_related("institution")
    return sum(_enqueued(connection, now) for connection in due.order_by("next_sync_at", "id")[:batch])


def enqueue_checks(*, now: datetime, batch: int = BATCH) -> int:
    """Have banks asked for consents of which they said nothing for CHECK_AFTER; how many. Whatever is fetched, or when:
    under a paused consent nothing is, and a sync may be due only in a week. Not while a job waits or runs, which asks
    too, and where a bank cannot tell not more often."""
    recent = SyncJob.objects.filter(connection_id=OuterRef("id"), checks_only=True, created_at__gt=now - CHECK_AFTER)
    live = SyncJob.objects.filter(connection_id=OuterRef("id"), status__in=LIVE_JOBS)
    old = Connection.objects.filter(_shared(now), ~Exists(recent), ~Exists(live), status__in=CHECKED)
    found = old.filter(Q(checked_at=None) | Q(checked_at__lte=now - CHECK_AFTER)).order_by("checked_at", "id")
    return sum(_enqueued_check(connection_id, now) for connection_id in found.values_list("id", flat=True)[:batch])


def _enqueued_check(connection_id: UUID, now: datetime) -> bool:
    with transaction.atomic():
        rows = Connection.objects.select_for_update(no_key=True).filter(id=connection_id, status__in=CHECKED)
        return rows.exists() and leases.enqueue_check(connection_id, now=now)


def after_run(connection_id: UUID, *, now: datetime) -> None:
    """A job of this connection ended, or waits to go on: say when the next one is due. The caller holds no lock."""
    connection = Connection.objects.select_related("institution").filter(id=connection_id).first()
    # A check fetched nothing: what was due remains due.
    jobs = SyncJob.objects.filter(connection_id=connection_id, checks_only=False)
    if connection is None or jobs.filter(status__in=LIVE_JOBS).exists():
        return
    ended = jobs.exclude(finished_at=None).order_by("-finished_at").values_list("error_code", flat=True).first()
    _move(connection, _next_sync_at(connection, now, is_unfinished=ended == QuotaSpent.code))


def adopt(*, now: datetime, batch: int = BATCH) -> int:
    """Connections that somebody's live consent needs and no schedule knows; how many. A worker died between the end of
    a job and `after_run`, a consent was resumed, a bank connection renewed, or they are older than the schedule."""
    unknown = Connection.objects.filter(_needed(now), next_sync_at=None, status__in=SCHEDULED)
    adopted = 0
    for connection in unknown.select_related("institution").order_by("id")[:batch]:
        synced_at = connection.last_succeeded_at
        due_at = now if synced_at is None else max(now, synced_at + _interval(connection))
        spent_until = _spent_until(connection, now) or now
        adopted += _move(connection, _while_closed(connection, max(due_at, spent_until)))
    return adopted


def _enqueued(connection: Connection, now: datetime) -> bool:
    is_spent = _spent_until(connection, now) is not None
    next_sync_at = _next_sync_at(connection, now, is_unfinished=is_spent)
    with transaction.atomic():
        if not _move(connection, next_sync_at) or next_sync_at is None or is_spent:
            return False
        leases.enqueue(connection.id, trigger=SyncTrigger.SCHEDULE, now=now)
        return True


def _move(connection: Connection, next_sync_at: datetime | None) -> bool:
    """Only if it is still as it was seen: of several beats one moves it, and the end of a connection stays one."""
    seen = Connection.objects.filter(id=connection.id, next_sync_at=connection.next_sync_at, status=connection.status)
    return bool(seen.update(next_sync_at=next_sync_at))


def _next_sync_at(connection: Connection, now: datetime, *, is_unfinished: bool) -> datetime | None:
    """None: nothing is to be fetched. What a spent quota left unfinished is due when the quota lets it through, be that
    sooner or later than the interval; everything else after the interval, and not before the quota."""
    if connection.status not in SCHEDULED or not Connection.objects.filter(_needed(now), id=connection.id).exists():
        return None
    regular = now + _interval(connection)
    spent_until = _spent_until(connection, now)
    if spent_until is None:
        return _while_closed(connection, regular)
    return _while_closed(connection, spent_until if is_unfinished else max(regular, spent_until))


def _needed(now: datetime) -> Exists:
    """Some live consent reaches it. Whether a policy lets it through is for the job to ask: policies change."""
    reaching = ConsentAccount.objects.filter(
        connection_id=OuterRef("id"),
        status=ConsentAccountStatus.ACTIVE,
        consent__status=ConsentStatus.AUTHORISED,
        consent__expires_at__gt=now,
    )
    return Exists(reaching)


def _shared(now: datetime) -> Exists:
    """Some consent reaches it that is live, or may be again: paused by the user, or suspended."""
    shared = ConsentAccount.objects.filter(
        connection_id=OuterRef("id"), consent__status__in=LIVE_CONSENTS, consent__expires_at__gt=now
    )
    return Exists(shared)


def _interval(connection: Connection) -> timedelta:
    minutes = timedelta(minutes=connection.institution.refresh_minutes)
    return jittered(minutes, connection.id, percent=JITTER_PERCENT)


def _spent_until(connection: Connection, now: datetime) -> datetime | None:
    accounts = Account.objects.for_sync().filter(connection=connection).values_list("id", flat=True)
    return quota.next_allowed(connection.id, connection.institution, list(accounts), presence=Presence.ABSENT, now=now)


def _while_closed(connection: Connection, wanted: datetime) -> datetime:
    """Not while the bank's breaker is open: its jobs would only wait."""
    return max(wanted, gate.open_until(connection.institution_id) or wanted)
