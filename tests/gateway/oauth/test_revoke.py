"""POST /oauth/revoke (RFC 7009): ends one grant's tokens, nobody else's, and never the consent."""

from collections.abc import Callable
from typing import Any

import pytest

from consents import clock
from consents.models import AccessToken, AuditEntry, Consent, RefreshToken
from consents.states import ConsentStatus
from gateway.identity.models import User
from gateway.oauth import bearer
from gateway.oauth.bearer import Bearer
from tests.support import cast
from tests.support.cast import Member

Rows = Callable[[], dict[str, int]]


def give_up(member: Member, token: str, **extra: str) -> Any:
    return cast.post_form(member, "/oauth/revoke", {"token": token, **extra})


def usable(token: str) -> bool:
    return isinstance(bearer.find(f"Bearer {token}", now=clock.now()), Bearer)


@pytest.mark.parametrize("hint", ["", "refresh_token", "access_token", "nonsense"])
def test_refresh_token_takes_its_access_tokens_along(alice: User, chat: Member, hint: str) -> None:
    tokens = cast.tokens(alice, chat)
    later = cast.refresh(chat, tokens.refresh_token).json()["access_token"]

    answer = give_up(chat, tokens.refresh_token, token_type_hint=hint)

    assert (answer.status_code, answer.content, answer["Cache-Control"]) == (200, b"", "no-store")
    assert not usable(tokens.access_token)
    assert not usable(later)
    assert cast.refresh(chat, tokens.refresh_token).json()["error"] == "invalid_grant"
    assert Consent.objects.get().status == ConsentStatus.AUTHORISED
    assert AuditEntry.objects.get(action="token.revoked").reason_code == "refresh_token"


@pytest.mark.parametrize("hint", ["", "refresh_token", "access_token", "nonsense"])
def test_access_token_takes_only_itself(alice: User, chat: Member, hint: str) -> None:
    tokens = cast.tokens(alice, chat)
    later = cast.refresh(chat, tokens.refresh_token).json()["access_token"]

    answer = give_up(chat, tokens.access_token, token_type_hint=hint)

    assert answer.status_code == 200
    assert not usable(tokens.access_token)
    assert usable(later)
    assert cast.refresh(chat, tokens.refresh_token).status_code == 200


def test_other_grants_of_the_same_platform_and_user_live_on(alice: User, chat: Member) -> None:
    tokens, other = cast.tokens(alice, chat), cast.tokens(alice, chat)

    give_up(chat, tokens.refresh_token)

    assert usable(other.access_token)
    assert cast.refresh(chat, other.refresh_token).status_code == 200


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_another_platforms_token_is_unknown_and_untouched(
    alice: User, chat: Member, budget: Member, rows: Rows, which: str
) -> None:
    tokens = cast.tokens(alice, chat)
    before = rows()

    answer = give_up(budget, getattr(tokens, which))

    assert (answer.status_code, answer.content) == (200, b"")
    assert rows() == before
    assert usable(tokens.access_token)


@pytest.mark.parametrize("token", ["nothing", "t" * 10_000, "ünicode"])
def test_unknown_token_is_no_error(alice: User, chat: Member, rows: Rows, token: str) -> None:
    cast.tokens(alice, chat)
    before = rows()

    assert give_up(chat, token).status_code == 200
    assert rows() == before


def test_second_time_is_no_error(alice: User, chat: Member, rows: Rows) -> None:
    tokens = cast.tokens(alice, chat)
    give_up(chat, tokens.refresh_token)
    before = rows()

    assert give_up(chat, tokens.refresh_token).status_code == 200
    assert rows() == before
    assert not AccessToken.objects.exists()
    assert not RefreshToken.objects.exists()


def test_token_is_needed(chat: Member) -> None:
    answer = cast.post_form(chat, "/oauth/revoke", {"token_type_hint": "access_token"})

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
