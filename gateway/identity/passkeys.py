"""Where passkeys work: a browser binds them to a name, and an IP address is none (WebAuthn Level 3, section 5.1.2)."""

from functools import wraps
from ipaddress import ip_address
from typing import cast
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from gateway.identity.pages import Parameters, View


def relying_party_id() -> str:
    """The host name of ISSUER: what passkeys of this installation are bound to."""
    return urlsplit(settings.ISSUER).hostname or ""


def are_offered(request: HttpRequest) -> bool:
    """Whether a browser would make a passkey here: the issuer has a name, and it is the one in the address bar."""
    host = relying_party_id()
    return not _is_number(host) and (urlsplit(f"//{request.get_host()}").hostname or "") == host


def where_they_work(view: View[Parameters]) -> View[Parameters]:
    """In place of `view` a page that says why there are no passkeys, where there can be none."""

    @wraps(view)
    def shown(request: HttpRequest, *args: Parameters.args, **kwargs: Parameters.kwargs) -> HttpResponse:
        if not are_offered(request):
            return render(request, "mfa/no_passkeys.html", why_not(request), status=404)
        return view(request, *args, **kwargs)

    return cast("View[Parameters]", shown)


def why_not(request: HttpRequest) -> dict[str, object]:
    """For templates: `passkeys_offered`, and for a person without them the reason in two values."""
    return {
        "passkeys_offered": are_offered(request),
        "issuer_is_number": _is_number(relying_party_id()),
        "issuer": settings.ISSUER,
    }


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
