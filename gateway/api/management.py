"""What a platform manages with a token of its own: its consents, by their pairwise ids, and nothing of the people.

Caller in, JSON-ready dict out; no HTTP framework here.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Q

from banks import directory
from banks.errors import CursorInvalid
from consents import lifecycle, standing
from consents.audit import Actor
from consents.errors import ConsentNotFound
from consents.models import Consent
from consents.states import ConsentStatus, Initiator
from gateway import pairwise
from gateway.api import render
from gateway.api.caller import Caller, PlatformCaller
from gateway.api.cursors import open_bytes, seal_bytes
from gateway.api.parameters import ConsentQuery
from gateway.api.render import Body

_VERSION = b"\x04"
_NUMBER_BYTES = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def institutions(caller: Caller | PlatformCaller) -> Body:
    """Every bank one may link here; the same for everybody, and under a paused consent too. Raises Denied."""
    if isinstance(caller, Caller):
        caller.require_active_platform()
    return {"institutions": [render.institution(card) for card in directory.institutions()]}


def consents(caller: PlatformCaller, query: ConsentQuery) -> Body:
    """One page of the platform's own, the newest first. Raises CursorInvalid."""
    bound = _bound(caller.platform.id, query.status)
    rows = Consent.objects.filter(platform=caller.platform).order_by("-created_at", "-id")
    if query.status is not None:
        rows = rows.filter(standing.having(query.status, caller.now))
    if query.cursor is not None:
        created_at, consent_id = _opened(query.cursor, bound)
        # Two conditions instead of a tuple comparison, which SQLite answers by scanning.
        rows = rows.filter(created_at__lte=created_at).filter(Q(created_at__lt=created_at) | Q(id__lt=consent_id))
    found = list(rows[: query.limit + 1])
    page = found[: query.limit]
    return {
        "consents": [_consent(row, caller) for row in page],
        "next_cursor": _sealed(page[-1], bound) if len(found) > len(page) else None,
    }


def consent(caller: PlatformCaller, consent_id: str) -> Body:
    """Raises ConsentNotFound."""
    known = pairwise.decode("con", caller.platform.id, consent_id)
    row = None if known is None else Consent.objects.filter(platform=caller.platform, id=known).first()
    if row is None:
        raise ConsentNotFound(known)
    return _consent(row, caller)


def end_consent(caller: Caller | PlatformCaller, consent_id: str) -> None:
    """Final. With a platform token any of its own, with a user's token that token's alone.

    Raises ConsentNotFound, TransitionRefused (it has ended already, or was never given).
    """
    known = pairwise.decode("con", caller.platform.id, consent_id)
    if known is None or (isinstance(caller, Caller) and known != caller.consent.id):
        raise ConsentNotFound(known)
    lifecycle.revoke(
        consent_id=known,
        platform_id=caller.platform.id,
        reason="platform_request",
        actor=Actor(initiator=Initiator.PLATFORM, request_id=caller.request_id),
        now=caller.now,
    )


def _consent(row: Consent, caller: PlatformCaller) -> Body:
    return render.managed_consent(
        row,
        consent_id=pairwise.encode("con", caller.platform.id, row.id),
        status=standing.status_of(row, caller.now),
    )


# -- where a page ended ------------------------------------------------------------------------------------------------


def _bound(platform_id: UUID, status: ConsentStatus | None) -> Sequence[bytes]:
    return [_VERSION, platform_id.bytes, (status or "").encode()]


def _sealed(row: Consent, bound: Sequence[bytes]) -> str:
    microseconds = (row.created_at - _EPOCH) // timedelta(microseconds=1)
    return seal_bytes(_VERSION, microseconds.to_bytes(_NUMBER_BYTES, "big") + row.id.bytes, bound)


def _opened(text: str, bound: Sequence[bytes]) -> tuple[datetime, UUID]:
    """Raises CursorInvalid: not ours, changed, or made for another list."""
    plain = open_bytes(_VERSION, text, bound)
    if len(plain) != _NUMBER_BYTES + 16:
        raise CursorInvalid
    microseconds = int.from_bytes(plain[:_NUMBER_BYTES], "big")
    return _EPOCH + timedelta(microseconds=microseconds), UUID(bytes=plain[_NUMBER_BYTES:])
