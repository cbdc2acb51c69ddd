"""`POST /oauth/introspect` (RFC 7662)."""

import logging

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from consents import clock
from gateway.oauth import clients, introspection, parameters, throttling
from gateway.oauth.errors import Refused, json_answer
from gateway.oauth.uncached import uncached
from gateway.request_ids import request_id_of

logger = logging.getLogger(__name__)


@csrf_exempt  # platforms call it, with credentials of their own and no cookie
@uncached
@require_POST  # never by GET: a token in an address ends up in logs
def introspect(request: HttpRequest) -> HttpResponse:
    """`token_type_hint` is only a hint: not needed."""
    now = clock.now()
    try:
        platform = throttling.authenticated(request, now=now)
        form = parameters.of_form(request)
        clients.check_form(platform, form)
        if not form.get("token"):
            raise Refused("invalid_request", "token is required")
    except Refused as refused:
        logger.info("introspection refused", extra={"request_id": request_id_of(request), "code": refused.code})
        return json_answer(refused)
    return JsonResponse(introspection.introspect(form.get("token"), platform, now=now))
