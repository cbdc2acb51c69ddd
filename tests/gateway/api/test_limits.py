"""How many requests a minute: each platform, user and address for itself, told in every answer, exact at the limit."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import RequestFactory

from banks.models import Account
from consents import clock
from consents.models import Consent, UsageRow
from gateway.identity.models import User
from gateway.oauth import housekeeping, limits
from gateway.oauth.models import RequestCount
from tests.gateway.api import world
from tests.gateway.api.conftest import LetIn
from tests.gateway.api.world import Api
from tests.support import cast
from tests.support.cast import Member

AT = datetime(2026, 3, 4, 12, 0, 17, tzinfo=UTC)


@pytest.fixture
def quotas(settings: Any) -> dict[str, int]:
    settings.CALLS_PER_MINUTE = dict(django_settings.CALLS_PER_MINUTE)
    found: dict[str, int] = settings.CALLS_PER_MINUTE
    return found


@pytest.fixture(autouse=True)
def one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees a window end: the same one all through, 42 seconds of it left."""
    window_at = clock.now().replace(second=0, microsecond=0)
    monkeypatch.setattr(limits, "_window", lambda now: (window_at, 42))


# -- what is told ------------------------------------------------------------------------------------------------------


def test_every_answer_says_how_one_stands(api: Api, chat: Member) -> None:
    first, second = api.get("/v1/accounts"), api.get("/v1/consent")
    managed = world.manager(chat).get("/v1/consents")

    assert first["RateLimit-Policy"] == '"user";q=120;w=60, "platform";q=600;w=60'
    assert first["RateLimit"] == '"user";r=119;t=42, "platform";r=599;t=42'
    assert second["RateLimit"] == '"user";r=118;t=42, "platform";r=598;t=42'
    assert (managed["RateLimit-Policy"], managed["RateLimit"]) == (
        '"platform";q=600;w=60',
        '"platform";r=597;t=42',
    )


@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/consents", "/v1/nothing"])
def test_who_says_nothing_of_who_it_is_is_told_how_its_address_stands(db: None, path: str) -> None:
    answer = Api(None).unchecked("GET", path)

    assert (answer["RateLimit-Policy"], answer["RateLimit"]) == ('"failed";q=60;w=60', '"failed";r=59;t=42')


def test_a_refusal_is_counted_and_told_as_an_answer(api: Api) -> None:
    assert api.get("/v1/accounts", {"x": 1})["RateLimit"].startswith('"user";r=119')
    assert api.unchecked("PUT", "/v1/accounts")["RateLimit"].startswith('"user";r=118')


# -- at the limit ------------------------------------------------------------------------------------------------------


def test_t17_one_user_too_many_is_refused_and_says_how_long(api: Api, quotas: dict[str, int]) -> None:
    quotas["user"] = 2
    good = [api.get("/v1/accounts").status_code for _ in range(2)]

    answer = api.get("/v1/accounts")

    body = answer.json()
    assert good == [200, 200]
    assert (answer.status_code, body["code"], body["retry_after"], answer["Retry-After"]) == (
        429,
        "rate_limited",
        42,
        "42",
    )
    assert answer["RateLimit"] == '"user";r=0;t=42, "platform";r=597;t=42'
    assert "WWW-Authenticate" not in answer
    assert UsageRow.objects.count() == 2


def test_t17_one_users_traffic_takes_nothing_from_another_user(
    let_in: LetIn, bob: User, northbank: Any, quotas: dict[str, int]
) -> None:
    quotas["user"] = 1
    (bobs,) = world.accounts_of(bob, northbank)
    alices, of_bob = let_in(), let_in(user=bob, accounts=(bobs,))
    again = let_in()
    alices.get("/v1/accounts")

    assert alices.get("/v1/accounts").status_code == 429
    assert again.get("/v1/accounts").status_code == 429  # another consent, the same user
    assert of_bob.get("/v1/accounts").status_code == 200


def test_t17_one_platform_takes_nothing_from_another(
    let_in: LetIn, chat: Member, budget: Member, quotas: dict[str, int]
) -> None:
    quotas["platform"] = 3
    loud, quiet = let_in(), let_in(member=budget)
    for _ in range(20):
        loud.get("/v1/accounts")

    assert loud.get("/v1/accounts").status_code == 429
    assert world.manager(chat).get("/v1/consents").status_code == 429
    answer = quiet.get("/v1/accounts")
    assert (answer.status_code, answer["RateLimit"]) == (200, '"user";r=119;t=42, "platform";r=2;t=42')


