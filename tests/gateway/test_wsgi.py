"""Content types that Django cannot read never reach it: it would fail before any of our own code runs."""

import io
from collections.abc import Iterable
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_started
from django.db import close_old_connections

from gateway.wsgi import application, plain_content_type
from tests.support import cast

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("", ""),
        (FORM, FORM),
        (f"{FORM}; charset=utf-8", FORM),
        (f"{FORM};charset=hex", FORM),
        (f"{FORM}; CHARSET*=hex''%41", FORM),
        ("Application/JSON; charset=undefined", "application/json"),
        ("application/problem+json", "application/problem+json"),
        ("multipart/form-data; charset=idna; boundary=a-b'(c)", 'multipart/form-data; boundary="a-b\'(c)"'),
        ('multipart/form-data; Boundary="a b:c"; charset="hex"', 'multipart/form-data; boundary="a b:c"'),
        ("multipart/form-data; boundary*=hex''%41", "multipart/form-data"),
        ("multipart/form-data; boundary=\xff", "multipart/form-data"),
        ("\xff/\xff; charset=hex", ""),
        ("; ; charset", ""),
    ],
)
def test_type_and_boundary_are_all_that_is_kept(sent: str, kept: str) -> None:
    assert plain_content_type(sent) == kept


def call(path: str, query: str, content_type: str, body: bytes = b"") -> tuple[str, bytes]:
    """What granian does with a request."""
    environ: dict[str, object] = {
        "REQUEST_METHOD": "POST" if body else "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "127.0.0.1:8000",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(body),
    }
    setup_testing_defaults(environ)
    told: list[str] = []
    # As Django's own test client: the test's connection must live through the request.
    request_started.disconnect(close_old_connections)
    try:
        answer: Iterable[bytes] = application(environ, lambda status, *_: told.append(status))  # type: ignore[arg-type, return-value]
    finally:
        request_started.connect(close_old_connections)
    return told[0][:3], b"".join(answer)


@pytest.mark.parametrize("charset", ["hex", "undefined", "idna", "utf-16", "nonsense"])
@pytest.mark.parametrize(
    ("path", "status"), [("/sign-in/", "200"), ("/v1/accounts", "401"), ("/oauth/token", "405"), ("/nowhere", "404")]
)
def test_a_strange_charset_is_answered_as_if_it_were_not_there(db: None, path: str, status: str, charset: str) -> None:
    assert call(path, "x=%ff", f"text/plain; charset={charset}")[0] == status


def test_many_parameters_are_a_bad_request_and_no_crash(db: None) -> None:
    assert call("/oauth/authorize", "a=1&" * 300, "text/plain; charset=utf-8")[0] in ("302", "303", "400")


def test_a_form_in_several_parts_keeps_its_boundary(db: None) -> None:
    cast.alice()
    part = b'--x\r\nContent-Disposition: form-data; name="login"\r\n\r\nalice\r\n--x--\r\n'

    status, _ = call("/sign-in/", "", "multipart/form-data; boundary=x; charset=hex", part)

    assert status == "403"  # the form was read, and has no CSRF token
    assert not isinstance(application, WSGIHandler)
