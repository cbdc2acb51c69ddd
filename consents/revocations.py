"""How the end of a consent went on after it ended: each step with its instant, written once."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from consents.models import Delivery, Revocation


def notified(consent_ids: Collection[UUID], *, now: datetime) -> int:
    """PLATFORM_NOTIFIED: their platform has been told of these ends; of how many for the first time."""
    return Revocation.objects.filter(consent_id__in=consent_ids, notified_at=None).update(notified_at=now)


def acknowledged(consent_ids: Collection[UUID] | QuerySet[Delivery, UUID], *, now: datetime) -> int:
    """PLATFORM_ACKED: their platform says that it has dealt with them; of how many for the first time.

    What it was not told, it cannot acknowledge.
    """
    told = Revocation.objects.filter(consent_id__in=consent_ids, acknowledged_at=None).exclude(notified_at=None)
    return told.update(acknowledged_at=now)
