"""Who makes which copy: rows claimed by a lease and fenced by an epoch, as all work here.

A worker that dies leaves nothing that anybody is served: its chunks carry its epoch, and the next holder begins anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from banks import vault
from banks.errors import StaleLease
from banks.vault import Unsealable, Vault
from consents import audit
from consents.audit import Actor
from consents.states import Initiator
from gateway.identity.models import User
from gateway.notify import notices
from gateway.notify.models import NoticeKind
from gateway.portal.models import LIVE_EXPORTS, ExportChunk, ExportJob, ExportStatus

#: A copy is there to be fetched this long.
KEPT_FOR = timedelta(hours=24)
CHUNK_BYTES = 256 * 1024
ATTEMPTS_MAX = 5
DISPATCH_BATCH = 50
#: A dispatched row that nobody claimed in this time is dispatched again: its message was lost.
REDISPATCH_AFTER = timedelta(seconds=60)
_BACKOFF = timedelta(seconds=30)

_SYSTEM = Actor(initiator=Initiator.SYSTEM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A job held under one epoch."""

    job_id: UUID
    user: User
    vault: Vault
    epoch: int
    attempts: int


# -- the person's side -------------------------------------------------------------------------------------------------


def request(user: User, *, actor: Actor, now: datetime) -> ExportJob:
    """A job for this person; while one is live, that one. A copy that is ready stays until the new one is."""
    row = ExportJob(user=user, next_attempt_at=now, created_at=now)
    row.wrapped_key = vault.wrap_new_key(row.id)
    with transaction.atomic():
        ExportJob.objects.bulk_create([row], ignore_conflicts=True)
        made = ExportJob.objects.filter(id=row.id).first()
        if made is not None:
            _record("download.requested", made, actor, now)
            return made
    live = ExportJob.objects.filter(user=user, status__in=LIVE_EXPORTS).first()
    # It ended between the two looks: then the next request makes a new one.
    return live or request(user, actor=actor, now=now)


def live(user_id: UUID) -> ExportJob | None:
    return ExportJob.objects.filter(user_id=user_id, status__in=LIVE_EXPORTS).first()


def newest_ended(user_id: UUID, *, now: datetime) -> ExportJob | None:
    """READY or FAILED, and by the clock not yet gone."""
    ended = ExportJob.objects.filter(
        user_id=user_id, status__in=(ExportStatus.READY, ExportStatus.FAILED), expires_at__gt=now
    )
    return ended.order_by("-created_at").first()


def ready(user_id: UUID, *, now: datetime, job_id: UUID | None = None) -> ExportJob | None:
    """The copy that may be fetched now, or the one named; None: there is none, or it is somebody else's."""
    found = ExportJob.objects.filter(user_id=user_id, status=ExportStatus.READY, expires_at__gt=now)
    return (found if job_id is None else found.filter(id=job_id)).order_by("-created_at").first()


def content(job: ExportJob) -> Iterator[bytes]:
    """The file, piece by piece. Raises Unsealable when a piece is missing, altered or out of its place."""
    opened = Vault.of(job.id, job.wrapped_key)
    for number in range(job.chunks):
        held = ExportChunk.objects.filter(job_id=job.id, epoch=job.epoch, number=number)
        sealed = held.values_list("sealed", flat=True).first()
        if sealed is None:
            raise Unsealable("chunk")
        yield opened.open(_place(job.epoch, number), sealed)


def fetched(job: ExportJob, *, actor: Actor, now: datetime) -> None:
    """Before the first byte leaves: the trail says that this copy was handed out."""
    _record("download.fetched", job, actor, now)


# -- the worker's side -------------------------------------------------------------------------------------------------


def dispatchable(*, now: datetime) -> list[UUID]:
    """Jobs whose time has come, or whose holder is gone; each is marked, so that the next look passes over it."""
    due = ExportJob.objects.filter(_claimable(now)).filter(
        Q(dispatched_at=None) | Q(dispatched_at__lt=now - REDISPATCH_AFTER)
    )
    found = list(due.order_by("next_attempt_at", "id").values_list("id", flat=True)[:DISPATCH_BATCH])
    return [job_id for job_id in found if due.filter(id=job_id).update(dispatched_at=now)]


def claim(job_id: UUID, *, now: datetime) -> Held | None:
    """Take it, or None: someone else has it, its time has not come, it is over, or the person's profile is closed."""
    with transaction.atomic():
        own = ExportJob.objects.filter(id=job_id).filter(_claimable(now))
        lost = own.filter(status=ExportStatus.LEASED, attempts__gte=ATTEMPTS_MAX)
        if lost.update(**_ending("worker_lost", now)):
            return None
        if own.filter(user__is_active=False).update(**_ending("profile_closed", now)):
            return None
        if not own.update(
            status=ExportStatus.LEASED,
            stage="",
            epoch=F("epoch") + 1,
            attempts=F("attempts") + 1,
            lease_until=now + _lease(),
            dispatched_at=None,
            error_code="",
        ):
            return None
        job = ExportJob.objects.select_related("user").get(id=job_id)
        # What an earlier holder left: nobody will read it.
        ExportChunk.objects.filter(job_id=job_id).delete()
    return Held(
        job_id=job.id,
        user=job.user,
        vault=Vault.of(job.id, job.wrapped_key),
        epoch=job.epoch,
        attempts=job.attempts,
    )


