"""A platform ends its own consent, and nothing else."""

import pytest

from banks.models import Account
from consents.models import AccessToken, AuditEntry, Consent, Event, Platform, RefreshToken
from consents.states import ConsentStatus
from gateway.identity.models import User
from tests.gateway.api import world
from tests.gateway.api.conftest import LetIn
from tests.gateway.api.world import Api
from tests.support import cast
from tests.support.cast import Member


def own(api: Api, member: Member) -> str:
    assert api.tokens is not None
    return f"/v1/consents/{world.seen(member, 'con', api.tokens.consent.id)}"


def test_it_ends_at_once_and_its_tokens_with_it(api: Api, chat: Member) -> None:
    assert api.tokens is not None

    answer = api.delete(own(api, chat))

    consent = Consent.objects.get(id=api.tokens.consent.id)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (consent.status, consent.status_reason, consent.status_initiator) == (
        "REVOKED",
        "platform_request",
        "PLATFORM",
    )
    assert not AccessToken.objects.exists() and not RefreshToken.objects.exists()
    assert api.get("/v1/accounts").json()["code"] == "invalid_token"
    assert cast.refresh(chat, api.tokens.refresh_token).status_code == 400


def test_it_is_written_down_with_the_request(api: Api, chat: Member) -> None:
    answer = api.delete(own(api, chat), X_Request_Id="my-request-1")

    entry = AuditEntry.objects.get(action="consent.revoked")
    assert (entry.initiator, entry.request_id, entry.platform_id) == ("PLATFORM", "my-request-1", chat.platform.id)
    assert answer["X-Request-Id"] == "my-request-1"
    assert Event.objects.filter(type="consent.revoked").count() == 1


def test_a_second_call_finds_a_dead_token(api: Api, chat: Member) -> None:
    path = own(api, chat)
    api.delete(path)

    answer = api.delete(path)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert AuditEntry.objects.filter(action="consent.revoked").count() == 1


@pytest.mark.parametrize("status", [ConsentStatus.PAUSED, ConsentStatus.SUSPENDED])
def test_a_consent_that_waits_can_be_ended(api: Api, chat: Member, status: ConsentStatus) -> None:
    assert api.tokens is not None
    Consent.objects.filter(id=api.tokens.consent.id).update(status=status)

    assert api.delete(own(api, chat)).status_code == 204


def test_a_suspended_platform_may_still_let_go(api: Api, chat: Member) -> None:
    Platform.objects.filter(id=chat.platform.id).update(status="SUSPENDED")

    assert api.delete(own(api, chat)).status_code == 204


def test_no_other_consent_can_be_ended(
    let_in: LetIn, bob: User, chat: Member, budget: Member, account: Account, northbank: object
) -> None:
    api = let_in()
    assert api.tokens is not None
    second, elsewhere, of_bob = let_in(), let_in(member=budget), let_in(user=bob, accounts=[])
    foreign = {
        "another consent of the same user": own(second, chat),
        "another platform's": own(elsewhere, budget),
        "another user's": own(of_bob, chat),
        "own, as the other platform sees it": f"/v1/consents/{world.seen(budget, 'con', api.tokens.consent.id)}",
        "own, internal": f"/v1/consents/{api.tokens.consent.id}",
        "own, upper case": own(api, chat).replace("con_", "CON_"),
        "an account's": f"/v1/consents/{world.seen(chat, 'acc', account.id)}",
        "nobody's": f"/v1/consents/{world.seen(chat, 'con', cast.stranger())}",
        "no id": "/v1/consents/all",
        "NUL": own(api, chat) + "\0",
    }

    answers = {name: api.delete(path) for name, path in foreign.items()}

    assert {(answer.status_code, answer.json()["code"]) for answer in answers.values()} == {(404, "consent_not_found")}
    assert Consent.objects.filter(status=ConsentStatus.AUTHORISED).count() == 4


def test_a_consent_is_not_read_by_its_id_with_a_users_token(api: Api, chat: Member) -> None:
    answer = api.get(own(api, chat))

    assert (answer.status_code, answer.json()["code"]) == (403, "platform_token_required")
    assert 'error="insufficient_scope"' in answer["WWW-Authenticate"]
