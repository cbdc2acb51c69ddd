"""`POST /oauth/revoke` (RFC 7009)."""

import logging

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from consents import clock
from gateway.oauth import clients, parameters, revocation, throttling
from gateway.oauth.errors import NO_STORE, Refused, json_answer
from gateway.oauth.uncached import uncached
from gateway.request_ids import request_id_of

logger = logging.getLogger(__name__)


@csrf_exempt  # platforms call it, with credentials of their own and no cookie
@uncached
@require_POST
def revoke(request: HttpRequest) -> HttpResponse:
    """200 without a body, whether or not there was such a token. `token_type_hint` is only a hint: not needed."""
    request_id, now = request_id_of(request), clock.now()
    try:
        platform = throttling.authenticated(request, now=now)
        form = parameters.of_form(request)
        clients.check_form(platform, form)
        if not form.get("token"):
            raise Refused("invalid_request", "token is required")
    except Refused as refused:
        logger.info("revocation request refused", extra={"request_id": request_id, "code": refused.code})
        return json_answer(refused)
    revocation.revoke(form.get("token"), platform, now=now, request_id=request_id)
    return HttpResponse(headers=NO_STORE)
