"""Asking for work: one live job per connection, whoever asks and however often."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from uuid import UUID, uuid4

from banks.compiled import SLOTS, CompiledInsert
from banks.models import LIVE_JOBS, Connection, SyncJob, SyncJobStatus, SyncTrigger
from consents.scopes import Presence

#: Every other trigger runs unattended.
PRESENCE_OF = {SyncTrigger.USER_PRESENT: Presence.PRESENT, SyncTrigger.USER_ATTESTED: Presence.ATTESTED}
#: For these the last attempt's answers are new enough.
_NOBODY_ASKED = (SyncTrigger.SCHEDULE, SyncTrigger.BACKFILL)


def enqueue(
    connection_id: UUID,
    *,
    trigger: SyncTrigger,
    now: datetime,
    institution_id: UUID | None = None,
    customer_ip_address: str | None = None,
) -> UUID:
    """One live job per connection: a second request joins the one there is. The caller holds the connection's lock, or
    has just ended its live job. `institution_id`: the connection's, where the caller has it at hand.

    A job that runs already was planned before this request: it is followed at once by a round of its own, because
    `leases.finish` looks at `requested_again`. One that waits is brought forward by a user who is there, never ahead of
    what the bank itself asked for. Whatever an earlier attempt of it brought is older than this request, and is fetched
    once more: it is wanted from now on.
    """
    while True:
        live = SyncJob.objects.filter(connection_id=connection_id, status__in=LIVE_JOBS).first()
        if live is None:
            return SyncJob.objects.create(
                connection_id=connection_id,
                institution_id=institution_id or _institution_of(connection_id),
                trigger=trigger,
                customer_ip_address=customer_ip_address,
                next_attempt_at=now,
                created_at=now,
            ).id
        if _joined(live, trigger, customer_ip_address, now):
            return live.id
        # It changed hands between the look and the write: look again, or the request would be lost on it.


def enqueue_scheduled(institutions: Mapping[UUID, UUID], *, now: datetime) -> None:
    """`enqueue` for many connections at once, by the schedule. `institutions`: by connection.

    The caller holds the locks of the connections, so that none of those without a live job gets one meanwhile.
    """
    jobs = SyncJob.objects.filter(connection_id__in=list(institutions), status__in=LIVE_JOBS)
    # By id, as whoever writes several jobs in one transaction (banks.dispatch).
    live = list(jobs.order_by("id").values_list("connection_id", flat=True))
    for connection_id in live:
        enqueue(connection_id, institution_id=institutions[connection_id], trigger=SyncTrigger.SCHEDULE, now=now)
    for connection_id in institutions.keys() - set(live):
        values = {"connection_id": connection_id, "institution_id": institutions[connection_id], "now": now}
        _scheduling().run({**values, "row_id": uuid4()})


@lru_cache(maxsize=1)
def _scheduling() -> CompiledInsert:
    now = SLOTS["now"]
    owner = {"connection_id": SLOTS["connection_id"], "institution_id": SLOTS["institution_id"]}
    return CompiledInsert(
        SyncJob(id=SLOTS["row_id"], trigger=SyncTrigger.SCHEDULE, next_attempt_at=now, created_at=now, **owner)
    )


def enqueue_check(connection_id: UUID, *, now: datetime) -> bool:
    """Have the bank asked whether its consent stands, and nothing else; False where a job is live, which may ask too.

    The caller holds the connection's lock.
    """
    if SyncJob.objects.filter(connection_id=connection_id, status__in=LIVE_JOBS).exists():
        return False
    SyncJob.objects.create(
        connection_id=connection_id,
        institution_id=_institution_of(connection_id),
        trigger=SyncTrigger.SCHEDULE,
        checks_only=True,
        next_attempt_at=now,
        created_at=now,
    )
    return True


def _institution_of(connection_id: UUID) -> UUID:
    return Connection.objects.values_list("institution_id", flat=True).get(id=connection_id)


def _joined(live: SyncJob, trigger: SyncTrigger, customer_ip_address: str | None, now: datetime) -> bool:
    # The presence of the user is not taken back by a schedule that joins.
    strongest = next((t for t in PRESENCE_OF if t in (trigger, live.trigger)), trigger)
    columns: dict[str, object] = {"trigger": strongest, "checks_only": False}
    if trigger not in _NOBODY_ASKED:
        columns["created_at"] = max(now, live.created_at)
    if customer_ip_address is not None:
        columns["customer_ip_address"] = customer_ip_address
    if live.status == SyncJobStatus.LEASED:
        columns["requested_again"] = True
    elif trigger in PRESENCE_OF:
        columns.update(next_attempt_at=max(now, live.not_before_at or now), attempts=0)
    unchanged = SyncJob.objects.filter(id=live.id, status=live.status, epoch=live.epoch)
    return bool(unchanged.update(**columns))
