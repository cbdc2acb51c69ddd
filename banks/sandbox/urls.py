"""Every address of the bank."""

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path

from banks.sandbox import access, accounts, consents, control, oauth, pages
from banks.sandbox.answers import AISP, NOT_FOUND, UNEXPECTED, ObError
from banks.sandbox.door import answering

_API = AISP.removeprefix("/")


def _not_implemented(request: HttpRequest, **arguments: str) -> HttpResponse:
    """Resources that this bank does not have, and paths that are none (Read/Write profile, 400 v/s 404)."""
    raise ObError(404, (NOT_FOUND, "This bank does not offer this resource."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return pages.problem(request, "Page not found", "There is no such page at this bank.", status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return pages.problem(request, "Request not understood", "The bank cannot read this request.", status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """An error of the bank itself; the API keeps its form."""
    if request.path.startswith("/open-banking/"):
        return _broken(request)
    return pages.problem(request, "Something went wrong", "This is the bank's fault, not yours.", status=500)


def _broken_answer(request: HttpRequest, **arguments: str) -> HttpResponse:
    raise ObError(500, (UNEXPECTED, "An unexpected error of the bank."))


_broken = answering(_broken_answer)

handler400, handler404, handler500 = bad_request, not_found, server_error

urlpatterns: list[URLPattern] = [
    path("", pages.home),
    path("login/<str:request_id>", pages.login),
    path("consent/<str:request_id>", pages.consent),
    path("access", access.page),
    path(".well-known/openid-configuration", oauth.discovery),
    path("oauth/jwks", oauth.jwks),
    path("oauth/authorize", oauth.authorize),
    path("oauth/token", oauth.token),
    path(f"{_API}/account-access-consents", consents.collection),
    path(f"{_API}/account-access-consents/<str:consent_id>", consents.item),
    path(f"{_API}/accounts", accounts.accounts),
    path(f"{_API}/accounts/<str:account_id>", accounts.accounts),
    path(f"{_API}/accounts/<str:account_id>/balances", accounts.balances),
    path(f"{_API}/accounts/<str:account_id>/transactions", accounts.transactions),
    path(f"{_API}/balances", accounts.balances),
    path(f"{_API}/transactions", accounts.transactions),
    re_path(r"^open-banking/", answering(_not_implemented)),
    path("control/requests", control.requests),
    path("control/state", control.state),
    path("control/faults", control.fault_list),
    path("control/clock", control.clock_view),
    path("control/today", control.today),
    path("control/people/<str:name>", control.person),
    path("control/consents/<str:consent_id>/cancel", control.cancel),
]
