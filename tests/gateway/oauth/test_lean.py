"""A token is given ahead of Django's middleware, just as it would be behind it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse

from consents.models import PlatformToken
from gateway.identity.models import User
from gateway.oauth import lean, limits, statements
from tests.support import cast
from tests.support.cast import Member

FORM = "application/x-www-form-urlencoded"
OWN = urlencode({"grant_type": "client_credentials"})
#: Body, and what is unlike the usual request.
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "good": (OWN, {}),
    "no credentials": (OWN, {"Authorization": ""}),
    "a stranger": (OWN, {"Authorization": "Basic eDp5"}),
    "an empty body": ("", {}),
    "another grant": (urlencode({"grant_type": "password"}), {}),
    "an unknown code": (
        urlencode({"grant_type": "authorization_code", "code": "x", "redirect_uri": "x", "code_verifier": "x" * 43}),
        {},
    ),
    "an unknown refresh token": (urlencode({"grant_type": "refresh_token", "refresh_token": "x"}), {}),
    "too large": ("a" * 20_000, {}),
    "from a page": (OWN, {"Origin": "https://chat.example"}),
    "with cookies": (OWN, {"Cookie": "sessionid=x; csrftoken=y"}),
}


def ask(member: Member, body: str = OWN, **headers: str) -> Any:
    given = {"Authorization": cast.basic(member), "X-Request-Id": "the-same-one", **headers}
    return Client(raise_request_exception=False).generic("POST", lean.ADDRESS, body, content_type=FORM, headers=given)


def told(answer: Any) -> Mapping[str, str]:
    """What a platform reads."""
    return {name: value for name, value in answer.headers.items() if name != "Content-Security-Policy"}


def with_and_without(settings: Any) -> list[list[str]]:
    whole = [one for one in django_settings.MIDDLEWARE if one != "gateway.oauth.lean.LeanToken"]
    assert len(whole) == len(django_settings.MIDDLEWARE) - 1
    return [list(django_settings.MIDDLEWARE), whole]


def test_its_address_is_the_token_endpoints() -> None:
    assert reverse("oauth:token") == lean.ADDRESS


@pytest.mark.parametrize("name", REQUESTS)
def test_an_answer_is_the_same_with_all_of_djangos_middleware_before_it(
    chat: Member, settings: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, headers = REQUESTS[name]
    answers = []
    for middleware in with_and_without(settings):
        settings.MIDDLEWARE = middleware
        answers.append(ask(chat, body, **headers))

    short, whole = answers
    assert short.status_code == whole.status_code
    assert told(short) == told(whole)
    short, whole = short.json(), whole.json()
    assert len(short.pop("access_token", "")) == len(whole.pop("access_token", ""))
    assert short == whole


def test_no_session_is_read_for_it(alice: User, chat: Member, settings: Any) -> None:
    settings.MIDDLEWARE = [*django_settings.MIDDLEWARE[:3], "tests.gateway.oauth.test_lean.Nobody"]

    assert ask(chat).status_code == 200
    assert cast.platform_token(chat)


class Nobody:
    """Stands where all other middleware would."""

    def __init__(self, get_response: Any) -> None:
        pass

    def __call__(self, request: Any) -> Any:
        raise AssertionError(request.path)


def test_a_foreign_host_is_refused_before_anything_is_read(chat: Member) -> None:
    assert ask(chat, Host="evil.example").status_code == 400
    assert not PlatformToken.objects.exists()


def test_plain_http_is_sent_to_tls_where_that_is_wanted(chat: Member, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True

    answer = ask(chat)

    assert (answer.status_code, answer["Location"][:8]) == (301, "https://")
    assert not PlatformToken.objects.exists()


def test_over_tls_it_says_that_tls_is_to_be_kept(chat: Member, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 600

    answer = Client().generic(
        "POST", lean.ADDRESS, OWN, content_type=FORM, secure=True, headers={"Authorization": cast.basic(chat)}
    )

    assert answer.status_code == 200
    assert answer["Strict-Transport-Security"].startswith("max-age=600")


def test_trouble_of_our_own_is_a_500_that_tells_nothing(chat: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(chat.secret)

    monkeypatch.setattr(statements, "add_platform_token", broken)

    answer = ask(chat)

    assert answer.status_code == 500
    assert chat.secret not in answer.content.decode()


def test_too_many_requests_are_refused_with_the_time_to_wait(
    chat: Member, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CALLS_PER_MINUTE = {**settings.CALLS_PER_MINUTE, "token": 1}
    monkeypatch.setattr(limits, "_counted", lambda names, window_at: [2] * len(names))

    answer = ask(chat)

    assert (answer.status_code, answer.json()["error"]) == (429, "temporarily_unavailable")
    assert answer["Retry-After"] and answer["RateLimit-Policy"] == '"token";q=1;w=60'