def go_on(held: Held, stage: str, *, now: datetime) -> None:
    """A whole lease from now on, and what is being done. Raises StaleLease: also when the profile was closed."""
    if not _mine(held).update(stage=stage, lease_until=now + _lease()):
        raise StaleLease(held.job_id)


def add_chunk(held: Held, number: int, plain: bytes, *, now: datetime) -> None:
    """Raises StaleLease."""
    with transaction.atomic():
        go_on(held, "packing", now=now)
        sealed = held.vault.seal(_place(held.epoch, number), plain)
        ExportChunk.objects.create(job_id=held.job_id, epoch=held.epoch, number=number, sealed=sealed)


def finish(held: Held, *, chunks: int, size_bytes: int, now: datetime) -> None:
    """It can be fetched from now on; only now does an earlier copy go. Raises StaleLease."""
    expires_at = now + KEPT_FOR
    with transaction.atomic():
        if not _mine(held).update(
            status=ExportStatus.READY,
            stage="",
            lease_until=None,
            chunks=chunks,
            size_bytes=size_bytes,
            finished_at=now,
            expires_at=expires_at,
        ):
            raise StaleLease(held.job_id)
        earlier = ExportJob.objects.filter(user=held.user).exclude(id=held.job_id).exclude(status__in=LIVE_EXPORTS)
        _delete(earlier)
        _record("download.ready", ExportJob.objects.get(id=held.job_id), _SYSTEM, now)
        notices.tell(
            NoticeKind.DOWNLOAD_READY,
            user_id=held.user.id,
            occasion=f"download.ready:{held.job_id}",
            details={"ends_at": expires_at.isoformat()},
            now=now,
        )


def fail(held: Held, code: str, *, now: datetime) -> None:
    """Again a little later; after ATTEMPTS_MAX it is FAILED. Whoever lost the job meanwhile writes nothing."""
    with transaction.atomic():
        if held.attempts >= ATTEMPTS_MAX:
            _mine(held).update(**_ending(code, now))
        else:
            _mine(held).update(
                status=ExportStatus.RETRY_WAIT,
                stage="",
                lease_until=None,
                dispatched_at=None,
                next_attempt_at=now + _BACKOFF * (1 << (held.attempts - 1)),
                error_code=code,
            )
        ExportChunk.objects.filter(job_id=held.job_id, epoch=held.epoch).delete()


def sweep(*, now: datetime) -> int:
    """Delete what has run out, and every copy of a profile that was closed; how many."""
    over = ExportJob.objects.filter(Q(expires_at__lte=now) | Q(user__is_active=False))
    return _delete(over)


def _delete(jobs: QuerySet[ExportJob]) -> int:
    """Bytes first, without loading them."""
    ids = list(jobs.order_by("id").values_list("id", flat=True)[:DISPATCH_BATCH])
    with transaction.atomic():
        ExportChunk.objects.filter(job_id__in=ids).delete()
        ExportJob.objects.filter(id__in=ids).delete()
    return len(ids)


def _place(epoch: int, number: int) -> str:
    """What a piece is sealed to: one of another claim, or out of order, does not open."""
    return f"export:{epoch}:{number}"


def _lease() -> timedelta:
    return timedelta(seconds=settings.JOB_LEASE_SECONDS)


def _ending(code: str, now: datetime) -> dict[str, object]:
    return {
        "status": ExportStatus.FAILED,
        "stage": "",
        "error_code": code,
        "lease_until": None,
        "finished_at": now,
        "expires_at": now + KEPT_FOR,
    }


def _claimable(now: datetime) -> Q:
    waiting = Q(status__in=(ExportStatus.QUEUED, ExportStatus.RETRY_WAIT), next_attempt_at__lte=now)
    return waiting | Q(status=ExportStatus.LEASED, lease_until__lt=now)


def _mine(held: Held) -> QuerySet[ExportJob]:
    own = ExportJob.objects.filter(id=held.job_id, epoch=held.epoch, status=ExportStatus.LEASED)
    return own.filter(user__is_active=True)


def _record(action: str, job: ExportJob, actor: Actor, now: datetime) -> None:
    audit.record(
        action,
        actor=actor,
        now=now,
        user_pseudonym=job.user.pseudonym,
        to_status=job.status,
        details={"job_id": str(job.id)},
    )
