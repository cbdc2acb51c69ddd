"""The log of events of each platform: what it is told, numbered, in order, and how far it has acknowledged it.

An event is written where it happens (consents.events); `spread` lays it into the log of every platform concerned.
Numbers are given out under the lock of the platform's EventLog row, so when number n can be read, no smaller one is to
come. Whether a delivery is told is decided when it is read (gateway.api.telling): what is laid here opens nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, Min, OuterRef, QuerySet

from consents import revocations
from consents.errors import EventsGone
from consents.events import EventType
from consents.models import ConsentAccount, Delivery, Event, EventLog, Platform
from consents.states import LIVE_CONSENTS, ConsentAccountStatus

#: How long what was laid can be read again.
KEPT_FOR = timedelta(days=30)
BATCH = 200
#: More than one log ever got between a backup and its return.
_LEAP = 1_000_000_000


@dataclass(frozen=True, slots=True)
class LogPage:
    """`position` is where the next page begins; of each delivery its event is loaded too."""

    deliveries: Sequence[Delivery]
    position: int
    has_more: bool


# -- laying ------------------------------------------------------------------------------------------------------------


def spread(*, now: datetime) -> int:
    """Lay every event that waits, oldest first; how many there were. Any number of callers at once.

    A second caller waits for the first instead of passing over what it holds: passed over, a later event of a consent
    could get the smaller number.
    """
    count = 0
    # Looked at without a transaction: on SQLite one would keep every writer waiting for nothing.
    while Event.objects.filter(spread_at=None).exists():
        with transaction.atomic():
            waiting = Event.objects.select_for_update(no_key=True).filter(spread_at=None)
            events = list(waiting.order_by("occurred_at", "id")[:BATCH])
            _lay(events, now)
            Event.objects.filter(id__in=[event.id for event in events]).update(spread_at=now)
        count += len(events)
    return count


def _lay(events: Sequence[Event], now: datetime) -> None:
    concerned = _concerned(events)
    logs = _locked_logs({platform_id for pairs in concerned.values() for platform_id, _ in pairs})
    rows: list[Delivery] = []
    for event in events:
        for platform_id, consent_id in concerned[event.id]:
            log = logs.get(platform_id)
            if log is None:  # the platform is gone, and with it whoever could be told
                continue
            log.last_sequence += 1
            rows.append(
                Delivery(
                    platform_id=platform_id,
                    sequence=log.last_sequence,
                    event=event,
                    consent_id=consent_id,
                    created_at=now,
                )
            )
    Delivery.objects.bulk_create(rows)
    EventLog.objects.bulk_update(logs.values(), ["last_sequence"])


def _concerned(events: Sequence[Event]) -> dict[UUID, list[tuple[UUID, UUID]]]:
    """By event: (platform, consent) of whom it may concern. A consent's own events, or all that share a connection."""
    shared = _sharing({event.connection_id for event in events if event.connection_id is not None})
    found: dict[UUID, list[tuple[UUID, UUID]]] = {}
    for event in events:
        if event.platform_id is not None and event.consent_id is not None:
            found[event.id] = [(event.platform_id, event.consent_id)]
        elif event.connection_id is not None and event.user_id is not None:
            found[event.id] = shared.get((event.connection_id, event.user_id), [])
        else:
            found[event.id] = []
    return found


def _sharing(connection_ids: Collection[UUID]) -> Mapping[tuple[UUID, UUID], list[tuple[UUID, UUID]]]:
    """By (connection, user): the live consents that reach one of its accounts. The user twice over is on purpose: a
    consent is told of its own user's connections, whatever stands in a row."""
    if not connection_ids:
        return {}
    rows = (
        ConsentAccount.objects.filter(
            connection_id__in=connection_ids,
            status=ConsentAccountStatus.ACTIVE,
            consent__status__in=LIVE_CONSENTS,
        )
        .order_by("consent_id")
        .values_list("connection_id", "consent__user_id", "consent__platform_id", "consent_id")
        .distinct()
    )
    shared: dict[tuple[UUID, UUID], list[tuple[UUID, UUID]]] = defaultdict(list)
    for connection_id, user_id, platform_id, consent_id in rows:
        shared[connection_id, user_id].append((platform_id, consent_id))
    return shared


def _locked_logs(platform_ids: Collection[UUID]) -> dict[UUID, EventLog]:
    """Each platform's row under its lock, taken in the order of ids; made when it is needed first."""
    if not platform_ids:
        return {}
    held = EventLog.objects.select_for_update(no_key=True).filter(platform_id__in=platform_ids).order_by("platform_id")
    logs = {log.platform_id: log for log in held}
    if len(logs) < len(platform_ids):
        known = Platform.objects.filter(id__in=platform_ids - logs.keys()).values_list("id", flat=True)
        EventLog.objects.bulk_create((EventLog(platform_id=one) for one in sorted(known)), ignore_conflicts=True)
        logs = {log.platform_id: log for log in held.all()}
    return logs


