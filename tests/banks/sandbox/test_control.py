"""Behind the counter: the request log, faults on purpose, and who may look."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.banks.sandbox.conftest import Customers
from tests.support.bank_client import BankClient
from tests.support.sandbox_bank import SandboxBank

Add = Callable[..., None]


def log_after(bank: SandboxBank, after: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = bank.control("GET", f"/control/requests?after={after}")["requests"]
    return rows


def newest(bank: SandboxBank) -> int:
    after = 0
    while rows := log_after(bank, after):
        after = rows[-1]["id"]
    return after


def test_the_log_says_what_was_asked_by_whom_for_whom(bank: SandboxBank, connected: Customers) -> None:
    client, interaction = connected("happy"), str(uuid.uuid4())
    before = newest(bank)

    client.api(
        "GET",
        "/transactions",
        params={"fromBookingDateTime": "2026-01-01", "toBookingDateTime": "2026-02-01"},
        headers={"x-fapi-interaction-id": interaction, "x-fapi-customer-ip-address": "192.0.2.7"},
    )

    (row,) = log_after(bank, before)
    assert row | {"id": 0, "at": ""} == {
        "id": 0,
        "at": "",
        "method": "GET",
        "path": "/open-banking/v4.0/aisp/transactions",
        "query_keys": ["fromBookingDateTime", "toBookingDateTime"],
        "status": 200,
        "client_id": "sluice",
        "consent_id": client.consent_id,
        "interaction_id": interaction,
        "user": "happy",
        "customer_present": True,
        "grant_type": "",
    }


def test_every_step_of_a_connection_is_in_the_log_and_pages_are_not(bank: SandboxBank, client: BankClient) -> None:
    before = newest(bank)

    client.connect("empty")
    client.api("GET", "/accounts", token="nonsense")

    rows = log_after(bank, before)
    steps = [(row["method"], row["path"].rpartition("/")[2], row["grant_type"], row["status"]) for row in rows]
    assert steps == [
        ("POST", "token", "client_credentials", 200),
        ("POST", "account-access-consents", "", 201),
        ("POST", "token", "authorization_code", 200),
        ("GET", "accounts", "", 401),
    ]
    assert rows[2]["user"] == "empty"


def test_the_log_can_be_forgotten(bank: SandboxBank, connected: Customers) -> None:
    connected("empty").api("GET", "/accounts")

    assert bank.control("DELETE", "/control/requests")["deleted"] >= 1
    assert log_after(bank, 0) == []


def test_a_fault_happens_as_often_as_asked(connected: Customers, faults: Add) -> None:
    faults(user="happy", path_contains="/balances", status=503, times=2)

    client = connected("happy")

    assert [client.api("GET", "/balances").status_code for _ in range(3)] == [503, 503, 200]


def test_a_fault_is_for_its_user_and_path(connected: Customers, faults: Add) -> None:
    faults(user="happy", path_contains="/balances", status=500)

    assert connected("happy").api("GET", "/accounts").status_code == 200
    assert connected("happy2").api("GET", "/balances").status_code == 200
    assert connected("happy").api("GET", "/balances").status_code == 500


def test_too_many_requests_can_say_when_to_come_back(connected: Customers, faults: Add) -> None:
    faults(user="happy", path_contains="/transactions", status=429, retry_after=7, times=1)

    answer = connected("happy").api("GET", "/transactions")

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


def test_a_slow_bank_is_slow(connected: Customers, faults: Add) -> None:
    faults(user="happy", delay_ms=300, times=1)
    client, begun = connected("happy"), time.monotonic()

    assert client.api("GET", "/accounts").status_code == 200

    assert time.monotonic() - begun >= 0.3


def test_a_fault_reaches_the_token_endpoint_too(client: BankClient, faults: Add) -> None:
    client.connect("empty")
    faults(user="empty", path_contains="/oauth/token", status=503, times=1)

    assert client.refresh(client.tokens["refresh_token"]).status_code == 503


def test_faults_of_anybody_reach_a_clients_own_calls(client: BankClient, faults: Add) -> None:
    faults(path_contains="/account-access-consents", status=503, times=1)

    assert [client.create_consent().status_code for _ in range(2)] == [503, 201]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user": "happy"},
        {"status": 200},
        {"status": "500"},
        {"status": True},
        {"delay_ms": -1},
        {"delay_ms": 10**9},
        {"delay_ms": 1, "times": 0},
        {"delay_ms": 1, "user": 7},
        {"delay_ms": 1, "path_contains": "x" * 201},
        {"explode": 1},
        {"delay_ms": 1, "user": "\ud800"},
        {"delay_ms": 1, "user": "x" * 100_000},
        [],
        "x",
    ],
)
def test_faults_that_make_no_sense_are_400(bank: SandboxBank, body: Any) -> None:
    headers = {"Authorization": f"Bearer {bank.control_token}"}

    answer = requests.post(f"{bank.issuer}/control/faults", json=body, headers=headers, timeout=5)

    assert answer.status_code == 400
    assert bank.control("GET", "/control/state")["faults"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/control/requests?after=x", 400),
        ("GET", "/control/requests?after=-1", 400),
        ("GET", f"/control/requests?after={'9' * 40}", 400),
        ("PUT", "/control/requests", 405),
        ("GET", "/control/faults", 405),
        ("POST", "/control/consents/none/cancel", 404),
        ("GET", "/control/nothing", 404),
    ],
)
def test_bad_control_requests_are_clear(bank: SandboxBank, method: str, path: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {bank.control_token}"}

    assert requests.request(method, bank.issuer + path, headers=headers, timeout=5).status_code == status


@pytest.mark.parametrize("days_ahead", [-1, 1.5, "1", True, None, 10**6])
def test_the_day_moves_forward_by_whole_days_only(bank: SandboxBank, days_ahead: Any) -> None:
    with pytest.raises(requests.HTTPError, match="400"):
        bank.control("POST", "/control/today", json={"days_ahead": days_ahead})


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic x", "Bearer \xe9"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/control/state"), ("DELETE", "/control/requests"), ("POST", "/control/faults")]
)
def test_the_control_api_needs_its_token(bank: SandboxBank, method: str, path: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}

    assert requests.request(method, bank.issuer + path, headers=headers, timeout=5).status_code == 401


def test_without_a_token_setting_there_is_no_control_api() -> None:
    with SandboxBank(control_token=None) as bare:
        for header in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}):
            assert requests.get(f"{bare.issuer}/control/state", headers=header, timeout=5).status_code == 404
        process = bare._server
        assert process is not None and process.poll() is None
    assert process.poll() is not None
    assert not bare.directory.exists()
