"""How the end of a consent goes on after its tokens are dead: each step once, with the instant it came true.

Whoever carries a step out marks it here (consents.lifecycle the first three, banks.revoked what is purged and what is
ended at the bank, the event log what the platform was told). Every mark is a conditional update: done twice, or by two
at once, the first instant stays. A consent that ran out by the clock has no row: nobody pulled, its end was announced
beforehand, and the same sweeps clean up after it.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from consents.models import Delivery, Revocation
from consents.states import RevocationStage, UpstreamStage

#: From the request on: a platform that has not confirmed by then that it deleted what it had is overdue.
ACK_WITHIN = timedelta(hours=72)

#: Nothing more will be heard of the bank's own consent.
_UPSTREAM_FINAL = frozenset(UpstreamStage) - {UpstreamStage.UPSTREAM_RETRYING}


def notified(consent_ids: Collection[UUID], *, now: datetime) -> int:
    """PLATFORM_NOTIFIED: their platform has been told of these ends; of how many for the first time."""
    return Revocation.objects.filter(consent_id__in=consent_ids, notified_at=None).update(notified_at=now)


def acknowledged(consent_ids: Collection[UUID] | QuerySet[Delivery, UUID], *, now: datetime) -> int:
    """PLATFORM_ACKED: their platform says that it has dealt with them; of how many for the first time.

    What it was not told, it cannot acknowledge.
    """
    told = Revocation.objects.filter(consent_id__in=consent_ids, acknowledged_at=None).exclude(notified_at=None)
    return told.update(acknowledged_at=now)


def purged(consent_id: UUID, now: datetime) -> bool:
    """Nothing is left here of what only this consent needed. Whether this was the first time."""
    return bool(Revocation.objects.filter(consent_id=consent_id, purged_at=None).update(purged_at=now))


def upstream(consent_id: UUID, stage: UpstreamStage, now: datetime) -> bool:
    """What became of the bank's own consent; the instant is that of the latest change. Whether it changed.

    Only UPSTREAM_RETRYING is followed by anything.
    """
    open_ = Revocation.objects.filter(consent_id=consent_id).exclude(upstream_stage__in=[*_UPSTREAM_FINAL, stage])
    return bool(open_.update(upstream_stage=stage, upstream_at=now))


def stages(revocation: Revocation, now: datetime) -> list[tuple[RevocationStage | UpstreamStage, datetime | None]]:
    """Every stage in the order a reader expects, with its instant; None: not yet. Pure."""
    return [
        (RevocationStage.REQUESTED, revocation.requested_at),
        (RevocationStage.TOKENS_DEAD, revocation.tokens_dead_at),
        (RevocationStage.SERVING_STOPPED, revocation.serving_stopped_at),
        (RevocationStage.PURGED, revocation.purged_at),
        _upstream_stage(revocation),
        (RevocationStage.PLATFORM_NOTIFIED, revocation.notified_at),
        _acknowledgement(revocation, now),
    ]


def _upstream_stage(revocation: Revocation) -> tuple[RevocationStage | UpstreamStage, datetime | None]:
    if not revocation.upstream_stage:
        return RevocationStage.UPSTREAM, None
    return UpstreamStage(revocation.upstream_stage), revocation.upstream_at


def _acknowledgement(revocation: Revocation, now: datetime) -> tuple[RevocationStage, datetime | None]:
    overdue_at = revocation.requested_at + ACK_WITHIN
    if revocation.acknowledged_at is None and overdue_at <= now:
        return RevocationStage.ACK_OVERDUE, overdue_at
    return RevocationStage.PLATFORM_ACKED, revocation.acknowledged_at
