"""`POST /oauth/token` (RFC 6749 section 3.2)."""

import logging

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from consents import clock
from gateway.oauth import clients, parameters, throttling
from gateway.oauth.errors import NO_STORE, Refused, json_answer
from gateway.oauth.exchange import exchange
from gateway.oauth.uncached import uncached
from gateway.request_ids import request_id_of

logger = logging.getLogger(__name__)


@csrf_exempt  # platforms call it, with credentials of their own and no cookie
@uncached
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    request_id, now = request_id_of(request), clock.now()
    try:
        platform = throttling.authenticated(request, now=now)
        form = parameters.of_form(request)
        clients.check_form(platform, form)
        # Read anew: a body may have been long on its way, and a code is good for a minute.
        answer = exchange(form, platform, now=clock.now(), request_id=request_id)
    except Refused as refused:
        logger.info("token request refused", extra={"request_id": request_id, "code": refused.code})
        return json_answer(refused)
    return HttpResponse(answer, content_type="application/json", headers=NO_STORE)
