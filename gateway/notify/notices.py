"""Makes notices: for events, once each, and for what no event brings. Forgets old ones."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Max, Q, QuerySet

from banks import renewal
from banks.errors import ConnectionNotFound
from consents.events import EventType
from consents.models import Consent, ConsentAccount, Event
from consents.states import LIVE_CONSENTS, ConsentAccountStatus, Initiator
from gateway.notify.models import Notice, NoticeKind, NoticeStatus

log = logging.getLogger(__name__)

BATCH = 200
#: What happened longer ago than this is kept on the page, but no mail tells it as if it were new.
NEWS = timedelta(days=3)
#: An event that still cannot be told after this long never will be; it stops being tried.
GIVEN_UP_AFTER = timedelta(days=1)
#: As long as the reads that notices speak of.
KEPT_FOR = timedelta(days=400)

_CONSENT_EVENTS = frozenset(
    {
        EventType.CONSENT_GRANTED,
        EventType.CONSENT_EXPIRING,
        EventType.CONSENT_SUSPENDED,
        EventType.CONSENT_RESUMED,
        EventType.CONSENT_REVOKED,
        EventType.CONSENT_EXPIRED,
        EventType.CONSENT_NARROWED,
        EventType.CONSENT_PAUSED,
    }
)
#: The user's own hand did it a moment ago, on a page that said so.
_NOT_OF_ONES_OWN = frozenset({EventType.CONSENT_NARROWED, EventType.CONSENT_PAUSED})
_TOLD = _CONSENT_EVENTS | {EventType.CONNECTION_LINKED, EventType.CONNECTION_NEEDS_RENEWAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A notice before it is known for whom."""

    kind: NoticeKind
    occasion: str
    occurred_at: datetime
    consent_id: UUID | None = None
    institution_id: UUID | None = None
    details: dict[str, Any] = field(default_factory=dict)


# -- from events -------------------------------------------------------------------------------------------------------


def collect(*, now: datetime) -> int:
    """Claim a batch of events and make their notices; how many events were claimed.

    The claim and the notice are one transaction, so that a crash leaves both or none; of two at once one claims. Where
    a whole batch cannot be told, the next one is looked at: what fails holds up nothing.
    """
    waiting = Event.objects.filter(noticed_at=None).order_by("occurred_at", "id")
    while batch := list(waiting[:BATCH]):
        if claimed := _claim(batch, now):
            return claimed
        last = batch[-1]
        waiting = waiting.filter(Q(occurred_at__gt=last.occurred_at) | Q(occurred_at=last.occurred_at, id__gt=last.id))
    return 0


def _claim(batch: list[Event], now: datetime) -> int:
    silent = [event.id for event in batch if event.user_id is None or event.type not in _TOLD]
    claimed = _pass_over(silent, now)
    for event in batch:
        if event.id not in silent:
            claimed += _tell(event, now)
    return claimed


def _pass_over(event_ids: list[UUID], now: datetime) -> int:
    """Most events tell nobody anything: they are claimed together, locked in one order."""
    with transaction.atomic():
        rows = Event.objects.select_for_update(skip_locked=True).filter(id__in=event_ids, noticed_at=None)
        held = list(rows.order_by("occurred_at", "id").values_list("id", flat=True))
        return Event.objects.filter(id__in=held, noticed_at=None).update(noticed_at=now)


def _tell(event: Event, now: datetime) -> int:
    try:
        with transaction.atomic():
            if not Event.objects.filter(id=event.id, noticed_at=None).update(noticed_at=now):
                return 0
            _make_for(event, now)
    except Exception:  # this one stays unclaimed and is tried again; the others must not wait for it
        log.exception("no notice of an event", extra={"event_id": event.id, "event_type": event.type})
        return _give_up(event, now) if event.occurred_at <= now - GIVEN_UP_AFTER else 0
    return 1


def _give_up(event: Event, now: datetime) -> int:
    log.error("an event is told to nobody", extra={"event_id": event.id, "event_type": event.type})
    return Event.objects.filter(id=event.id, noticed_at=None).update(noticed_at=now)


def _make_for(event: Event, now: datetime) -> None:
    assert event.user_id is not None
    is_active = get_user_model().objects.filter(id=event.user_id).values_list("is_active", flat=True).first()
    if is_active is None:
        return  # erased: there is nobody to tell
    draft = _of_consent(event) if event.type in _CONSENT_EVENTS else _of_connection(event, now)
    if draft is not None and not is_active:
        closed_at = _closed_at(event.user_id, event)
        draft = _Draft(kind=NoticeKind.PROFILE_CLOSED, occasion="profile.closed", occurred_at=closed_at)
    if draft is not None:
        _store(event.user_id, draft, now)


