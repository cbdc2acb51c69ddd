"""/oauth/grants/{id}: a consent under OAuth's name for it, looked at and ended with a platform token."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from consents import clock
from consents.models import AccessToken, Consent
from consents.states import ConsentStatus
from gateway.identity.models import User
from tests.support import cast
from tests.support.cast import Member, Tokens


def send(method: str, grant_id: str, authorization: str | None) -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = Client(raise_request_exception=False).generic(method, f"/oauth/grants/{grant_id}", headers=headers)
    assert answer["Cache-Control"] == "no-store"
    return answer


def own(member: Member) -> str:
    return f"Bearer {cast.platform_token(member)}"


@pytest.fixture
def tokens(alice: User, chat: Member) -> Tokens:
    return cast.tokens(alice, chat)


def test_a_grant_says_what_it_grants_and_not_who_granted_it(tokens: Tokens, alice: User, chat: Member) -> None:
    answer = send("GET", tokens.grant_id, own(chat))

    assert answer.json() == {
        "scopes": [{"scope": "accounts balances"}],
        "claims": [],
        "authorization_details": tokens.answer["authorization_details"],
    }
    assert alice.username not in answer.content.decode()


def test_ending_a_grant_ends_the_consent_and_its_tokens(tokens: Tokens, chat: Member) -> None:
    answer = send("DELETE", tokens.grant_id, own(chat))

    assert (answer.status_code, answer.content) == (204, b"")
    consent = Consent.objects.get()
    assert (consent.status, consent.status_reason) == (ConsentStatus.REVOKED, "platform_request")
    assert not AccessToken.objects.exists()
    for method in ("GET", "DELETE"):
        assert send(method, tokens.grant_id, own(chat)).status_code == 404


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_t1_what_is_not_its_own_or_is_over_is_not_there(
    tokens: Tokens, chat: Member, budget: Member, method: str
) -> None:
    answers = [send(method, tokens.grant_id, own(budget)), send(method, "con_" + "0" * 32, own(chat))]
    answers += [send(method, str(tokens.consent.id), own(chat)), send(method, "x\0", own(chat))]
    Consent.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    answers.append(send(method, tokens.grant_id, own(chat)))

    assert {one.status_code for one in answers} == {404}
    assert len({one.content for one in answers}) == 1
    assert Consent.objects.get().status == ConsentStatus.AUTHORISED


@pytest.mark.parametrize("status", ["PAUSED", "SUSPENDED"])
def test_a_grant_that_waits_can_be_ended(tokens: Tokens, chat: Member, status: str) -> None:
    Consent.objects.update(status=status)

    assert send("DELETE", tokens.grant_id, own(chat)).status_code == 204


def test_a_users_token_is_not_enough_and_none_is_less(tokens: Tokens, chat: Member) -> None:
    of_user = send("GET", tokens.grant_id, tokens.authorization)
    nobody = send("GET", tokens.grant_id, None)
    invented = send("GET", tokens.grant_id, "Bearer 0123456789abcdef0123456789abcdef")
    basic = send("GET", tokens.grant_id, cast.basic(chat))

    assert (of_user.status_code, of_user.json()["error"]) == (403, "insufficient_scope")
    assert 'error="insufficient_scope"' in of_user["WWW-Authenticate"]
    assert [one.status_code for one in (nobody, invented, basic)] == [401] * 3
    assert "error=" not in nobody["WWW-Authenticate"]
    assert 'error="invalid_token"' in invented["WWW-Authenticate"]
