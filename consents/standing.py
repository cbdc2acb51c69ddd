"""A consent's status as of now, by the clock, whatever the sweep has written down so far: of a row, and as a query."""

from datetime import datetime

from django.db.models import Q

from consents.models import Consent
from consents.scopes import DurationType
from consents.states import ConsentStatus, sources_of

_RUNNING = sources_of(ConsentStatus.EXPIRED)
_USED = Q(status=ConsentStatus.AUTHORISED, duration_type=DurationType.ONE_TIME)


def status_of(consent: Consent, now: datetime) -> ConsentStatus:
    """EXPIRED from its last instant on; CONSUMED when it was for one use."""
    status = ConsentStatus(consent.status)
    if status not in _RUNNING or not consent.is_expired(now):
        return status
    used = status == ConsentStatus.AUTHORISED and consent.duration_type == DurationType.ONE_TIME
    return ConsentStatus.CONSUMED if used else ConsentStatus.EXPIRED


def having(status: ConsentStatus, now: datetime) -> Q:
    """Consents of which `status_of` says `status`."""
    over = Q(status__in=_RUNNING, expires_at__lte=now)
    if status == ConsentStatus.EXPIRED:
        return Q(status=status) | (over & ~_USED)
    if status == ConsentStatus.CONSUMED:
        return Q(status=status) | (over & _USED)
    return Q(status=status) & ~over
