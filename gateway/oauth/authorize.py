"""`GET /oauth/authorize` (RFC 6749 section 4.1.1): checks what a platform asks, keeps it, hands the user to the portal.

No parameter can skip the decision: there is no such code path, whatever `prompt` or `approval_prompt` say.
"""

import logging
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from consents import clock
from consents.audit import Actor
from consents.models import Platform
from consents.states import Initiator
from gateway.oauth import authorization_requests, clients, parameters, redirects
from gateway.oauth.authorization_requests import Checked
from gateway.oauth.errors import Refused
from gateway.oauth.parameters import Parameters
from gateway.oauth.redirects import SeeOther
from gateway.oauth.uncached import uncached
from gateway.request_ids import request_id_of

logger = logging.getLogger(__name__)


@uncached
@require_GET
def authorize(request: HttpRequest) -> HttpResponse:
    """303 to the sign-in page, to the portal, or back to the platform with an error; a 400 page when there is no safe
    way back (RFC 6749 section 4.1.2.1).
    """
    try:
        asked = parameters.of_query(request)
    except Refused as refused:
        return _page(request, refused.code)
    platform = _platform(asked)
    if platform is None:
        return _page(request, "invalid_client")
    redirect_uri = _redirect_uri(asked, platform)
    if redirect_uri is None:
        return _page(request, "invalid_redirect_uri")
    try:
        checked = authorization_requests.check(asked, platform, redirect_uri)
        _refuse_silence(asked, signed_in=request.user.is_authenticated)
    except Refused as refused:
        logger.info(
            "authorization request refused",
            extra={"request_id": request_id_of(request), "platform_id": str(platform.id), "code": refused.code},
        )
        state = authorization_requests.returnable_state(asked)
        return SeeOther(redirects.error_address(redirect_uri, refused.code, refused.description, state))
    return _forward(request, platform, checked, now=clock.now())


def _forward(request: HttpRequest, platform: Platform, checked: Checked, *, now: datetime) -> HttpResponse:
    user_id = request.user.pk
    if user_id is None or not request.user.is_authenticated:
        return SeeOther(f"{reverse('account_login')}?{urlencode({'next': request.get_full_path()})}")
    actor = Actor(initiator=Initiator.PLATFORM, request_id=request_id_of(request))
    consent = authorization_requests.lodge(checked, user_id=user_id, platform=platform, actor=actor, now=now)
    return SeeOther(reverse("portal:connect", args=[consent.id]))


def _platform(asked: Parameters) -> Platform | None:
    return None if "client_id" in asked.repeated else clients.usable(asked.get("client_id"))


def _redirect_uri(asked: Parameters, platform: Platform) -> str | None:
    """Only a registered one, compared character by character (RFC 9700 section 2.1), and only when it is said."""
    given = asked.get("redirect_uri")
    if "redirect_uri" in asked.repeated or given not in platform.redirect_uris.split():
        return None
    return given


def _refuse_silence(asked: Parameters, *, signed_in: bool) -> None:
    """`prompt=none` asks for an answer without a page, and there is none (OpenID Connect Core section 3.1.2.6)."""
    if "none" in asked.get("prompt").split(" "):
        raise Refused("consent_required" if signed_in else "login_required", "the user must see and decide")


def _page(request: HttpRequest, cause: str) -> HttpResponse:
    logger.info("authorization request refused", extra={"request_id": request_id_of(request), "code": cause})
    return render(request, "oauth/refused.html", {"cause": cause}, status=400)
