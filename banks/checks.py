"""Does the bank's consent still stand? Asked where no sync asks it: under paused consents, and while a login is lost.

A customer who ends access at the bank is believed within 6 hours, although nothing is fetched for anybody. It is no
access to the customer's data and costs no quota: the bank is asked with a token of our own.
"""

import logging
import time
from datetime import datetime, timedelta
from uuid import UUID

from django.core.cache import cache
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from banks import outcomes, standing
from banks.errors import BankConsentEnded, BankError, StaleLease
from banks.models import BreakerStatus, Connection, InstitutionGate
from consents.models import ConsentAccount
from consents.states import LIVE_CONSENTS, ConnectionStatus

log = logging.getLogger(__name__)

#: Older than this the bank's word is asked for again; with the sweep's own minutes and one failed attempt it stays
#: well below 6 hours.
DUE_AFTER = timedelta(hours=5)
#: A bank that did not answer is not asked again before, by however many workers.
AGAIN_AFTER = timedelta(minutes=15)
BATCH = 100
SECONDS = 30.0

_ASKED = (
    ConnectionStatus.ACTIVE,
    ConnectionStatus.DEGRADED,
    ConnectionStatus.RATE_LIMITED,
    ConnectionStatus.EXPIRING,
    ConnectionStatus.REAUTH_REQUIRED,
)


def due(*, now: datetime, batch: int = BATCH) -> list[UUID]:
    """Connections of live consents, paused ones too, whose bank has not been asked for long; those of a bank that is
    left alone wait. Each is handed out to one caller only."""
    live = ConsentAccount.objects.filter(
        connection_id=OuterRef("id"), consent__status__in=LIVE_CONSENTS, consent__expires_at__gt=now
    )
    paused = InstitutionGate.objects.exclude(breaker=BreakerStatus.CLOSED).filter(
        institution_id=OuterRef("institution_id")
    )
    found = Connection.objects.filter(
        Q(checked_at=None) | Q(checked_at__lt=now - DUE_AFTER), ~Exists(paused), Exists(live), status__in=_ASKED
    )
    ids = found.order_by("checked_at", "id").values_list("id", flat=True)[:batch]
    return [one for one in ids if cache.add(f"banks.checks:{one}", True, timeout=AGAIN_AFTER.total_seconds())]


def check(connection_id: UUID, *, now: datetime) -> None:
    """Ask, and record what it means. A bank that cannot be asked now changes nothing. Never raises BankError."""
    connection = Connection.objects.select_related("institution").filter(id=connection_id, status__in=_ASKED).first()
    if connection is None:
        return
    deadline = time.monotonic() + SECONDS
    try:
        standing.check_consent(connection, now=now, deadline_monotonic=lambda: deadline, on_exchange=None)
    except BankConsentEnded as ended:
        _ended(connection, ended, now)
    except BankError as error:
        log.warning("consent not checked", extra={"connection_id": connection_id, "code": error.code})
    except StaleLease:
        log.info("linked anew meanwhile", extra={"connection_id": connection_id})


def _ended(seen: Connection, ended: BankConsentEnded, now: datetime) -> None:
    with transaction.atomic():
        connection = Connection.objects.select_for_update(no_key=True).get(id=seen.id)
        # What was asked for is what ended: a link made meanwhile is another one.
        if connection.bank_consent_id == seen.bank_consent_id:
            outcomes.mark(connection, ended, now)
