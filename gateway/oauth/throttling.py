"""Who speaks at the authorization server, counted: clients each for themselves, failures by where they come from."""

from datetime import datetime

from django.http import HttpRequest

from consents.models import Platform
from gateway.oauth import clients, limits
from gateway.oauth.errors import ClientRefused, TooManyRequests


def authenticated(request: HttpRequest, *, now: datetime) -> Platform:
    """The platform behind a Basic header. Raises ClientRefused, TooManyRequests.

    A failure is counted after the fact: whoever proves who they are is served, however many strangers share their
    address.
    """
    try:
        platform = clients.authenticated(request.META.get("HTTP_AUTHORIZATION"))
    except ClientRefused:
        _count(limits.of_address(request), now)
        raise
    _count(limits.of_client(platform.id), now)
    return platform


def _count(subject: limits.Subject, now: datetime) -> None:
    standings = limits.count([subject], now=now)
    wait = limits.retry_after(standings)
    if wait is not None:
        raise TooManyRequests(wait, limits.headers(standings))
