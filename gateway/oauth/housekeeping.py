"""What has run out is removed. Nothing waits for it: every reader compares with the clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from consents.models import AccessToken, Grant, PlatformToken, RefreshToken
from gateway.oauth.models import AuthorizationRequest, RequestCount

#: A used code is recognised this long when nothing it minted is left, and a request is remembered this long.
KEPT = timedelta(hours=24)
#: A count whose window began this long ago is nobody's any more.
COUNTED = timedelta(hours=1)
BATCH = 500


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Rows removed, by table."""

    access_tokens: int
    grants: int
    authorization_requests: int
    platform_tokens: int = 0
    request_counts: int = 0


def forget_expired(now: datetime) -> Forgotten:
    """Expired access and platform tokens, codes 24 hours after they ran out, requests 24 hours after they came,
    counts of requests an hour after their window began.

    A code with a refresh token stays as long as that: it is what ties the grant's tokens together (RFC 7009), and what
    recognises a replay. Refresh tokens end with their consent, never by age.
    """
    idle_grants = (
        Grant.objects.filter(expires__lte=now - KEPT)
        .exclude(Exists(RefreshToken.objects.filter(grant=OuterRef("pk"))))
        .exclude(Exists(AccessToken.objects.filter(grant=OuterRef("pk"))))
    )
    return Forgotten(
        access_tokens=_removed(AccessToken.objects.filter(expires__lte=now)),
        grants=_removed(idle_grants),
        authorization_requests=_removed(AuthorizationRequest.objects.filter(created_at__lte=now - KEPT)),
        request_counts=_removed(RequestCount.objects.filter(window_at__lte=now - COUNTED)),
        platform_tokens=_removed(PlatformToken.objects.filter(expires_at__lte=now)),
    )


def _removed(due: QuerySet[Any]) -> int:
    """Batch by batch. Rows that someone holds are left for the next round: waiting for them, in an order of our own,
    could deadlock with whoever ends their consent.
    """
    count = 0
    while True:
        with transaction.atomic():
            rows = due.select_for_update(skip_locked=True, of=("self",)).order_by("pk")
            batch = list(rows.values_list("pk", flat=True)[:BATCH])
            due.model.objects.filter(pk__in=batch).delete()
        count += len(batch)
        if len(batch) < BATCH:
            return count
