"""What every page for people shares, whatever face it belongs to: no caching, and who is signed in."""

from collections.abc import Callable
from functools import wraps
from ipaddress import ip_address
from typing import Concatenate, ParamSpec, cast

from allauth.account.adapter import get_adapter
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control

from gateway.identity.models import User

Parameters = ParamSpec("Parameters")


class PersonRequest(HttpRequest):
    """A request of somebody who is signed in."""

    user: User


PersonView = Callable[Concatenate[PersonRequest, Parameters], HttpResponse]
View = Callable[Concatenate[HttpRequest, Parameters], HttpResponse]


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


def address_of(request: HttpRequest) -> str | None:
    """Where the browser is, behind as many proxies as are trusted (SLUICE_TRUSTED_PROXIES); None: nobody says."""
    try:
        return str(ip_address(get_adapter().get_client_ip(request)))
    except (PermissionDenied, ValueError):
        return None
