"""A request's id: taken from the caller when sane, made otherwise, and sent back on every answer."""

import re
import secrets
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-Id"
_SANE = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")


def request_id_of(request: HttpRequest) -> str:
    """The id that RequestIdMiddleware gave this request."""
    return str(getattr(request, "request_id"))  # noqa: B009 -- set by the middleware, unknown to the type


class RequestIdMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        setattr(request, "request_id", given if _SANE.match(given) else f"req_{secrets.token_hex(12)}")  # noqa: B010
        response = self.get_response(request)
        response[HEADER] = request_id_of(request)
        return response
