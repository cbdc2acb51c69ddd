"""What is not well-formed is refused, named, and leaves no trace in the tables."""

import pytest

from consents.models import AuditEntry, Event
from tests.gateway.api import world
from tests.gateway.api.world import Api

LONG = "9" * 10_000
BAD_DAYS = [
    "2026-02-30",
    "2026-13-01",
    "2026-00-10",
    "2026-1-1",
    "26-01-01",
    "20260101",
    "2026/01/01",
    "2026-01-01T00:00:00Z",
    "0033-01-01",
    "0000-00-00",
    "9999-12-31",
    "10000-01-01",
    "-2026-01-01",
    "+2026-01-01",
    "yesterday",
    "null",
    "NaN",
    "0",
    "1767225600",
    "2026-W01-1",
    "2026-001",
    "%EF%BC%92%EF%BC%90%EF%BC%92%EF%BC%96-01-01",
    "2026-01-01%00",
    "2026-01-01%0A",
    "%202026-01-01",
    "2026-01-01%20",
    "%FF",
    "%00",
    "2026-01-01,2026-01-02",
    "2026-01-01'--",
    "${7*7}",
    "../../etc",
    "",
    LONG,
]
BAD_LIMITS = ["", "0", "-1", "501", "1000", "99999999999999999999", "1.0", "1e2", "0x10", "01", "%2B1", "ten", "%D9%A1",
              "1%00", "1%0A", "NaN", "Infinity", "true", LONG]  # fmt: skip
BAD_STATUSES = ["", "booked", "REMOVED", "BOOKED,PENDING", "BOOKED%00", "*", "ALL", LONG]
STRANGERS = ["From=2026-01-01", "offset=1", "page=2", "format=json", "access_token=x", "account_id=1", "__proto__=1",
             "from%00=2026-01-01", "%FF=1", "=1", "x" * 5000 + "=1", "limit[]=5", "sort=x", "a=b"]  # fmt: skip
REPEATED = ["limit=1&limit=1", "from=2026-01-01&from=2026-01-01", "status=BOOKED&status=PENDING", "cursor=a&cursor=b"]

ROWS = [
    *((f"from={day}", "from", "bad_date") for day in BAD_DAYS),
    *((f"to={day}", "to", "bad_date") for day in BAD_DAYS),
    *((f"limit={limit}", "limit", "out_of_range") for limit in BAD_LIMITS),
    *((f"status={status}", "status", "bad_choice") for status in BAD_STATUSES),
    *((query, None, "unknown") for query in STRANGERS),
    *((query, query.partition("=")[0], "repeated") for query in REPEATED),
    ("from=2026-02-02&to=2026-02-01", "from", "out_of_order"),
]
BAD_CURSORS = ["", "a", "=", "%00", "AQ", "A" * 66, "A" * 71, "%C3%BC" * 20, "eyJhbGciOiJub25lIn0", "null", LONG]
FREE_OF_PARAMETERS = (
    "/v1/institutions",
    "/v1/accounts",
    "/v1/consent",
    "/v1/accounts/{id}",
    "/v1/accounts/{id}/balances",
)


def tables() -> tuple[int, int, int]:
    return len(world.usage()), AuditEntry.objects.count(), Event.objects.count()


@pytest.mark.parametrize(("query", "parameter", "code"), ROWS, ids=range(len(ROWS)))
def test_bad_query(api: Api, account_id: str, query: str, parameter: str | None, code: str) -> None:
    before = tables()

    answer = api.get(f"/v1/accounts/{account_id}/transactions", query)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "invalid_request")
    assert code in [error["code"] for error in problem["errors"]]
    assert parameter is None or parameter in [error["parameter"] for error in problem["errors"]]
    assert len(answer.content) < 3000
    assert tables() == before


@pytest.mark.parametrize("cursor", BAD_CURSORS, ids=range(len(BAD_CURSORS)))
def test_bad_cursor(api: Api, account_id: str, cursor: str) -> None:
    before = tables()

    answer = api.get(f"/v1/accounts/{account_id}/transactions", f"cursor={cursor}")

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")
    assert tables() == before


@pytest.mark.parametrize("path", FREE_OF_PARAMETERS)
@pytest.mark.parametrize("query", ["limit=1", "format=xml", "access_token=x", "%00=1"])
def test_no_parameter_is_silently_ignored(api: Api, account_id: str, path: str, query: str) -> None:
    answer = api.get(path.format(id=account_id), query)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert answer.json()["errors"][0]["code"] == "unknown"
    assert world.usage() == []


def test_every_finding_is_told_at_once(api: Api, account_id: str) -> None:
    answer = api.get(f"/v1/accounts/{account_id}/transactions", "from=x&to=y&status=z&limit=0&colour=blue")

    assert {error["parameter"] for error in answer.json()["errors"]} == {"from", "to", "status", "limit", "colour"}


def test_too_many_parameters_are_refused(api: Api, account_id: str) -> None:
    query = "&".join(f"p{number}=1" for number in range(500))

    answer = api.get(f"/v1/accounts/{account_id}/transactions", query)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/institutions", "/v1/consent"])
def test_other_methods(api: Api, method: str, path: str) -> None:
    answer = api.unchecked(method, path)

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml", "application/json;q=0", "application/problem+json", "nonsense", "text/*"]
)
def test_an_accept_header_without_json(api: Api, accept: str) -> None:
    answer = api.get("/v1/accounts", Accept=accept)

    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert world.usage() == []


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/*", "text/html, application/json;q=0.1"])
def test_an_accept_header_with_json(api: Api, accept: str) -> None:
    answer = api.get("/v1/accounts", Accept=accept)

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/accounts/",
        "/v1//accounts",
        "/v1/nothing",
        "/v1/accounts/a/b/c",
        "/v1/consents/",
        "/v1/events/all",
    ],
)
def test_unknown_addresses_are_problems(api: Api, path: str) -> None:
    answer = api.unchecked("GET", path)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer["Content-Type"] == "application/problem+json"
