"""The way back to a platform: its own redirect URI, our parameters, 303."""

from collections.abc import Mapping
from urllib.parse import unquote_plus, urlencode, urlsplit, urlunsplit

from django.conf import settings

from gateway.identity.pages import SeeOther

__all__ = ["SeeOther", "answer_address", "error_address", "origin"]

_OURS = frozenset({"code", "state", "iss", "error", "error_description", "error_uri"})


def answer_address(redirect_uri: str, parameters: Mapping[str, str]) -> str:
    """`redirect_uri` with `parameters` and `iss` (RFC 9207) added; empty ones are left out.

    Its registered query is retained as it is (RFC 6749 section 4.1.2), save members that would make ours ambiguous.
    """
    parts = urlsplit(redirect_uri)
    kept = [piece for piece in parts.query.split("&") if piece and _name(piece) not in _OURS]
    ours = {name: value for name, value in parameters.items() if value} | {"iss": settings.ISSUER}
    return urlunsplit(parts._replace(query="&".join([*kept, urlencode(ours)])))


def error_address(redirect_uri: str, error: str, description: str, state: str) -> str:
    """RFC 6749 section 4.1.2.1, with `iss`: an error without it defeats the mix-up defence (RFC 9207 section 2)."""
    return answer_address(redirect_uri, {"error": error, "error_description": description, "state": state})


def origin(address: str) -> str:
    """Scheme, host and port of `address`, as a Content-Security-Policy source."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _name(piece: str) -> str:
    return unquote_plus(piece.partition("=")[0])
