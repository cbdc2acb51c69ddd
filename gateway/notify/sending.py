"""Sends what is to be told: rows claimed by a lease, one at a time, with no transaction open while the server talks.

At least once: a worker that dies after the mail server took the mail and before the row says so leaves it to the next,
who sends it again under the same Message-ID.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db.models import F, Q, QuerySet

from banks.jitter import jittered
from gateway.notify import smtp, writing
from gateway.notify.models import Notice, NoticeKind, NoticeStatus

log = logging.getLogger(__name__)

BATCH = 50
#: Longer than one connection to the mail server may take.
LEASE = timedelta(seconds=2 * smtp.TOTAL_SECONDS)
#: Notices being sent at one moment, over all workers: a mail server that hangs holds no more threads than this.
SENDERS_MAX = 2
#: A server that does not take it is asked again for this long.
PATIENCE = timedelta(days=3)
#: A notice whose holders died so often is not given to another: it may be what killed them.
LEASES_LOST_MAX = 5
_BACKOFF = timedelta(minutes=1)
_BACKOFF_MAX = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Held:
    """A notice held under one epoch."""

    notice: Notice
    epoch: int


def next_attempt_at(notice_id: UUID, attempts: int, created_at: datetime, now: datetime) -> datetime | None:
    """When to try again after `attempts` failed ones, spread by up to a fifth; None: it is given up."""
    if now - created_at >= PATIENCE:
        return None
    wait = min(_BACKOFF * (1 << min(attempts - 1, 10)), _BACKOFF_MAX)
    return now + jittered(wait, notice_id, attempts, percent=20)


def due(*, now: datetime) -> list[UUID]:
    """The oldest first; none while as many as may be are being sent."""
    _give_up_lost(now)
    if Notice.objects.filter(status=NoticeStatus.LEASED, lease_until__gte=now).count() >= SENDERS_MAX:
        return []
    rows = Notice.objects.filter(_waiting(now) | _lost(now)).order_by("next_attempt_at", "id")
    return list(rows.values_list("id", flat=True)[:BATCH])


def claim(notice_id: UUID, *, now: datetime) -> Held | None:
    """Take it, or None: someone else has it, its time has not come, or it is over."""
    own = Notice.objects.filter(id=notice_id)
    columns: dict[str, Any] = {
        "status": NoticeStatus.LEASED,
        "epoch": F("epoch") + 1,
        "attempts": F("attempts") + 1,
        "lease_until": now + LEASE,
    }
    taken = own.filter(_waiting(now)).update(**columns) or own.filter(_lost(now)).update(
        **columns, leases_lost=F("leases_lost") + 1
    )
    if not taken:
        return None
    notice = own.select_related("user").get()
    return Held(notice, notice.epoch)


def _give_up_lost(now: datetime) -> None:
    over = Notice.objects.filter(status=NoticeStatus.LEASED, lease_until__lt=now, leases_lost__gte=LEASES_LOST_MAX)
    for notice_id in list(over.values_list("id", flat=True)[:BATCH]):
        if over.filter(id=notice_id).update(status=NoticeStatus.FAILED, error_code="worker_lost", lease_until=None):
            log.error("notice given up", extra={"notice_id": notice_id, "code": "worker_lost"})


def attempt(held: Held, *, clock: Callable[[], datetime]) -> bool:
    """Send it once and record what came of it; False: the mail server is not to be had, so that others may wait.

    Never raises OSError; a defect is recorded, tried again later, and goes on.
    """
    notice = held.notice
    if not notice.user.is_active and notice.kind != NoticeKind.PROFILE_CLOSED:
        _end(held, NoticeStatus.FAILED, "profile_closed")
        return True
    if reason := _undeliverable(notice.user.email):
        _end(held, NoticeStatus.KEPT, reason)
        return True
    try:
        _mail(notice).send()
    except OSError as error:
        code = smtp.code_of(error)
        _failed(held, code, clock())
        return code == "address_refused"
    except Exception:
        _failed(held, "internal_error", clock())
        raise
    _mine(held).update(status=NoticeStatus.SENT, sent_at=clock(), lease_until=None, error_code="")
    return True


def _undeliverable(address: str) -> str:
    """Why there is nowhere to send anything, or ""."""
    if not smtp.is_configured():
        return "mail_not_configured"
    if not address:
        return "address_missing"
    try:
        validate_email(address)
    except ValidationError:
        return "address_unusable"
    return ""


def _mail(notice: Notice) -> EmailMessage:
    letter = writing.letter(notice)
    return EmailMessage(
        subject=letter.subject,
        body=letter.text,
        from_email=settings.MAIL_FROM,
        to=[notice.user.email],
        # The same for each attempt: who got it twice sees it is one. RFC 3834 keeps out-of-office answers away.
        headers={
            "Message-ID": f"<{notice.id}@{urlsplit(settings.ISSUER).hostname}>",
            "Auto-Submitted": "auto-generated",
        },
    )


def _failed(held: Held, code: str, now: datetime) -> None:
    again_at = next_attempt_at(held.notice.id, held.notice.attempts, held.notice.created_at, now)
    named = {"notice_id": held.notice.id, "notice_kind": held.notice.kind, "code": code}
    if again_at is None:
        log.error("notice given up", extra=named)
        _end(held, NoticeStatus.FAILED, code)
        return
    log.warning("notice not sent", extra=named)
    _mine(held).update(status=NoticeStatus.PENDING, next_attempt_at=again_at, lease_until=None, error_code=code)


def _end(held: Held, status: NoticeStatus, code: str) -> None:
    _mine(held).update(status=status, error_code=code, lease_until=None)


def _waiting(now: datetime) -> Q:
    return Q(status=NoticeStatus.PENDING, next_attempt_at__lte=now)


def _lost(now: datetime) -> Q:
    return Q(status=NoticeStatus.LEASED, lease_until__lt=now, leases_lost__lt=LEASES_LOST_MAX)


def _mine(held: Held) -> QuerySet[Notice]:
    return Notice.objects.filter(id=held.notice.id, epoch=held.epoch, status=NoticeStatus.LEASED)
