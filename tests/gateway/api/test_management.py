"""What a platform does as itself: its consents by their ids, its banks, and nobody's data."""

from datetime import timedelta
from typing import Any

import pytest

from consents import clock, lifecycle, standing
from consents.models import AccessToken, AuditEntry, Consent, Platform
from consents.scopes import DurationType, Scope
from consents.states import ConsentStatus
from gateway.identity.models import User
from tests.gateway.api import world
from tests.gateway.api.conftest import LetIn
from tests.gateway.api.world import Api
from tests.support import cast
from tests.support.cast import Member

DAY = timedelta(days=1)


def own(member: Member, consent: Consent) -> str:
    return f"/v1/consents/{world.seen(member, 'con', consent.id)}"


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["consent_id"] for row in answer.json()["consents"]]


@pytest.fixture
def manager(chat: Member) -> Api:
    return world.manager(chat)


def consents(user: User, member: Member, count: int) -> list[Consent]:
    """The newest first, as the list has them; two of the same instant among them."""
    now = clock.now()
    made = [
        cast.authorised_consent(user, member.platform, (Scope.ACCOUNTS,), now=now - timedelta(minutes=number // 2))
        for number in range(count)
    ]
    return sorted(made, key=lambda one: (one.created_at, one.id), reverse=True)


# -- the list ----------------------------------------------------------------------------------------------------------


def test_it_lists_the_platforms_own_of_every_user_and_says_nothing_of_them(
    manager: Api, alice: User, bob: User, chat: Member, budget: Member
) -> None:
    mine = [cast.authorised_consent(user, chat.platform) for user in (alice, bob)]
    cast.authorised_consent(alice, budget.platform)

    answer = manager.get("/v1/consents")

    assert set(ids(answer)) == {world.seen(chat, "con", one.id) for one in mine}
    told = answer.content.decode()
    for person in (alice, bob):
        assert person.username not in told and str(person.pk) not in told and str(person.pseudonym) not in told
    assert not [str(one.id) for one in mine if str(one.id) in told or one.id.hex in told]


def test_pages_follow_one_another_over_equal_instants(manager: Api, alice: User, chat: Member) -> None:
    wanted = [world.seen(chat, "con", one.id) for one in consents(alice, chat, 7)]
    found: list[str] = []
    cursor: str | None = ""

    while cursor is not None:
        answer = manager.get("/v1/consents", {"limit": 3, **({"cursor": cursor} if cursor else {})})
        found += ids(answer)
        cursor = answer.json()["next_cursor"]

    assert found == wanted


def test_a_cursor_serves_its_own_list_of_its_own_platform(
    manager: Api, alice: User, chat: Member, budget: Member
) -> None:
    consents(alice, chat, 3)
    cursor = manager.get("/v1/consents", {"limit": 1}).json()["next_cursor"]
    other = world.manager(budget)

    refused = [
        manager.get("/v1/consents", {"cursor": cursor, "status": "PAUSED"}),
        other.get("/v1/consents", {"cursor": cursor}),
        manager.get("/v1/events", {"after": cursor}),
        manager.get("/v1/consents", {"cursor": "A" * 60}),
    ]

    assert {(one.status_code, one.json()["code"]) for one in refused} == {(400, "cursor_invalid")}


@pytest.mark.parametrize("status", list(ConsentStatus))
def test_each_status_filters_and_says_the_same(manager: Api, alice: User, chat: Member, status: ConsentStatus) -> None:
    """By the clock: what nobody has swept yet is over all the same."""
    rows = {one: cast.authorised_consent(alice, chat.platform) for one in ConsentStatus}
    for one, row in rows.items():
        Consent.objects.filter(id=row.id).update(status=one)
    over = {one: cast.authorised_consent(alice, chat.platform) for one in standing._RUNNING}
    for one, row in over.items():
        Consent.objects.filter(id=row.id).update(status=one, expires_at=clock.now() - DAY)
    used = cast.authorised_consent(alice, chat.platform)
    Consent.objects.filter(id=used.id).update(duration_type=DurationType.ONE_TIME, expires_at=clock.now() - DAY)
    expected = {rows[status].id}
    if status == ConsentStatus.EXPIRED:
        expected |= {row.id for row in over.values()}
    if status == ConsentStatus.CONSUMED:
        expected.add(used.id)

    answer = manager.get("/v1/consents", {"status": status.value})

    assert set(ids(answer)) == {world.seen(chat, "con", one) for one in expected}
    assert {row["status"] for row in answer.json()["consents"]} == {status}


@pytest.mark.parametrize("query", [{"status": "LIVE"}, {"limit": 0}, {"limit": 501}, {"user": "a"}, "status=&status="])
def test_what_it_does_not_understand_it_refuses(manager: Api, query: Any) -> None:
    assert manager.get("/v1/consents", query).json()["code"] == "invalid_request"


# -- one consent -------------------------------------------------------------------------------------------------------


def test_one_consent_says_how_it_stands_and_whose_hand_it_was(manager: Api, alice: User, chat: Member) -> None:
    consent = cast.authorised_consent(alice, chat.platform)
    lifecycle.pause(consent_id=consent.id, user_id=alice.id, actor=cast.BY_USER, now=clock.now())

    body = manager.get(own(chat, consent)).json()

    assert (body["status"], body["status_reason"], body["status_initiator"]) == ("PAUSED", "user_paused", "USER")
    assert body["scopes"] == ["accounts", "balances"]
    assert body["ended_at"] is None


def test_what_the_clock_ended_is_told_as_the_sweep_will_write_it(manager: Api, alice: User, chat: Member) -> None:
    consent = cast.authorised_consent(alice, chat.platform)
    Consent.objects.filter(id=consent.id).update(expires_at=clock.now() - DAY)
    before = manager.get(own(chat, consent)).json()

    lifecycle.expire_due(now=clock.now())

    after = manager.get(own(chat, consent)).json()
    assert (before["status"], before["status_reason"], before["status_initiator"]) == ("EXPIRED", "expired", "SYSTEM")
    assert {name for name in before if before[name] != after[name]} <= {"status_changed_at", "ended_at"}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_no_other_platforms_consent_is_there(
    manager: Api, alice: User, chat: Member, budget: Member, method: str
) -> None:
    foreign = cast.authorised_consent(alice, budget.platform)
    paths = [own(chat, foreign), own(budget, foreign), f"/v1/consents/{foreign.id}", "/v1/consents/all"]

    answers = [manager.call(method, path) for path in paths]

    assert {(one.status_code, one.json()["code"]) for one in answers} == {(404, "consent_not_found")}
    assert Consent.objects.get().status == ConsentStatus.AUTHORISED


def test_any_of_its_own_can_be_ended_and_its_tokens_with_it(
    manager: Api, let_in: LetIn, chat: Member, account: object
) -> None:
    api, other = let_in(), let_in()
    assert api.tokens is not None

    answer = manager.delete(own(chat, api.tokens.consent))

    assert (answer.status_code, answer.content) == (204, b"")
    assert api.get("/v1/accounts").status_code == 401
    assert other.get("/v1/accounts").status_code == 200
    entry = AuditEntry.objects.get(action="consent.revoked")
    assert (entry.initiator, entry.reason_code) == ("PLATFORM", "platform_request")


def test_what_has_ended_is_not_ended_again(manager: Api, alice: User, chat: Member) -> None:
    consent = cast.authorised_consent(alice, chat.platform)
    manager.delete(own(chat, consent))

    assert manager.delete(own(chat, consent)).json()["code"] == "transition_refused"


# -- which token opens what --------------------------------------------------------------------------------------------


def test_the_banks_are_told_to_either_token(manager: Api, let_in: LetIn) -> None:
    assert manager.get("/v1/institutions").json() == let_in().get("/v1/institutions").json()


@pytest.mark.parametrize(
    "path", ["/v1/accounts", "/v1/accounts/acc_0/balances", "/v1/transactions/sync", "/v1/consent", "/v1/refreshes/x"]
)
def test_t2_a_platforms_own_token_opens_no_customers_address(manager: Api, path: str) -> None:
    answer = manager.get(path)

    assert (answer.status_code, answer.json()["code"]) == (403, "consent_token_required")
    assert 'error="insufficient_scope"' in answer["WWW-Authenticate"]


@pytest.mark.parametrize("path", ["/v1/consents", "/v1/events"])
def test_t2_a_users_token_opens_no_management_address(api: Api, path: str) -> None:
    answer = api.get(path)

    assert (answer.status_code, answer.json()["code"]) == (403, "platform_token_required")
    assert 'error="insufficient_scope"' in answer["WWW-Authenticate"]


def test_a_platform_that_is_not_active_has_no_token(manager: Api, chat: Member) -> None:
    Platform.objects.filter(id=chat.platform.id).update(status="SUSPENDED")

    answer = manager.get("/v1/consents")

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert not AccessToken.objects.exists()