def test_t17_an_address_that_guesses_tokens_is_refused_and_its_neighbours_with_a_token_are_not(
    api: Api, quotas: dict[str, int]
) -> None:
    quotas["failed"] = 2
    guess = {"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}

    answers = [Api(None).get("/v1/accounts", **guess) for _ in range(3)]

    assert [one.status_code for one in answers] == [401, 401, 429]
    assert Api(None).unchecked("GET", "/v1/nothing").status_code == 429
    assert api.get("/v1/accounts").status_code == 200


def test_t17_the_token_endpoint_counts_each_platform_for_itself(
    alice: User, chat: Member, budget: Member, quotas: dict[str, int]
) -> None:
    quotas["token"] = 2
    fields = {"grant_type": "client_credentials"}
    answers = [cast.post_form(chat, "/oauth/token", fields) for _ in range(3)]

    refused = answers[2]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert (refused.json()["error"], refused["Retry-After"]) == ("temporarily_unavailable", "42")
    assert refused["RateLimit"] == '"token";r=0;t=42'
    assert cast.post_form(chat, "/oauth/introspect", {"token": "x"}).status_code == 429
    assert cast.post_form(chat, "/oauth/revoke", {"token": "x"}).status_code == 429
    assert cast.post_form(budget, "/oauth/token", fields).status_code == 200


def test_t17_an_address_that_guesses_secrets_is_refused_and_the_platform_is_not(
    chat: Member, quotas: dict[str, int]
) -> None:
    quotas["failed"] = 2
    guess = Member(chat.platform, "a-guess", chat.redirect_uri)
    fields = {"grant_type": "client_credentials"}

    assert [cast.post_form(guess, "/oauth/token", fields).status_code for _ in range(3)] == [401, 401, 429]
    assert cast.post_form(chat, "/oauth/token", fields).status_code == 200


def test_t17_grants_count_as_the_api_does(alice: User, chat: Member, quotas: dict[str, int]) -> None:
    quotas["platform"], quotas["failed"] = 1, 1
    tokens = cast.tokens(alice, chat)
    manager, stranger = world.manager(chat), Api(None)
    path = f"/oauth/grants/{tokens.grant_id}"

    assert [manager.unchecked("GET", path).status_code for _ in range(2)] == [200, 429]
    assert [stranger.unchecked("GET", path).status_code for _ in range(2)] == [401, 429]


def test_a_refused_call_does_nothing(api: Api, chat: Member, quotas: dict[str, int]) -> None:
    quotas["user"] = 0
    assert api.tokens is not None

    assert api.delete(f"/v1/consents/{world.seen(chat, 'con', api.tokens.consent.id)}").status_code == 429
    assert Consent.objects.get().status == "AUTHORISED"


# -- addresses ---------------------------------------------------------------------------------------------------------


def address(text: str) -> str:
    return limits.of_address(RequestFactory().get("/", REMOTE_ADDR=text)).key


def test_an_ipv6_network_counts_as_one_and_no_address_is_kept(db: None) -> None:
    assert address("2001:db8:1:2::1") == address("2001:db8:1:2:ffff::9") != address("2001:db8:1:3::1")
    assert address("203.0.113.7") != address("203.0.113.8")
    assert "203.0.113.7" not in address("203.0.113.7")


# -- what it costs, and what is forgotten ------------------------------------------------------------------------------


def test_a_read_costs_three_statements_more(api: Api, django_assert_num_queries: Any) -> None:
    subjects = [limits.Subject("user", "u", 5), limits.Subject("platform", "p", 5)]
    limits.count(subjects, now=AT)

    with django_assert_num_queries(3 + 2):  # and the ends of the transaction: a savepoint, in a test
        limits.count(subjects, now=AT)


def test_counts_are_forgotten_an_hour_after_their_window_began(account: Account) -> None:
    limits.count([limits.Subject("user", "u", 5)], now=AT)
    began = RequestCount.objects.get().window_at

    assert housekeeping.forget_expired(began + timedelta(minutes=59)).request_counts == 0
    assert housekeeping.forget_expired(began + timedelta(hours=1)).request_counts == 1
