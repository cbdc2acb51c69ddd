"""What a withdrawn platform leaves behind: its consents end one by one, after its tokens are gone.

Nothing is served meanwhile: consents.policy denies by the platform's status. Safe to run twice, at once, and
again after it broke off: each consent is a transaction of its own, and what is left is looked up anew.
"""

from datetime import datetime

from django.db.models import QuerySet

from consents import lifecycle
from consents.audit import Actor
from consents.errors import TransitionRefused
from consents.models import Consent
from consents.states import LIVE_CONSENTS, WITHDRAWN_PLATFORMS, ConsentStatus, Initiator, PlatformStatus

BATCH = 500
REASON = "platform_withdrawn"


def sweep(*, now: datetime) -> int:
    """End every consent of withdrawn platforms, turn down their open questions; how many.

    What the clock ended already is left to the clock.
    """
    done, after = 0, None
    while batch := list(_left(now, after)[:BATCH]):
        done += sum(_end(consent, now) for consent in batch)
        after = batch[-1].id
    return done


def _left(now: datetime, after: object) -> QuerySet[Consent]:
    unfinished = (*LIVE_CONSENTS, ConsentStatus.AWAITING_AUTHORISATION)
    rows = Consent.objects.filter(
        platform__status__in=WITHDRAWN_PLATFORMS, status__in=unfinished, expires_at__gt=now
    ).select_related("platform")
    return (rows if after is None else rows.filter(id__gt=after)).order_by("id")


def _end(consent: Consent, now: datetime) -> bool:
    # A platform that gave up its place did so itself; whoever removed it afterwards, its consents ended then.
    surrendered = consent.platform.status == PlatformStatus.SURRENDERED
    actor = Actor(initiator=Initiator.PLATFORM if surrendered else Initiator.OPERATOR)
    try:
        if consent.status == ConsentStatus.AWAITING_AUTHORISATION:
            lifecycle.reject(consent_id=consent.id, user_id=consent.user_id, reason=REASON, actor=actor, now=now)
        else:
            lifecycle.revoke(consent_id=consent.id, reason=REASON, actor=actor, now=now)
    except TransitionRefused:
        return False  # another hand was faster: it has ended all the same
    return True
