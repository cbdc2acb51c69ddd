"""`client_credentials`: a token of the platform's own, short, hashed, and apart from every token of a user's."""

from datetime import timedelta
from typing import Any

import pytest

from consents import clock, platforms
from consents.models import AccessToken, PlatformToken, RefreshToken
from consents.models.tokens import digest
from consents.states import PlatformStatus
from gateway.identity.models import User
from gateway.oauth import addresses, bearer, housekeeping, platform_tokens
from gateway.oauth.bearer import Cause, Refusal
from gateway.oauth.platform_tokens import LIFETIME, PlatformBearer
from tests.support import cast
from tests.support.cast import Member


def asked(member: Member, **fields: str) -> Any:
    return cast.post_form(member, "/oauth/token", {"grant_type": "client_credentials", **fields})


def found(token: str, *, later: timedelta = timedelta()) -> Any:
    return platform_tokens.find(f"Bearer {token}", now=clock.now() + later)


def test_it_is_given_for_ten_minutes_without_a_refresh_token_and_kept_as_a_digest(chat: Member) -> None:
    answer = asked(chat)

    body = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert set(body) == {"access_token", "token_type", "expires_in"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 600)
    row = PlatformToken.objects.get()
    assert row.token_digest == digest(body["access_token"])
    assert row.expires_at - row.created_at == LIFETIME
    assert not AccessToken.objects.exists() and not RefreshToken.objects.exists()


def test_the_resource_may_be_named_and_is_the_only_one(chat: Member) -> None:
    assert asked(chat, resource=addresses.resource()).status_code == 200
    assert asked(chat, resource="https://elsewhere.example").json()["error"] == "invalid_target"


@pytest.mark.parametrize("scope", ["accounts", "openid", "grant_management_query", "x" * 500])
def test_t2_no_scope_can_be_had_with_it(chat: Member, scope: str) -> None:
    answer = asked(chat, scope=scope)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert not PlatformToken.objects.exists()


def test_t2_no_access_to_data_can_be_asked_for_with_it(chat: Member) -> None:
    details = '[{"type":"account_information","scopes":["accounts"],"purposes":["budgeting"]}]'

    assert asked(chat, authorization_details=details).json()["error"] == "invalid_authorization_details"


@pytest.mark.parametrize("member", ["wrong secret", "suspended"])
def test_who_does_not_prove_who_it_is_gets_none(chat: Member, member: str) -> None:
    if member == "suspended":
        platforms.change_status(
            chat.platform, PlatformStatus.SUSPENDED, reason="test", actor=cast.BY_OPERATOR, now=clock.now()
        )
    else:
        chat = Member(chat.platform, "not-the-secret", chat.redirect_uri)

    answer = asked(chat)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert not PlatformToken.objects.exists()


def test_neither_kind_of_token_is_found_as_the_other(alice: User, chat: Member) -> None:
    own, users = cast.platform_token(chat), cast.tokens(alice, chat).access_token

    assert isinstance(found(own), PlatformBearer)
    assert found(users) == Refusal(Cause.INVALID)
    assert bearer.find(f"Bearer {own}", now=clock.now()) == Refusal(Cause.INVALID)


def test_it_ends_with_its_time_and_with_its_platforms_status(chat: Member) -> None:
    token = cast.platform_token(chat)

    assert found(token, later=LIFETIME) == Refusal(Cause.INVALID)
    platforms.change_status(
        chat.platform, PlatformStatus.SUSPENDED, reason="test", actor=cast.BY_OPERATOR, now=clock.now()
    )
    assert found(token) == Refusal(Cause.INVALID)


def test_a_platform_gives_up_its_own_and_nobody_elses(chat: Member, budget: Member) -> None:
    token = cast.platform_token(chat)

    assert cast.post_form(budget, "/oauth/revoke", {"token": token}).status_code == 200
    assert isinstance(found(token), PlatformBearer)
    assert cast.post_form(chat, "/oauth/revoke", {"token": token}).status_code == 200
    assert found(token) == Refusal(Cause.INVALID)


def test_housekeeping_removes_those_that_ran_out(chat: Member) -> None:
    cast.platform_token(chat)

    assert housekeeping.forget_expired(clock.now()).platform_tokens == 0
    assert housekeeping.forget_expired(clock.now() + LIFETIME).platform_tokens == 1
    assert not PlatformToken.objects.exists()
