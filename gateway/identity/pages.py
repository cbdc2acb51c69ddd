"""What every page for people shares, whatever face it belongs to: no caching, and who is signed in."""

from collections.abc import Callable
from functools import wraps
from ipaddress import ip_address
from typing import Concatenate, ParamSpec, cast

from allauth.account.adapter import get_adapter
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import iri_to_uri
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods

from consents import clock
from gateway.identity import assurance
from gateway.identity.models import User

Parameters = ParamSpec("Parameters")


class PersonRequest(HttpRequest):
    """A request of somebody who is signed in."""

    user: User


PersonView = Callable[Concatenate[PersonRequest, Parameters], HttpResponse]
View = Callable[Concatenate[HttpRequest, Parameters], HttpResponse]


class SeeOther(HttpResponse):
    """303: a browser that posted credentials must not post them again elsewhere (RFC 9700 section 4.12).

    Not Django's redirect: that refuses addresses above 2,048 characters, which a long `state` reaches.
    """

    status_code = 303

    def __init__(self, address: str) -> None:
        super().__init__(headers={"Location": iri_to_uri(address) or "", "Cache-Control": "no-store"})


def private(view: View[Parameters]) -> View[Parameters]:
    """Kept by no cache, and its address told to no other site."""

    @wraps(view)
    def shown(request: HttpRequest, *args: Parameters.args, **kwargs: Parameters.kwargs) -> HttpResponse:
        response = view(request, *args, **kwargs)
        # Not `no-referrer`: under that, browsers send our own forms with `Origin: null`, which the CSRF check refuses.
        response["Referrer-Policy"] = "same-origin"
        return response

    return cast("View[Parameters]", cache_control(no_store=True)(shown))


def page(view: PersonView[Parameters]) -> View[Parameters]:
    """A private page for signed-in people; anybody else signs in first."""

    @wraps(view)
    def shown(request: HttpRequest, *args: Parameters.args, **kwargs: Parameters.kwargs) -> HttpResponse:
        return view(cast(PersonRequest, request), *args, **kwargs)

    return private(cast("View[Parameters]", login_required(shown)))


def fresh(view: PersonView[Parameters]) -> View[Parameters]:
    """A page on which one changes how one signs in: GET shows it and POST does it, after a fresh proof (assurance).

    A POST that comes too late is not kept for afterwards: it may hold passwords, and its headers the session's cookie.
    """

    @wraps(view)
    def shown(request: PersonRequest, *args: Parameters.args, **kwargs: Parameters.kwargs) -> HttpResponse:
        if not assurance.is_fresh(request, request.user, now=clock.now()):
            return SeeOther(assurance.proof_address(request.user, then=request.path))
        return view(request, *args, **kwargs)

    return forms_only(page(cast("PersonView[Parameters]", shown)))


def forms_only(view: View[Parameters]) -> View[Parameters]:
    """GET and POST: class-based views would take a PUT for a POST."""
    return require_http_methods(["GET", "HEAD", "POST"])(view)


def address_of(request: HttpRequest) -> str | None:
    """Where the browser is, behind as many proxies as are trusted (SLUICE_TRUSTED_PROXIES); None: nobody says."""
    try:
        return str(ip_address(get_adapter().get_client_ip(request)))
    except (PermissionDenied, ValueError):
        return None
