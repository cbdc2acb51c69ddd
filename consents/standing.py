"""A consent's status as of now, by the clock, whatever the sweep has written down so far: of a row, and as a query."""

from datetime import datetime

from django.db.models import F, Q

from consents.models import Consent
from consents.scopes import DurationType
from consents.states import ONE_TIME_WINDOW, ConsentStatus, sources_of

_RUNNING = sources_of(ConsentStatus.EXPIRED)
#: What was given for one use was used when its first read moved its end forward (lifecycle.begin_use).
_USED = Q(
    status=ConsentStatus.AUTHORISED,
    duration_type=DurationType.ONE_TIME,
    expires_at__lt=F("authorised_at") + ONE_TIME_WINDOW,
)


def status_of(consent: Consent, now: datetime) -> ConsentStatus:
    """EXPIRED from its last instant on; CONSUMED when it was for one use and was used."""
    status = ConsentStatus(consent.status)
    if status not in _RUNNING or not consent.is_expired(now):
        return status
    return ConsentStatus.CONSUMED if is_used(consent) else ConsentStatus.EXPIRED


def is_used(consent: Consent) -> bool:
    """For one use, and used. Read in its last hour alone, it ran out as it would have unread, and is not."""
    if consent.status != ConsentStatus.AUTHORISED or consent.authorised_at is None:
        return False
    is_one_time = consent.duration_type == DurationType.ONE_TIME
    return is_one_time and consent.expires_at < consent.authorised_at + ONE_TIME_WINDOW


def having(status: ConsentStatus, now: datetime) -> Q:
    """Consents of which `status_of` says `status`."""
    over = Q(status__in=_RUNNING, expires_at__lte=now)
    if status == ConsentStatus.EXPIRED:
        return Q(status=status) | (over & ~_USED)
    if status == ConsentStatus.CONSUMED:
        return Q(status=status) | (over & _USED)
    return Q(status=status) & ~over
