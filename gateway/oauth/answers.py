"""What the platform is told once the user has decided: one code or one error per request, never both, never twice.

Both functions return the absolute address to send the browser to, with status 303.
"""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from consents.errors import ConsentNotFound
from consents.models import Consent, Grant
from consents.states import ConsentStatus
from gateway.oauth import redirects
from gateway.oauth.errors import AlreadyAnswered, NotAnswerable
from gateway.oauth.locks import locked_consent
from gateway.oauth.models import AuthorizationRequest

#: RFC 9700 recommends short; FAPI 2.0 section 5.3.2.1 allows at most this.
CODE_LIFETIME = timedelta(seconds=60)

#: What a person's decision, or our own trouble, can be called (RFC 6749 section 4.1.2.1).
DECISION_ERRORS = frozenset({"access_denied", "server_error", "temporarily_unavailable"})

_OVER = frozenset({ConsentStatus.REJECTED, ConsentStatus.EXPIRED, ConsentStatus.REVOKED})


def granted(consent_id: UUID, user_id: UUID, *, now: datetime) -> str:
    """The address with `code`, `state` and `iss`, for an AUTHORISED consent in date.

    Raises ConsentNotFound (not this user's), NotAnswerable (any other status), AlreadyAnswered.
    """
    with transaction.atomic():
        consent = _own(consent_id, user_id)
        if consent.status != ConsentStatus.AUTHORISED or consent.is_expired(now):
            raise NotAnswerable(consent.status)
        request = _claimed(consent, now)
        code = secrets.token_urlsafe(32)
        Grant.objects.create(
            application=consent.platform,
            user=consent.user,
            consent=consent,
            code=code,
            expires=min(now + CODE_LIFETIME, consent.expires_at),
            redirect_uri=request.redirect_uri,
            scope=" ".join(sorted(consent.scopes)),
            code_challenge=request.code_challenge,
            code_challenge_method=Grant.CODE_CHALLENGE_S256,
            resource=request.resource,
        )
    return redirects.answer_address(request.redirect_uri, {"code": code, "state": request.state})


def refused(consent_id: UUID, user_id: UUID, error: str = "access_denied", *, now: datetime) -> str:
    """The address with `error`, `error_description`, `state` and `iss`, for a consent that is over.

    Over: REJECTED, REVOKED, EXPIRED, or past its instant whatever its status says. `error`: one of DECISION_ERRORS,
    else ValueError. Raises ConsentNotFound, NotAnswerable (it lives, or still waits), AlreadyAnswered.
    """
    if error not in DECISION_ERRORS:
        raise ValueError(error)
    with transaction.atomic():
        consent = _own(consent_id, user_id)
        if consent.status not in _OVER and not consent.is_expired(now):
            raise NotAnswerable(consent.status)
        request = _claimed(consent, now)
    return redirects.error_address(request.redirect_uri, error, _DESCRIPTIONS[error], request.state)


def redirect_origin(consent_id: UUID) -> str:
    """Where the browser will be sent, for the page's `form-action`. Raises ConsentNotFound."""
    request = AuthorizationRequest.objects.filter(consent_id=consent_id).only("redirect_uri").first()
    if request is None:
        raise ConsentNotFound(consent_id)
    return redirects.origin(request.redirect_uri)


_DESCRIPTIONS = {
    "access_denied": "the request was declined, or nobody answered it in time",
    "server_error": "the request could not be completed",
    "temporarily_unavailable": "the request cannot be completed at the moment",
}


def _own(consent_id: UUID, user_id: UUID) -> Consent:
    consent = locked_consent(consent_id)
    if consent is None or consent.user_id != user_id:
        raise ConsentNotFound(consent_id)
    return consent


def _claimed(consent: Consent, now: datetime) -> AuthorizationRequest:
    """Update-where-unanswered: of two browsers one gets the answer, the other AlreadyAnswered."""
    waiting = AuthorizationRequest.objects.filter(consent_id=consent.id, answered_at=None)
    if not waiting.update(answered_at=now):
        raise AlreadyAnswered(consent.id)
    return AuthorizationRequest.objects.get(consent_id=consent.id)
