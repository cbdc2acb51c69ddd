"""What every answer carries, and what none does."""

import pytest

from tests.gateway.api import world
from tests.gateway.api.world import Api

PATHS = ("/v1/institutions", "/v1/accounts", "/v1/consent", "/v1/accounts/{id}/transactions", "/v1/nothing")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("with_token", [True, False])
def test_nothing_is_stored_on_the_way_and_everything_has_an_id(
    api: Api, account_id: str, path: str, with_token: bool
) -> None:
    answer = (api if with_token else Api(None)).unchecked("GET", path.format(id=account_id))

    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Request-Id"].startswith("req_")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert not answer.cookies
    if answer.status_code >= 400:
        assert answer.json()["request_id"] == answer["X-Request-Id"]


@pytest.mark.parametrize("path", PATHS)
def test_no_browser_page_is_let_in(api: Api, account_id: str, path: str) -> None:
    answer = api.unchecked("GET", path.format(id=account_id), Origin="https://elsewhere.example")

    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_the_callers_request_id_comes_back(api: Api) -> None:
    assert api.get("/v1/accounts", X_Request_Id="abc-123.DEF_4")["X-Request-Id"] == "abc-123.DEF_4"
    assert world.usage()[0].request_id == "abc-123.DEF_4"


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space", "ü" * 10, "a;b;c;d;e;f", ""])
def test_an_unsound_request_id_is_replaced(api: Api, given: str) -> None:
    assert api.get("/v1/accounts", X_Request_Id=given)["X-Request-Id"].startswith("req_")


def test_options_tells_the_methods_and_no_more(api: Api) -> None:
    answer = api.unchecked("OPTIONS", "/v1/accounts", Origin="https://elsewhere.example")

    assert (answer.status_code, answer.content, answer["Allow"]) == (204, b"", "GET, HEAD, OPTIONS")
    assert Api(None).unchecked("OPTIONS", "/v1/accounts").status_code == 401


def test_head_is_get_without_the_body(api: Api) -> None:
    answer = api.unchecked("HEAD", "/v1/accounts")

    assert (answer.status_code, answer.content) == (200, b"")
    assert len(world.usage()) == 1
