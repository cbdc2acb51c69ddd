"""When a connection is synced next, without anybody asking: a due time on its row, claimed like everything else.

Locks: a connection, then its job; no consent and no gate is held here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, Subquery

from banks import gate, job_requests, quota
from banks.compiled import SLOTS, CompiledModels, CompiledUpdate
from banks.errors import QuotaSpent
from banks.jitter import jittered
from banks.models import LIVE_JOBS, Connection, SyncJob
from banks.plan import reaching
from banks.standing import CHECK_AFTER
from consents.models import ConsentAccount
from consents.scopes import Presence
from consents.states import LIVE_CONSENTS, ConnectionStatus

#: More than a second of the fastest worker, so that a tick never holds it up.
BATCH = 250
#: Connections that one transaction moves.
CHUNK = 50
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What the next due time of one connection hangs on; None: it does not stand in the way."""

    is_needed: bool
    spent_until: datetime | None
    closed_until: datetime | None


def enqueue_due(*, now: datetime, batch: int = BATCH) -> int:
    """Give every connection whose time has come a job; how many. Any number of callers: one of them gets each."""
    connections = _due(batch).models({"now": now})
    if not connections:
        return 0
    facts = _facts_of(connections, now)
    chunks = (connections[start : start + CHUNK] for start in range(0, len(connections), CHUNK))
    return sum(_enqueued(chunk, facts, now) for chunk in chunks)


@lru_cache(maxsize=2)
def _due(batch: int) -> CompiledModels[Connection]:
    due = Connection.objects.filter(next_sync_at__lte=SLOTS["now"]).select_related("institution")
    return CompiledModels(due.order_by("next_sync_at", "id")[:batch])


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
        return rows.exists() and job_requests.enqueue_check(connection_id, now=now)


def after_run(connection_id: UUID, *, now: datetime) -> None:
    """A job of this connection ended, or waits to go on: say when the next one is due. The caller holds no lock."""
    for connection in _ended().models({"connection_id": connection_id, "now": now}):
        found: Any = connection  # with what was annotated
        facts = _Facts(
            is_needed=found.is_needed,
            spent_until=quota.spent_until_of(connection, presence=Presence.ABSENT, now=now),
            closed_until=found.closed_until,
        )
        _move(connection, _next_sync_at(connection, facts, now, is_unfinished=found.ended_with == QuotaSpent.code))


def due_after(
    connection: Connection,
    *,
    is_unfinished: bool,
    spent_until: datetime | None,
    closed_until: datetime | None,
    now: datetime,
) -> datetime | None:
    """The same for the transaction that ends the job: when the next one is due. `connection`: as `fences.ending` gave
    it.

    `is_unfinished`: a spent quota left something out.
    """
    found: Any = connection  # with what was annotated
    facts = _Facts(is_needed=found.is_needed, spent_until=spent_until, closed_until=closed_until)
    return _next_sync_at(connection, facts, now, is_unfinished=is_unfinished)


@lru_cache(maxsize=1)
def _ended() -> CompiledModels[Connection]:
    """The connection, unless a job of it is live, with all that its next due time hangs on but the quota."""
    connection_id, now = SLOTS["connection_id"], SLOTS["now"]
    # A check fetched nothing: what was due remains due.
    jobs = SyncJob.objects.filter(connection_id=OuterRef("id"), checks_only=False)
    ended = jobs.exclude(finished_at=None).order_by("-finished_at")
    found = Connection.objects.filter(~Exists(jobs.filter(status__in=LIVE_JOBS)), id=connection_id)
    closed = gate.open_ones().filter(institution_id=OuterRef("institution_id"))
    return CompiledModels(
        found.select_related("institution").annotate(
            ended_with=Subquery(ended.values("error_code")[:1]),
            is_needed=reaching(now),
            closed_until=Subquery(closed.values("breaker_until")[:1]),
        )
    )


