"""The hot reads answer ahead of Django's middleware, and say just what they would say behind it."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import resolve

from consents.models import UsageRow
from gateway.api import hot, urls, views
from gateway.oauth import limits
from tests.gateway.api.conftest import LetIn
from tests.gateway.api.world import Api

PATHS = (
    "/v1/accounts",
    "/v1/accounts/{id}",
    "/v1/accounts/{id}/balances",
    "/v1/accounts/{id}/transactions",
    "/v1/transactions/sync",
)
#: What differs: nothing that a platform reads.
OF_BROWSERS = {"Content-Security-Policy"}
OF_ONE_REQUEST = {"X-Request-Id"}


@pytest.fixture(autouse=True)
def one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    from consents import clock

    window_at = clock.now().replace(second=0, microsecond=0)
    monkeypatch.setattr(limits, "_window", lambda now: (window_at, 42))


@pytest.mark.parametrize("path", PATHS)
def test_the_middleware_finds_what_the_addresses_say(path: str) -> None:
    match = resolve(path.format(id="acc_1"))
    view: Any = match.func

    found = hot.found(path.format(id="acc_1"))

    assert found == (view.view_class.read, tuple(match.kwargs.values()))


def test_it_finds_every_hot_view_and_nothing_else() -> None:
    for pattern in urls.urlpatterns:
        path = "/" + str(pattern.pattern).replace("<str:account_id>", "acc_1").replace("<str:", "x").replace(">", "")
        view: Any = pattern.callback
        is_hot = issubclass(getattr(view, "view_class", object), views.HotView)
        assert (hot.found(path) is not None) == is_hot, path


@pytest.mark.parametrize("path", ["/v1/accounts/", "/v1/accounts/a/", "/v1/accounts//balances", "/v1/accounts\n"])
def test_what_is_nearly_an_address_is_none(path: str) -> None:
    assert hot.found(path) is None


def headers(answer: Any) -> Mapping[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in OF_BROWSERS | OF_ONE_REQUEST}


REQUESTS: dict[str, dict[str, Any]] = {
    "good": {},
    "no token": {"headers": {"Authorization": ""}},
    "a bad token": {"headers": {"Authorization": "Bearer nothing"}},
    "a parameter too many": {"query": {"x": 1}},
    "a bad purpose": {"headers": {"Purpose": "gossip"}},
    "another purpose": {"headers": {"Purpose": "budgeting"}},
    "half a presence": {"headers": {"x-fapi-auth-date": "today"}},
    "no JSON wanted": {"headers": {"Accept": "text/html"}},
    "JSON refused": {"headers": {"Accept": "application/json;q=0"}},
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", REQUESTS)
def test_an_answer_is_the_same_with_all_of_djangos_middleware_before_it(
    let_in: LetIn, account_id: str, settings: Any, path: str, name: str
) -> None:
    request = REQUESTS[name]
    path = path.format(id=account_id)
    answers = []
    for middleware in (
        django_settings.MIDDLEWARE,
        [one for one in django_settings.MIDDLEWARE if one != "gateway.api.hot.HotReads"],
    ):
        settings.MIDDLEWARE = middleware
        given = {**request.get("headers", {}), "X-Request-Id": "the-same-one"}
        answers.append(let_in().unchecked("GET", path, request.get("query", ""), **given))
        _forget_counts()

    lean, whole = answers
    assert lean.status_code == whole.status_code
    assert _comparable(lean) == _comparable(whole)
    told = {**headers(lean)}, {**headers(whole)}
    for one in told:
        one.pop("ETag", None)  # of one consent
    assert told[0] == told[1]


def _comparable(answer: Any) -> Any:
    body = answer.json()
    body.pop("next_cursor", None)  # sealed for one consent
    return body


def _forget_counts() -> None:
    from gateway.oauth.models import RequestCount

    RequestCount.objects.all().delete()


@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_host_is_refused_before_anything_is_read(api: Api, account_id: str, path: str) -> None:
    answer = api.unchecked("GET", path.format(id=account_id), Host="evil.example")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert not UsageRow.objects.exists()


def test_plain_http_is_sent_to_tls_where_that_is_wanted(api: Api, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True

    answer = api.unchecked("GET", "/v1/accounts")

    assert (answer.status_code, answer["Location"][:8]) == (301, "https://")
    assert not UsageRow.objects.exists()


def test_over_tls_it_says_that_tls_is_to_be_kept(api: Api, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 600
    assert api.tokens is not None

    answer = Client().get("/v1/accounts", secure=True, headers={"Authorization": api.tokens.authorization})

    assert answer.status_code == 200
    assert answer["Strict-Transport-Security"].startswith("max-age=600")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", PATHS)
def test_other_methods_are_refused_as_ever(api: Api, account_id: str, path: str, method: str) -> None:
    answer = api.unchecked(method, path.format(id=account_id))

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD, OPTIONS"


# -- what it costs -----------------------------------------------------------------------------------------------------

#: Beside what the limits cost: token and decision, banks or account, rows, and the log.
STATEMENTS = 4
#: Elsewhere the log is a transaction of its own: its two ends, the consent, the row, the count.
STATEMENTS_ON_SQLITE = 3 + 5


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", PATHS[:4])
def test_a_hot_read_is_four_statements_on_postgresql(
    let_in: LetIn, account_id: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_counted", lambda names, window_at: [1] * len(names))
    api, path = let_in(), path.format(id=account_id)
    etag = api.get(path)["ETag"]

    with CaptureQueriesContext(connection) as read:
        assert api.get(path).status_code == 200
    with CaptureQueriesContext(connection) as unchanged:
        assert api.get(path, If_None_Match=etag).status_code == 304

    expected = STATEMENTS if connection.vendor == "postgresql" else STATEMENTS_ON_SQLITE
    assert len(read.captured_queries) == expected, [one["sql"][:90] for one in read.captured_queries]
    assert len(unchanged.captured_queries) == (expected if path.count("/") < 4 else expected - 1)
