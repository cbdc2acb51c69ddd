"""What a stopped platform hears: for now 403 and who can change it, for good 401 on every token it had."""

from typing import Any

import pytest
from django.test import Client

from consents import clock, platforms
from consents.scopes import Scope
from consents.states import PlatformStatus
from gateway.identity.models import User
from tests.support import cast, ledger
from tests.support.cast import Member, Tokens

pytestmark = pytest.mark.django_db


@pytest.fixture
def tokens(alice: User, chat: Member, northbank: Any) -> Tokens:
    account = ledger.account(cast.connection(alice, northbank))
    return cast.tokens(alice, chat, (Scope.ACCOUNTS,), accounts=[cast.choice(account)])


def change(member: Member, status: PlatformStatus) -> None:
    member.platform.refresh_from_db()
    platforms.change_status(member.platform, status, reason="test", actor=cast.BY_OPERATOR, now=clock.now())


def read(client: Client, tokens: Tokens) -> Any:
    return client.get("/v1/accounts", headers={"Authorization": tokens.authorization})


@pytest.mark.parametrize("status", [PlatformStatus.SUSPENDED, PlatformStatus.INACTIVE])
def test_a_platform_that_is_stopped_for_now_is_told_who_can_change_it_and_reads_on_when_it_is_back(
    client: Client, chat: Member, tokens: Tokens, status: PlatformStatus
) -> None:
    assert read(client, tokens).status_code == 200
    change(chat, status)

    refused = read(client, tokens)

    assert (refused.status_code, refused.json()["code"], refused.json()["owner"]) == (
        403,
        "platform_not_active",
        "OPERATOR",
    )
    assert cast.refresh(chat, tokens.refresh_token).status_code == 401
    change(chat, PlatformStatus.ACTIVE)
    assert read(client, tokens).status_code == 200
    assert cast.refresh(chat, tokens.refresh_token).status_code == 200


@pytest.mark.parametrize("status", [PlatformStatus.REVOKED, PlatformStatus.SURRENDERED])
def test_one_that_is_withdrawn_holds_dead_tokens(
    client: Client, chat: Member, tokens: Tokens, status: PlatformStatus
) -> None:
    change(chat, status)

    refused = read(client, tokens)

    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")
    assert cast.refresh(chat, tokens.refresh_token).status_code == 401
