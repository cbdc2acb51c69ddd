"""POST /oauth/token with a refresh token: it does not rotate, never resurrects, never overwrites."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from consents import clock, lifecycle
from consents.models import AccessToken, Consent, RefreshToken
from consents.scopes import Scope
from consents.states import ConsentStatus
from gateway.identity.models import User
from gateway.oauth import bearer
from gateway.oauth.bearer import Bearer
from tests.support import cast
from tests.support.cast import Member

Rows = Callable[[], dict[str, int]]


def again(member: Member, token: str, **extra: str) -> Any:
    return cast.post_form(member, "/oauth/token", {"grant_type": "refresh_token", "refresh_token": token, **extra})


def usable(token: str) -> bool:
    return isinstance(bearer.find(f"Bearer {token}", now=clock.now()), Bearer)


def test_each_refresh_adds_an_access_token_and_the_earlier_ones_live_on(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)

    answers = [again(chat, tokens.refresh_token) for _ in range(3)]

    fresh = [answer.json()["access_token"] for answer in answers]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({tokens.access_token, *fresh}) == 4
    assert all(usable(token) for token in (tokens.access_token, *fresh))
    assert RefreshToken.objects.count() == 1
    assert set(AccessToken.objects.values_list("grant_id", flat=True)) == {RefreshToken.objects.get().grant_id}


def test_answer_brings_no_refresh_token(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)

    body = again(chat, tokens.refresh_token).json()

    assert body.keys() == {
        "access_token",
        "token_type",
        "expires_in",
        "scope",
        "authorization_details",
        "grant_id",
    }
    assert body["grant_id"] == tokens.grant_id


def test_answer_says_what_is_granted_now(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat, [Scope.ACCOUNTS, Scope.BALANCES])
    Consent.objects.update(scopes=["accounts"])  # narrowed

    body = again(chat, tokens.refresh_token).json()

    assert body["scope"] == "accounts"
    assert body["authorization_details"][0]["scopes"] == ["accounts"]


@pytest.mark.parametrize(
    ("error", "extra"),
    [
        ("invalid_scope", {"scope": "accounts balances transactions"}),
        ("invalid_scope", {"scope": "accounts"}),
        ("invalid_scope", {"scope": "__all__"}),
        ("invalid_target", {"resource": "https://elsewhere.example"}),
        ("invalid_authorization_details", {"authorization_details": "[]"}),
    ],
)
def test_refresh_asks_for_exactly_what_was_granted(
    alice: User, chat: Member, rows: Rows, error: str, extra: dict[str, str]
) -> None:
    tokens = cast.tokens(alice, chat)
    before = rows()

    answer = again(chat, tokens.refresh_token, **extra)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert rows() == before


def test_equal_scope_in_any_order_is_fine(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)

    assert again(chat, tokens.refresh_token, scope="balances accounts").status_code == 200


@pytest.mark.parametrize("token", ["nothing", "r" * 10_000, "ünicode"])
def test_unknown_refresh_token_opens_nothing(alice: User, chat: Member, rows: Rows, token: str) -> None:
    cast.tokens(alice, chat)
    before = rows()

    answer = again(chat, token)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert rows() == before


def test_access_token_is_no_refresh_token(alice: User, chat: Member) -> None:
    assert again(chat, cast.tokens(alice, chat).access_token).json()["error"] == "invalid_grant"


def test_refresh_token_of_another_platform_is_unknown(alice: User, chat: Member, budget: Member) -> None:
    tokens = cast.tokens(alice, chat)

    assert again(budget, tokens.refresh_token).json()["error"] == "invalid_grant"
    assert again(chat, tokens.refresh_token).status_code == 200


@pytest.mark.parametrize("status", [ConsentStatus.PAUSED, ConsentStatus.SUSPENDED])
def test_waiting_consent_mints_nothing_and_keeps_its_refresh_token(
    alice: User, chat: Member, rows: Rows, status: ConsentStatus
) -> None:
    tokens = cast.tokens(alice, chat)
    before = rows()
    Consent.objects.update(status=status)

    answer = again(chat, tokens.refresh_token)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert status.lower() in answer.json()["error_description"]
    assert rows() == before
    Consent.objects.update(status=ConsentStatus.AUTHORISED)
    assert again(chat, tokens.refresh_token).status_code == 200


@pytest.mark.parametrize(
    "status", [ConsentStatus.REVOKED, ConsentStatus.EXPIRED, ConsentStatus.CONSUMED, ConsentStatus.REJECTED]
)
def test_ended_consent_mints_nothing_even_if_a_row_were_left(alice: User, chat: Member, status: ConsentStatus) -> None:
    tokens = cast.tokens(alice, chat)
    Consent.objects.update(status=status)

    assert again(chat, tokens.refresh_token).json()["error"] == "invalid_grant"


def test_consent_past_its_instant_mints_nothing(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)
    Consent.objects.update(expires_at=clock.now())

    assert again(chat, tokens.refresh_token).json()["error"] == "invalid_grant"


def test_access_token_shrinks_with_what_is_left_of_the_consent(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)
    Consent.objects.update(expires_at=clock.now() + timedelta(seconds=60))

    assert again(chat, tokens.refresh_token).json()["expires_in"] <= 60


def test_inactive_user_mints_nothing_and_holds_nothing(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)
    alice.is_active = False
    alice.save()

    assert again(chat, tokens.refresh_token).json()["error"] == "invalid_grant"
    assert not usable(tokens.access_token)


def test_revoked_consent_leaves_no_token(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)

    lifecycle.revoke(consent_id=tokens.consent.id, reason="test", actor=cast.BY_USER, now=clock.now())

    assert not usable(tokens.access_token)
    assert again(chat, tokens.refresh_token).json()["error"] == "invalid_grant"
    assert not AccessToken.objects.exists()
    assert not RefreshToken.objects.exists()
