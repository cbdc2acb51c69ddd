"""`POST /oauth/token`, answered before any other middleware: platforms ask it all day, and sessions, messages, CSRF and
sign-in are for browsers.

What is unusual about a request's transport goes the long way, and is answered there. gateway.api.hot does the same for
the reads.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.security import SecurityMiddleware
from django.urls import ResolverMatch, resolve

from gateway.oauth.token import token

ADDRESS = "/oauth/token"


class LeanToken:
    """Middleware, right behind the one that gives a request its id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._security = SecurityMiddleware(get_response)
        # With Django's answers to what is nobody's: behind this there is no middleware that would give them.
        self._answer: Any = convert_exception_to_response(token)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method != "POST" or request.path_info != ADDRESS or not is_plain(request):
            return self._get_response(request)
        request.resolver_match = _match()  # for the access line and the counters
        response: HttpResponse = self._answer(request)
        return self._security.process_response(request, dressed(response))


def is_plain(request: HttpRequest) -> bool:
    """For our host, and over TLS where that is wanted; what is not, Django's own middleware answers."""
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        return False
    try:
        request.get_host()
    except DisallowedHost:
        return False
    return True


def dressed(response: HttpResponse) -> HttpResponse:
    """With its length and, of what browsers read from headers, all that could matter if somebody opened it in one."""
    if response.status_code != 304:  # which tells of the answer that is held (RFC 9110 section 15.4.5)
        response.setdefault("Content-Length", str(len(response.content)))
    response.headers["X-Frame-Options"] = settings.X_FRAME_OPTIONS
    response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    return response


@lru_cache(maxsize=1)
def _match() -> ResolverMatch:
    return resolve(ADDRESS)
