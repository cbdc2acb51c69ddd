"""`/oauth/grants/{grant_id}`: Grant Management for OAuth 2.0 (OpenID, draft 03), with a platform token.

A grant is a consent under OAuth's name for it. What has ended, is another platform's, or never was, is not there.
"""

import logging
from datetime import datetime

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from consents import clock, lifecycle
from consents.audit import Actor
from consents.errors import ConsentNotFound, TransitionRefused
from consents.models import Consent, Platform
from consents.states import LIVE_CONSENTS, Initiator
from gateway import pairwise
from gateway.oauth import authorization_details, bearer, limits, platform_tokens
from gateway.oauth.bearer import Refusal
from gateway.oauth.errors import Refused, TooManyRequests, json_answer
from gateway.oauth.uncached import uncached
from gateway.request_ids import request_id_of

logger = logging.getLogger(__name__)

#: For metadata.
ACTIONS = ("query", "revoke")


@csrf_exempt  # platforms call it, with a token of their own and no cookie
@uncached
@require_http_methods(["GET", "DELETE"])
def grant(request: HttpRequest, grant_id: str) -> HttpResponse:
    now, request_id = clock.now(), request_id_of(request)
    found = platform_tokens.find(request.headers.get("Authorization"), now=now)
    if isinstance(found, Refusal):
        return _unauthorized(request, found, now)
    standings = limits.count([limits.of_platform(found.platform.id)], now=now)
    if (wait := limits.retry_after(standings)) is not None:
        return json_answer(TooManyRequests(wait, limits.headers(standings)))
    try:
        consent = _own(found.platform, grant_id, now)
        if request.method == "DELETE":
            lifecycle.revoke(
                consent_id=consent.id,
                platform_id=found.platform.id,
                reason="platform_request",
                actor=Actor(initiator=Initiator.PLATFORM, request_id=request_id),
                now=now,
            )
            return HttpResponse(status=204)
    except (ConsentNotFound, TransitionRefused):  # refused: somebody else ended it in the same moment
        return json_answer(Refused("invalid_request", "there is no such grant", status=404))
    return JsonResponse(
        {
            "scopes": [{"scope": " ".join(sorted(consent.scopes))}],
            "claims": [],
            "authorization_details": authorization_details.granted(consent),
        }
    )


def _own(platform: Platform, grant_id: str, now: datetime) -> Consent:
    """Raises ConsentNotFound."""
    consent_id = pairwise.decode("con", platform.id, grant_id)
    live = Consent.objects.filter(platform=platform, status__in=LIVE_CONSENTS, expires_at__gt=now)
    consent = None if consent_id is None else live.filter(id=consent_id).first()
    if consent is None:
        raise ConsentNotFound(consent_id)
    return consent


def _unauthorized(request: HttpRequest, refusal: Refusal, now: datetime) -> HttpResponse:
    """RFC 6750 section 3.1; a user's token is good for something, but not for this: 403."""
    standings = limits.count([limits.of_address(request)], now=now)
    if (wait := limits.retry_after(standings)) is not None:
        return json_answer(TooManyRequests(wait, limits.headers(standings)))
    of_user = not isinstance(bearer.find(request.headers.get("Authorization"), now=now), Refusal)
    code, status = ("insufficient_scope", 403) if of_user else ("invalid_token", 401)
    logger.info("grant request refused", extra={"request_id": request_id_of(request), "code": code})
    response = json_answer(Refused(code, "a token of the grant client_credentials is needed", status=status))
    response["WWW-Authenticate"] = bearer.challenge(code) if of_user else refusal.www_authenticate
    return response
