"""/v1/refreshes over HTTP: the answer, its headers, waiting, keys, and every way of being refused."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from banks import leases
from banks.models import (
    LIVE_JOBS,
    Account,
    Connection,
    FetchRecord,
    Institution,
    RefreshRequest,
    SyncJob,
    SyncJobStatus,
)
from consents import clock
from consents.models import Consent
from consents.scopes import Scope
from gateway.api import waiting
from gateway.identity.models import User
from tests.gateway.api import world
from tests.gateway.api.conftest import LetIn
from tests.gateway.api.world import Api
from tests.support import cast
from tests.support.cast import Member

PATH = "/v1/refreshes"


def end_jobs(status: SyncJobStatus = SyncJobStatus.COMMITTED) -> None:
    for job_id in SyncJob.objects.filter(status__in=LIVE_JOBS).values_list("id", flat=True):
        held = leases.claim(job_id, now=clock.now())
        assert held is not None
        leases.finish(held, status, counts={}, error=None, now=clock.now())


def spend(account: Account, count: int = 4) -> None:
    for _ in range(count):
        FetchRecord.objects.create(
            connection_id=account.connection_id,
            account_id=account.id,
            resource="balances",
            presence="ABSENT",
            job_id=uuid4(),
            epoch=1,
            fetched_at=clock.now() - timedelta(hours=1),
        )


@pytest.fixture
def pause(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """`pause(deed)`: instead of sleeping, the wait does this once a look; the clock goes on by a second each time."""

    def install(deed: Callable[[], object]) -> None:
        seconds = [0.0]

        def look(ended: Callable[[], bool], limit: int) -> bool:
            def slept(_: float) -> None:
                seconds[0] += 1
                deed()

            return kept(ended, limit, pause=slept, monotonic=lambda: seconds[0])

        kept = waiting.wait_until
        monkeypatch.setattr(waiting, "wait_until", look)

    return install


# -- the answer --------------------------------------------------------------------------------------------------------


def test_it_is_202_with_an_address_to_look_at(api: Api, account_id: str) -> None:
    answer = api.post(PATH)

    body = answer.json()
    assert (answer.status_code, answer["Location"]) == (202, f"{PATH}/{body['refresh_id']}")
    assert "Preference-Applied" not in answer
    assert (body["status"], body["next_refresh_after"]) == ("QUEUED", None)
    assert body["parts"] == [
        {
            "institution": {"id": "northbank", "name": "Northbank"},
            "account_ids": [account_id],
            "status": "QUEUED",
            "code": None,
            "retry_after": None,
        }
    ]
    assert SyncJob.objects.get().status == "QUEUED"
    assert world.usage() == [], "no customer data has left"


def test_the_address_tells_how_it_stands(api: Api) -> None:
    address = api.post(PATH)["Location"]
    before = api.get(address)
    end_jobs()

    after = api.get(address)

    assert (before.status_code, before.json()["status"]) == (200, "QUEUED")
    assert (after.status_code, after.json()["status"]) == (200, "DONE")


def test_without_the_scope_accounts_the_bank_is_not_named(let_in: LetIn, account: Account, account_id: str) -> None:
    (part,) = let_in([Scope.BALANCES]).post(PATH).json()["parts"]
    (derived,) = let_in([Scope.INSIGHTS], purposes=["spending_insights"]).post(PATH).json()["parts"]

    assert "institution" not in part and part["account_ids"] == [account_id]
    assert not {"institution", "account_ids"} & set(derived)


def test_no_internal_id_is_in_any_answer(api: Api, account: Account) -> None:
    first = api.post(PATH)
    told = (first.content + api.get(first["Location"]).content).decode() + first["Location"]

    asked, job = RefreshRequest.objects.get(), SyncJob.objects.get()
    for secret in (asked.id, job.id, account.id, account.connection_id, account.institution_id, account.user_id):
        assert str(secret) not in told and secret.hex not in told


def test_named_accounts_alone_are_refreshed(
    let_in: LetIn, alice: User, chat: Member, account: Account, account_id: str
) -> None:
    south = cast.institution("southbank")
    cast.permissive_policy(south)
    (other,) = world.accounts_of(alice, south)
    api = let_in(accounts=[account, other])

    answer = api.post(PATH, f'{{"account_ids": ["{account_id}"]}}')

    assert [part["account_ids"] for part in answer.json()["parts"]] == [[account_id]]
    assert SyncJob.objects.get().connection_id == account.connection_id


# -- bad requests ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (b"null", "", "bad_type"),
        (b"[]", "", "bad_type"),
        (b'"x"', "", "bad_type"),
        (b"{", "", "parse_error"),
        (b"{}{}", "", "parse_error"),
        (b"\xff", "", "parse_error"),
        (b"{\x00}", "", "parse_error"),
        (b'{"account_ids": NaN}', "", "parse_error"),
        (b'{"account_ids": ["a"], "account_ids": ["b"]}', "", "parse_error"),
        (b"[" * 100_000, "", "parse_error"),
        (b'{"x": 1}', "/x", "unknown"),
        (b'{"a/b~c": 1}', "/a~1b~0c", "unknown"),
        (b'{"account_ids": null}', "/account_ids", "bad_type"),
        (b'{"account_ids": []}', "/account_ids", "bad_type"),
        (b'{"account_ids": "acc_1"}', "/account_ids", "bad_type"),
        (b'{"account_ids": [1]}', "/account_ids", "bad_type"),
        (b'{"account_ids": [["a"]]}', "/account_ids", "bad_type"),
        (b'{"account_ids": ["a", "a"]}', "/account_ids", "repeated"),
    ],
    ids=range(18),
)
def test_a_bad_body_is_refused(api: Api, body: bytes, pointer: str, code: str) -> None:
    answer = api.post(PATH, body)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert {"pointer": pointer, "code": code} in [
        {name: error.get(name) for name in ("pointer", "code")} for error in answer.json()["errors"]
    ]
    assert not SyncJob.objects.exists() and not RefreshRequest.objects.exists()


@pytest.mark.parametrize("key", ["", " ", "with space", "x" * 256, "ü", "a\tb", "a\x7f"])
def test_a_bad_key_is_refused(api: Api, key: str) -> None:
    answer = api.post(PATH, Idempotency_Key=key)

    assert (answer.status_code, answer.json()["errors"][0]["header"]) == (400, "Idempotency-Key")
    assert not SyncJob.objects.exists()


def test_other_media_types_and_large_bodies_are_refused(api: Api) -> None:
    form = api.post(PATH, "account_ids=x", content_type="application/x-www-form-urlencoded")
    large = api.post(PATH, b" " * 300_000)

    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
    assert (large.status_code, large.json()["code"]) == (413, "content_too_large")
    assert api.post(PATH, "{}", content_type="Application/JSON; charset=utf-8").status_code == 202


def test_no_parameter_is_silently_ignored(api: Api) -> None:
    answer = api.call("POST", PATH, "wait=8")

    assert answer.json()["errors"][0]["code"] == "unknown"


def test_foreign_accounts_are_not_there(
    let_in: LetIn, bob: User, chat: Member, budget: Member, northbank: Institution, account: Account
) -> None:
    (of_bob,) = world.accounts_of(bob, northbank)
    api = let_in()
    foreign = (
        world.seen(chat, "acc", of_bob.id),
        world.seen(budget, "acc", account.id),
        world.seen(chat, "acc", uuid4()),
        str(account.id),
        "x",
    )

    for account_id in foreign:
        answer = api.post(PATH, f'{{"account_ids": ["{account_id}"]}}')
        assert (answer.status_code, answer.json()["code"]) == (404, "account_not_found")
    assert not SyncJob.objects.exists()


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_used_up_fetches_are_429_with_reason_and_instant(api: Api, account: Account) -> None:
    spend(account)

    answer = api.post(PATH)

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["owner"]) == (429, "refresh_refused", "BANK")
    assert problem["reason"] == "fetch_quota_spent"
    assert 22 * 3600 < problem["retry_after"] <= 23 * 3600 and answer["Retry-After"] == str(problem["retry_after"])
    assert problem["next_refresh_after"] > clock.now().isoformat()


def test_a_connection_that_needs_its_user_is_403_and_theirs(api: Api) -> None:
    Connection.objects.update(status="REAUTH_REQUIRED")

    answer = api.post(PATH)

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["owner"]) == (403, "connection_not_serving", "USER")
    assert problem["action_url"]


def test_a_refused_part_says_why_and_for_how_long(let_in: LetIn, alice: User, account: Account) -> None:
    south = cast.institution("southbank")
    cast.permissive_policy(south)
    (other,) = world.accounts_of(alice, south)
    spend(account)

    body = let_in(accounts=[account, other]).post(PATH).json()

    by_bank = {part["institution"]["id"]: part for part in body["parts"]}
    assert body["status"] == "QUEUED"
    assert (by_bank["northbank"]["status"], by_bank["northbank"]["code"]) == ("REFUSED", "fetch_quota_spent")
    assert 22 * 3600 < by_bank["northbank"]["retry_after"] <= 23 * 3600
    assert by_bank["southbank"]["status"] == "QUEUED"


def test_every_id_that_is_not_this_consents_gets_the_same_404(
    let_in: LetIn, bob: User, budget: Member, chat: Member, northbank: Institution
) -> None:
    api, own = let_in(), let_in()
    (of_bob,) = world.accounts_of(bob, northbank)
    foreign = [
        own.post(PATH).json()["refresh_id"],
        let_in(member=budget).post(PATH).json()["refresh_id"],
        let_in(user=bob, accounts=[of_bob]).post(PATH).json()["refresh_id"],
        world.seen(chat, "rfr", uuid4()),
        world.seen(chat, "acc", RefreshRequest.objects.first().id),  # type: ignore[union-attr]
        "x",
        "rfr_ü",
    ]

    answers = [api.get(f"{PATH}/{refresh_id}") for refresh_id in foreign]

    told = [
        {name: value for name, value in answer.json().items() if name not in ("instance", "request_id")}
        for answer in answers
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert all(one == told[0] for one in told) and told[0]["code"] == "refresh_not_found"


# -- one key, one effect -----------------------------------------------------------------------------------------------


def test_t24_one_key_is_one_refresh_and_another_request_is_422(api: Api, account_id: str) -> None:
    first = api.post(PATH, Idempotency_Key="k-1")
    again = api.post(PATH, "{}", Idempotency_Key="k-1")
    other = api.post(PATH, f'{{"account_ids": ["{account_id}"]}}', Idempotency_Key="k-1")

    assert again.json()["refresh_id"] == first.json()["refresh_id"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert RefreshRequest.objects.count() == 1


def test_a_replay_of_what_has_ended_is_200(api: Api) -> None:
    first = api.post(PATH, Idempotency_Key="k")
    end_jobs()

    again = api.post(PATH, Idempotency_Key="k")

    assert (again.status_code, again["Location"], again.json()["status"]) == (200, first["Location"], "DONE")


def test_t24_nothing_is_replayed_after_a_revocation(api: Api) -> None:
    assert api.tokens is not None
    address = api.post(PATH, Idempotency_Key="k")["Location"]

    cast.revoke(api.tokens.consent)

    assert api.post(PATH, Idempotency_Key="k").json()["code"] == "invalid_token"
    assert api.get(address).json()["code"] == "invalid_token"


def test_t24_a_key_is_nothing_to_another_platform_nor_to_another_consent(
    let_in: LetIn, chat: Member, budget: Member
) -> None:
    """It stands for one request of one consent, and a consent has one platform."""
    first = let_in().post(PATH, Idempotency_Key="k")
    others = [let_in().post(PATH, Idempotency_Key="k"), let_in(member=budget).post(PATH, Idempotency_Key="k")]

    assert [one.status_code for one in (first, *others)] == [202] * 3
    assert len({one.json()["refresh_id"] for one in (first, *others)}) == 3
    assert RefreshRequest.objects.count() == 3


@pytest.mark.parametrize(("status", "code"), [("PAUSED", "consent_paused"), ("SUSPENDED", "consent_suspended")])
def test_t24_nothing_is_replayed_while_the_consent_waits(api: Api, status: str, code: str) -> None:
    api.post(PATH, Idempotency_Key="k")
    Consent.objects.update(status=status)

    answer = api.post(PATH, Idempotency_Key="k")

    assert (answer.status_code, answer.json()["code"]) == (403, code)


# -- waiting -----------------------------------------------------------------------------------------------------------


def test_a_wait_that_sees_the_end_is_200(api: Api, pause: Any) -> None:
    pause(end_jobs)

    answer = api.post(PATH, Prefer="wait=8")

    assert (answer.status_code, answer.json()["status"]) == (200, "DONE")
    assert answer["Preference-Applied"] == "wait=8"


def test_a_wait_that_sees_no_end_is_202_after_its_seconds(api: Api, pause: Any) -> None:
    looks: list[int] = []
    pause(lambda: looks.append(1))

    answer = api.post(PATH, Prefer="wait=60")

    assert (answer.status_code, answer["Preference-Applied"], len(looks)) == (202, "wait=8", 8)


@pytest.mark.django_db(transaction=True)
def test_a_wait_holds_no_transaction(let_in: LetIn, pause: Any) -> None:
    seen: list[bool] = []
    api = let_in()
    pause(lambda: (seen.append(connection.in_atomic_block), end_jobs()))

    api.post(PATH, Prefer="wait=8")

    assert seen == [False]


@pytest.mark.parametrize(
    ("status", "expected"), [("REVOKED", (401, "consent_revoked")), ("PAUSED", (403, "consent_paused"))]
)
def test_a_stop_during_the_wait_is_heard(api: Api, pause: Any, status: str, expected: tuple[int, str]) -> None:
    def stop() -> None:
        Consent.objects.update(status=status)
        end_jobs()

    pause(stop)

    answer = api.post(PATH, Prefer="wait=8")

    assert (answer.status_code, answer.json()["code"]) == expected


def test_beyond_a_few_nobody_waits(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = [waiting._places.acquire(blocking=False) for _ in range(waiting.WAITING_MAX)]
    try:
        answer = api.post(PATH, Prefer="wait=8")
    finally:
        for _ in taken:
            waiting._places.release()

    assert taken == [True] * waiting.WAITING_MAX
    assert answer.status_code == 202 and "Preference-Applied" not in answer


def test_a_place_is_given_back_whatever_happens() -> None:
    def broken() -> bool:
        raise RuntimeError

    for _ in range(2 * waiting.WAITING_MAX):
        with pytest.raises(RuntimeError):
            waiting.wait_until(broken, 1)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None), ("", None), ("respond-async", None), ("wait=8", 8), ("wait=3", 3), ("wait=0", 0), ("wait=60", 8),
        ("WAIT=5", 5), ('wait="5"', 5), ("respond-async, wait=5", 5), ("wait = 5", 5), ("wait=5; x=1", 5),
        ("wait=2, wait=7", 2), ('x="a, wait=7"', None), ('x="a\\", wait=7", wait=1', 1), ("wait", None),
        ("wait=", None),
        ("wait=-1", None), ("wait=1.5", None), ("wait=abc, wait=2", None), ("wait=" + "9" * 40, None),
        ("wait=٣", None), ("waiting=5", None), (",,wait=4", 4),
    ],
)  # fmt: skip
def test_what_prefer_says(header: str | None, seconds: int | None) -> None:
    assert waiting.preferred_seconds(header) == seconds