def _closed_at(user_id: UUID, event: Event) -> datetime:
    """With the last of what was shared, which closing ends: the event may be an earlier one, not looked at before."""
    ended = Consent.objects.filter(user_id=user_id).aggregate(last=Max("ended_at"))["last"]
    return event.occurred_at if ended is None else max(ended, event.occurred_at)


def _of_consent(event: Event) -> _Draft | None:
    initiator = event.details.get("initiator")
    if event.type in _NOT_OF_ONES_OWN and initiator == Initiator.USER:
        return None
    assert event.consent_id is not None and event.user_id is not None
    consent = Consent.objects.filter(id=event.consent_id, user_id=event.user_id).first()
    # One that was never granted expires unanswered: nothing was shared, and nothing ends.
    if consent is None or consent.authorised_at is None:
        return None
    if event.type == EventType.CONSENT_EXPIRING and (
        consent.status not in LIVE_CONSENTS or consent.authorised_at > event.occurred_at
    ):
        return None  # it ended, or was gone on with, since: that is told, and its end is another one
    named = event.details.get("institution_id")
    return _Draft(
        kind=NoticeKind(event.type),
        occasion=f"event:{event.id}",
        occurred_at=event.occurred_at,
        consent_id=consent.id,
        institution_id=UUID(str(named)) if named else None,
        details={**event.details, "terms": terms_of(consent)},
    )


def _of_connection(event: Event, now: datetime) -> _Draft | None:
    assert event.user_id is not None and event.connection_id is not None
    try:
        card = renewal.own_connection(event.user_id, event.connection_id, now=now)
    except ConnectionNotFound:
        return None  # it ended meanwhile, and that was told
    days = event.details.get("days")
    if days is not None and card.ends_at is not None and card.ends_at > event.occurred_at + timedelta(days=days):
        return None  # it was renewed since
    return _Draft(
        kind=NoticeKind(event.type),
        occasion=f"event:{event.id}",
        occurred_at=event.occurred_at,
        institution_id=card.institution_id,
        details={**event.details, "connection_id": str(card.id), "ends_at": _iso(card.ends_at)},
    )


def terms_of(consent: Consent) -> dict[str, Any]:
    """The terms as they are now, in codes: a notice tells them even after they changed again."""
    rows = ConsentAccount.objects.filter(consent=consent).exclude(status=ConsentAccountStatus.REVOKED)
    return {
        "scopes": list(consent.scopes),
        "purposes": list(consent.purposes),
        "history_from": consent.history_from.isoformat() if consent.history_from else None,
        "location_precision": consent.location_precision,
        "on_platform_only": consent.on_platform_only,
        "hidden_groups": list(consent.hidden_groups),
        "duration_type": consent.duration_type,
        "granted_at": _iso(consent.authorised_at),
        "expires_at": _iso(consent.expires_at),
        "institution_ids": sorted({str(row.institution_id) for row in rows}),
        "accounts": len(rows),
        "disclosure_version": consent.disclosure_version,
        "disclosure_sha256": consent.disclosure_sha256,
    }


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


# -- from elsewhere ----------------------------------------------------------------------------------------------------


def tell(
    kind: NoticeKind,
    *,
    user_id: UUID,
    occasion: str,
    now: datetime,
    consent_id: UUID | None = None,
    details: dict[str, Any] | None = None,
    occurred_at: datetime | None = None,
) -> bool:
    """In the transaction that makes it true; False: it was told before. `details`: codes, ids, days and numbers."""
    draft = _Draft(
        kind=kind,
        occasion=occasion,
        occurred_at=occurred_at or now,
        consent_id=consent_id,
        details=details or {},
    )
    return _store(user_id, draft, now)


def _store(user_id: UUID, draft: _Draft, now: datetime) -> bool:
    is_news = now - draft.occurred_at < NEWS
    before = Notice.objects.filter(user_id=user_id, occasion=draft.occasion)
    if before.exists():
        return False
    row = Notice(
        user_id=user_id,
        kind=draft.kind,
        occasion=draft.occasion,
        consent_id=draft.consent_id,
        institution_id=draft.institution_id,
        details=draft.details,
        occurred_at=draft.occurred_at,
        created_at=now,
        status=NoticeStatus.PENDING if is_news else NoticeStatus.KEPT,
        error_code="" if is_news else "too_late",
        next_attempt_at=now,
    )
    Notice.objects.bulk_create([row], ignore_conflicts=True)
    return before.filter(id=row.id).exists()


def of(user_id: UUID) -> QuerySet[Notice]:
    """One person's, newest first."""
    return Notice.objects.filter(user_id=user_id).order_by("-created_at", "-id")


def forget(*, now: datetime) -> int:
    """Delete a batch of those older than KEPT_FOR; how many."""
    old = Notice.objects.filter(created_at__lt=now - KEPT_FOR).order_by("created_at")
    count, _ = Notice.objects.filter(id__in=list(old.values_list("id", flat=True)[: BATCH * 10])).delete()
    return count
