"""Absolute addresses of this server: always from settings.ISSUER, never from a Host header."""

from django.conf import settings
from django.urls import reverse


def issuer() -> str:
    """This server's identifier (RFC 8414 section 2)."""
    return str(settings.ISSUER)


def absolute(name: str) -> str:
    """The address of a route by its full name, such as `oauth:token`."""
    return f"{settings.ISSUER}{reverse(name)}"


def resource() -> str:
    """The one protected resource (RFC 8707): every token is for it and for nothing else."""
    return f"{settings.ISSUER}/v1"