def begin_anew() -> int:
    """Give everything that is laid, and all that is to come, numbers that were never given out; how many logs.

    For a database that came back from a backup, where other events had the next numbers: from any place in a log of
    before, `page` raises EventsGone, and what it leads to is all that is kept.
    """
    with transaction.atomic():
        logs = _locked_logs(set(Platform.objects.values_list("id", flat=True)))
        Delivery.objects.filter(platform_id__in=logs).update(sequence=F("sequence") + _LEAP)
        for log in logs.values():
            log.last_sequence += _LEAP
        EventLog.objects.bulk_update(logs.values(), ["last_sequence"])
    return len(logs)


# -- reading -----------------------------------------------------------------------------------------------------------


def page(platform_id: UUID, *, after: int | None, limit: int) -> LogPage:
    """The next deliveries after number `after`; None: after the last acknowledged.

    Raises EventsGone when something after it is not kept any more, or when it is ahead of all there is (a database that
    was restored from a backup).
    """
    log = EventLog.objects.filter(platform_id=platform_id).first() or EventLog(platform_id=platform_id)
    since = log.acknowledged_sequence if after is None else after
    # In this order: what a sweep takes in between is then said to be gone, and never passed over in silence.
    found = list(_after(platform_id, since).select_related("event")[: limit + 1])
    kept_after = _kept_after(platform_id, log.last_sequence)
    if since < kept_after or since > log.last_sequence:
        raise EventsGone(min(kept_after, log.last_sequence))
    told = _unbroken(found, since)[:limit]
    if found and not told:
        raise EventsGone(found[0].sequence - 1)
    return LogPage(told, told[-1].sequence if told else since, len(found) > len(told))


def _after(platform_id: UUID, sequence: int) -> QuerySet[Delivery]:
    return Delivery.objects.filter(platform_id=platform_id, sequence__gt=sequence).order_by("sequence")


def _unbroken(found: Sequence[Delivery], since: int) -> Sequence[Delivery]:
    """Those up to the first hole. They go by age, which two clocks, or two sweeps at once, may have other than their
    numbers: what comes after a hole is told when it has been said that something is gone."""
    return [one for number, one in enumerate(found, since + 1) if one.sequence == number]


def _kept_after(platform_id: UUID, last_sequence: int) -> int:
    """The number before the oldest that is kept."""
    oldest: int | None = Delivery.objects.filter(platform_id=platform_id).aggregate(oldest=Min("sequence"))["oldest"]
    return last_sequence if oldest is None else oldest - 1


def acknowledge(platform_id: UUID, *, through: int, now: datetime) -> int:
    """The platform has dealt with everything up to number `through`; how far it has now. It only ever moves forward.

    Revocations among it that were told are acknowledged with it. Raises EventsGone (ahead of all there is).
    """
    with transaction.atomic():
        log = EventLog.objects.select_for_update(no_key=True).filter(platform_id=platform_id).first()
        reached = 0 if log is None else log.last_sequence
        if through > reached:
            raise EventsGone(reached)
        if log is None or through <= log.acknowledged_sequence:
            return 0 if log is None else log.acknowledged_sequence
        passed = Delivery.objects.filter(
            platform_id=platform_id,
            sequence__gt=log.acknowledged_sequence,
            sequence__lte=through,
            event__type=EventType.CONSENT_REVOKED,
        )
        revocations.acknowledged(passed.values_list("consent_id", flat=True), now=now)
        EventLog.objects.filter(platform_id=platform_id).update(acknowledged_sequence=through, acknowledged_at=now)
        return through


# -- forgetting --------------------------------------------------------------------------------------------------------


def forget(*, now: datetime) -> int:
    """Delete deliveries older than KEPT_FOR, and events of that age that were laid and are in no log; how many."""
    edge = now - KEPT_FOR
    removed = _removed(Delivery.objects.filter(created_at__lte=edge))
    laid = Event.objects.filter(occurred_at__lte=edge, spread_at__isnull=False)
    return removed + _removed(laid.exclude(Exists(Delivery.objects.filter(event_id=OuterRef("id")))))


def _removed(due: QuerySet[Delivery] | QuerySet[Event]) -> int:
    """Batch by batch, the oldest numbers first; what somebody holds is left for the next round."""
    count = 0
    oldest = ("created_at", "sequence") if due.model is Delivery else ("occurred_at", "id")
    while True:
        with transaction.atomic():
            rows = due.select_for_update(skip_locked=True, of=("self",)).order_by(*oldest)
            batch = list(rows.values_list("id", flat=True)[:BATCH])
            due.model.objects.filter(id__in=batch).delete()
        count += len(batch)
        if len(batch) < BATCH:
            return count
