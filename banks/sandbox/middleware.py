"""Around every request: the request log, and the headers of pages."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from banks.sandbox import clock
from banks.sandbox.models import RequestRecord
from banks.sandbox.trail import trail

LOGGED = ("/open-banking/", "/oauth/token")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action {form_action}; "
    "base-uri 'none'; frame-ancestors 'none'"
)

Handler = Callable[[HttpRequest], HttpResponse]


class RequestLog:
    """Writes one row for each API and token request, after it was answered: a single INSERT."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith(LOGGED):
            seen = trail(request)
            RequestRecord.objects.create(
                at=clock.real_now(),
                method=(request.method or "")[:10],
                path=request.path[:500],
                query_keys=sorted(request.GET)[:50],
                status=response.status_code,
                client_id=seen.client_id,
                consent_id=seen.consent_id,
                interaction_id=seen.interaction_id,
                user=seen.user,
                customer_present=bool(request.headers.get("x-fapi-customer-ip-address")),
                grant_type=seen.grant_type,
            )
        return response


class PageHeaders:
    """No script, no third party, no caching; a page that needs a wider `form-action` has set its own policy before."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY.format(form_action="'self'"))
        response.headers.setdefault("Cache-Control", "no-store")
        return response
