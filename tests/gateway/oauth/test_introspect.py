"""POST /oauth/introspect (RFC 7662): a platform's own tokens, and one answer for everything else."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from consents import clock, platforms
from consents.models import AccessToken, Consent
from consents.states import PlatformStatus
from gateway.identity.models import User
from gateway.oauth import addresses
from tests.support import cast
from tests.support.cast import Member, Tokens

INACTIVE = {"active": False}


def introspected(member: Member, token: str, **fields: str) -> Any:
    answer = cast.post_form(member, "/oauth/introspect", {"token": token, **fields})
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store"), answer.content
    return answer.json()


@pytest.fixture
def tokens(alice: User, chat: Member) -> Tokens:
    return cast.tokens(alice, chat)


@pytest.mark.parametrize("hint", ["", "access_token", "refresh_token", "nonsense"])
def test_an_access_token_says_what_it_is_worth(tokens: Tokens, chat: Member, hint: str) -> None:
    body = introspected(chat, tokens.access_token, token_type_hint=hint)

    row = AccessToken.objects.get()
    assert body == {
        "active": True,
        "iss": settings.ISSUER,
        "client_id": chat.platform.client_id,
        "scope": "accounts balances",
        "authorization_details": tokens.answer["authorization_details"],
        "grant_id": tokens.grant_id,
        "consent_status": "AUTHORISED",
        "token_type": "Bearer",
        "aud": [addresses.resource()],
        "iat": int(row.created.timestamp()),
        "exp": int(row.expires.timestamp()),
    }


def test_a_refresh_token_lives_as_long_as_its_consent(tokens: Tokens, chat: Member) -> None:
    body = introspected(chat, tokens.refresh_token)

    assert (body["active"], body["grant_id"]) == (True, tokens.grant_id)
    assert body["exp"] == int(Consent.objects.get().expires_at.timestamp())
    assert "token_type" not in body


def test_a_platforms_own_token_has_no_scope_and_no_grant(chat: Member) -> None:
    body = introspected(chat, cast.platform_token(chat))

    assert set(body) == {"active", "iss", "client_id", "token_type", "aud", "iat", "exp"}
    assert body["exp"] - body["iat"] == 600


def test_nothing_in_it_names_the_person(tokens: Tokens, alice: User, chat: Member) -> None:
    for token in (tokens.access_token, tokens.refresh_token):
        text = str(introspected(chat, token))
        for word in (alice.username, str(alice.pk), str(alice.pseudonym), "sub", "username", str(tokens.consent.id)):
            assert word not in text.replace("subject", "")


@pytest.mark.parametrize("status", ["PAUSED", "SUSPENDED"])
def test_a_consent_that_waits_leaves_its_token_active_and_says_so(tokens: Tokens, chat: Member, status: str) -> None:
    Consent.objects.update(status=status)

    body = introspected(chat, tokens.access_token)

    assert (body["active"], body["consent_status"]) == (True, status)


def test_t1_another_platforms_token_is_answered_as_one_that_never_was(
    tokens: Tokens, chat: Member, budget: Member
) -> None:
    foreign = [tokens.access_token, tokens.refresh_token, cast.platform_token(chat)]

    assert [introspected(budget, token) for token in [*foreign, "never-was"]] == [INACTIVE] * 4


@pytest.mark.parametrize("how", ["token expired", "consent expired", "revoked", "revoked but left", "user inactive"])
def test_what_is_over_is_not_active(tokens: Tokens, alice: User, chat: Member, how: str) -> None:
    past = clock.now() - timedelta(seconds=1)
    if how == "token expired":
        AccessToken.objects.update(expires=past)
    elif how == "consent expired":
        Consent.objects.update(expires_at=past)
    elif how == "revoked":
        cast.revoke(tokens.consent)
    elif how == "revoked but left":
        Consent.objects.update(status="REVOKED")
    else:
        User.objects.update(is_active=False)

    assert introspected(chat, tokens.access_token) == INACTIVE
    if how != "token expired":
        assert introspected(chat, tokens.refresh_token) == INACTIVE


def test_a_suspended_platform_is_told_nothing(tokens: Tokens, chat: Member) -> None:
    platforms.change_status(
        chat.platform, PlatformStatus.SUSPENDED, reason="test", actor=cast.BY_OPERATOR, now=clock.now()
    )

    answer = cast.post_form(chat, "/oauth/introspect", {"token": tokens.access_token})

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_it_needs_the_platforms_credentials_and_a_token_in_the_body(tokens: Tokens, chat: Member) -> None:
    client = Client()
    by_token = client.post("/oauth/introspect", headers={"Authorization": tokens.authorization})
    by_get = client.get(
        "/oauth/introspect", {"token": tokens.access_token}, headers={"Authorization": cast.basic(chat)}
    )

    assert by_token.status_code == 401
    assert by_get.status_code == 405
    assert cast.post_form(chat, "/oauth/introspect", {}).json()["error"] == "invalid_request"
