"""The consent behind a bearer token: from the header alone, in one query, one answer for every kind of no."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from consents import clock
from consents.models import AccessToken
from gateway.identity.models import User
from gateway.oauth import bearer
from gateway.oauth.bearer import Bearer, Cause, Refusal
from tests.support import cast
from tests.support.cast import Member

METADATA = f'resource_metadata="{settings.ISSUER}/.well-known/oauth-protected-resource/v1"'


def test_known_token_names_consent_platform_and_user_in_one_query(
    alice: User, chat: Member, django_assert_num_queries: Callable[[int], Any]
) -> None:
    tokens = cast.tokens(alice, chat)

    with django_assert_num_queries(1):
        found = bearer.find(tokens.authorization, now=clock.now())
        assert isinstance(found, Bearer)
        assert found.consent == tokens.consent
        assert found.consent.user == found.user == alice
        assert found.consent.platform == found.platform == chat.platform

    assert found.access_token_id == AccessToken.objects.get().pk
    assert found.user.is_active


def test_scheme_is_compared_without_case(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)

    assert isinstance(bearer.find(f"bEARER {tokens.access_token}", now=clock.now()), Bearer)


@pytest.mark.parametrize("header", [None, ""])
def test_no_header_is_challenged_without_an_error(header: str | None) -> None:
    refusal = bearer.find(header, now=clock.now())

    assert refusal == Refusal(Cause.MISSING)
    assert refusal.www_authenticate == f'Bearer realm="sluice", {METADATA}'


MALFORMED = {
    "scheme alone": "Bearer",
    "no token": "Bearer ",
    "two tokens": "Bearer a b",
    "two headers joined": "Bearer a, Bearer b",
    "two blanks": "Bearer  a",
    "basic": "Basic YTpi",
    "DPoP": "DPoP abc",
    "token alone": "abc",
    "NUL": "Bearer a\x00b",
    "newline": "Bearer abc\n",
    "quote": 'Bearer a"b',
    "not ASCII": "Bearer ä",
    "ten kilobytes": "Bearer " + "a" * 10_000,
}


@pytest.mark.parametrize("header", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_header_is_refused_without_a_query(header: str) -> None:  # no database: a query would fail the test
    refusal = bearer.find(header, now=clock.now())

    assert refusal == Refusal(Cause.MALFORMED)
    assert refusal.www_authenticate == f'Bearer realm="sluice", error="invalid_token", {METADATA}'


def test_unknown_token_is_invalid(db: None) -> None:
    refusal = bearer.find("Bearer nothing", now=clock.now())

    assert refusal == Refusal(Cause.INVALID)
    assert refusal.www_authenticate == f'Bearer realm="sluice", error="invalid_token", {METADATA}'


def test_token_dies_at_its_instant(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)
    expires = AccessToken.objects.get().expires

    assert isinstance(bearer.find(tokens.authorization, now=expires - timedelta(microseconds=1)), Bearer)
    assert bearer.find(tokens.authorization, now=expires) == Refusal(Cause.INVALID)


def test_checksum_refresh_token_and_secret_are_no_access_tokens(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)

    for text in (AccessToken.objects.get().token_checksum, tokens.refresh_token, chat.secret):
        assert bearer.find(f"Bearer {text}", now=clock.now()) == Refusal(Cause.INVALID)


def test_inactive_users_token_is_dead(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)
    alice.is_active = False
    alice.save()

    assert bearer.find(tokens.authorization, now=clock.now()) == Refusal(Cause.INVALID)


def test_revoked_consents_token_is_gone(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)
    cast.revoke(tokens.consent)

    assert bearer.find(tokens.authorization, now=clock.now()) == Refusal(Cause.INVALID)


@pytest.mark.parametrize("resource", [[], ["https://elsewhere.example/v1"]])
def test_token_for_nothing_or_for_elsewhere_is_invalid(alice: User, chat: Member, resource: list[str]) -> None:
    tokens = cast.tokens(alice, chat)
    AccessToken.objects.update(resource=resource)

    assert bearer.find(tokens.authorization, now=clock.now()) == Refusal(Cause.INVALID)
