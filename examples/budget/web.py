"""WSGI (PEP 3333) in a few lines: a request, a response, a cookie. A real app would take a framework."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlsplit

BODY_BYTES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    host: str
    query: Mapping[str, str]
    form: Mapping[str, str] = field(repr=False)
    cookies: Mapping[str, str] = field(repr=False)
    address: str  #: the browser's; behind a proxy of yours, what that proxy says

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> "Request":
        return cls(
            method=environ["REQUEST_METHOD"],
            path=environ.get("PATH_INFO", "") or "/",
            host=environ.get("HTTP_HOST", ""),
            query=dict(parse_qsl(environ.get("QUERY_STRING", ""))),
            form=_form(environ),
            cookies=_cookies(environ.get("HTTP_COOKIE", "")),
            address=environ.get("REMOTE_ADDR", ""),
        )


@dataclass(frozen=True, slots=True)
class Response:
    body: str = ""
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "text/html; charset=utf-8"

    def with_header(self, name: str, value: str) -> "Response":
        return Response(self.body, self.status, {**self.headers, name: value}, self.content_type)


def see_other(to: str) -> Response:
    """303: the browser goes there with GET, and going back repeats nothing."""
    return Response(status=HTTPStatus.SEE_OTHER, headers={"Location": to})


def same(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())


def security_headers(issuer: str) -> dict[str, str]:
    """Nothing but our own style sheet and icon is loaded, and a form leads to us or, by our redirect, to Sluice."""
    return {
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action 'self' {issuer}",
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }


def cookie(name: str, value: str, *, is_https: bool, seconds: int) -> str:
    # Lax and not Strict: the browser must bring it along when Sluice sends the user back.
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{'; Secure' if is_https else ''}"


def host_of(origin: str) -> str:
    return urlsplit(origin).netloc


def _form(environ: Mapping[str, Any]) -> dict[str, str]:
    """Empty when it is too long: then its form token is missing, and it is refused."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if environ["REQUEST_METHOD"] != "POST" or not length.isdigit() or int(length) > BODY_BYTES_MAX:
        return {}
    return dict(parse_qsl(environ["wsgi.input"].read(int(length)).decode(errors="replace")))


def _cookies(header: str) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}