def adopt(*, now: datetime, batch: int = BATCH) -> int:
    """Connections that somebody's live consent needs and no schedule knows; how many. A worker died between the end of
    a job and `after_run`, a consent was resumed, a bank connection renewed, or they are older than the schedule."""
    unknown = Connection.objects.filter(reaching(now), next_sync_at=None, status__in=SCHEDULED)
    connections = list(unknown.select_related("institution").order_by("id")[:batch])
    facts = _facts_of(connections, now)
    adopted = 0
    for connection in connections:
        synced_at = connection.last_succeeded_at
        due_at = now if synced_at is None else max(now, synced_at + _interval(connection))
        spent_until = facts[connection.id].spent_until or now
        adopted += _move(connection, _while_closed(facts[connection.id], max(due_at, spent_until)))
    return adopted


def _enqueued(connections: Sequence[Connection], facts: Mapping[UUID, _Facts], now: datetime) -> int:
    with transaction.atomic():
        # What someone holds is left to the next tick: whoever waits for one lock while they hold others may be waited
        # for.
        free = Connection.objects.select_for_update(no_key=True, skip_locked=True)
        ours = set(free.filter(id__in=[one.id for one in connections]).order_by("id").values_list("id", flat=True))
        wanted = {}
        for one in connections:
            is_spent = facts[one.id].spent_until is not None
            next_sync_at = _next_sync_at(one, facts[one.id], now, is_unfinished=is_spent)
            if one.id in ours and _move(one, next_sync_at) and next_sync_at is not None and not is_spent:
                wanted[one.id] = one.institution_id
        if wanted:
            job_requests.enqueue_scheduled(wanted, now=now)
        return len(wanted)


def _move(connection: Connection, next_sync_at: datetime | None) -> bool:
    """Only if it is still as it was seen: of several beats one moves it, and the end of a connection stays one."""
    values = {"connection_id": connection.id, "seen_at": connection.next_sync_at, "status": connection.status}
    moving = _moving(had_one=connection.next_sync_at is not None)
    return bool(moving.run({**values, "next_sync_at": next_sync_at}))


@lru_cache(maxsize=2)
def _moving(*, had_one: bool) -> CompiledUpdate:
    seen_at = SLOTS["seen_at"] if had_one else None
    seen = Connection.objects.filter(id=SLOTS["connection_id"], next_sync_at=seen_at, status=SLOTS["status"])
    return CompiledUpdate(seen, {"next_sync_at": SLOTS["next_sync_at"]})


def _next_sync_at(connection: Connection, facts: _Facts, now: datetime, *, is_unfinished: bool) -> datetime | None:
    """None: nothing is to be fetched. What a spent quota left unfinished is due when the quota lets it through, be that
    sooner or later than the interval; everything else after the interval, and not before the quota."""
    if connection.status not in SCHEDULED or not facts.is_needed:
        return None
    regular = now + _interval(connection)
    if facts.spent_until is None:
        return _while_closed(facts, regular)
    return _while_closed(facts, facts.spent_until if is_unfinished else max(regular, facts.spent_until))


def _facts_of(connections: Sequence[Connection], now: datetime) -> dict[UUID, _Facts]:
    """By connection id, each of them; three queries, however many."""
    ids = [connection.id for connection in connections]
    needed = set(Connection.objects.filter(reaching(now), id__in=ids).values_list("id", flat=True))
    spent = quota.spent_until(connections, presence=Presence.ABSENT, now=now)
    closed = gate.open_until(connection.institution_id for connection in connections)
    return {
        connection.id: _Facts(
            is_needed=connection.id in needed,
            spent_until=spent.get(connection.id),
            closed_until=closed.get(connection.institution_id),
        )
        for connection in connections
    }


def _shared(now: datetime) -> Exists:
    """Some consent reaches it that is live, or may be again: paused by the user, or suspended."""
    shared = ConsentAccount.objects.filter(
        connection_id=OuterRef("id"), consent__status__in=LIVE_CONSENTS, consent__expires_at__gt=now
    )
    return Exists(shared)


def _interval(connection: Connection) -> timedelta:
    minutes = timedelta(minutes=connection.institution.refresh_minutes)
    return jittered(minutes, connection.id, percent=JITTER_PERCENT)


def _while_closed(facts: _Facts, wanted: datetime) -> datetime:
    """Not while the bank's breaker is open: its jobs would only wait."""
    return max(wanted, facts.closed_until or wanted)
