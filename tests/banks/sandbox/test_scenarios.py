"""Each scenario over real HTTP: it misbehaves as documented. Transport, refusals and pages; rows are in
test_scenario_rows.py, access that ends in test_scenario_access.py.

Answers that are well-formed are held against the official document too (`connected`); the others are read without it.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.banks.sandbox.conftest import Customers, client_of
from tests.support.bank_client import BankClient
from tests.support.sandbox_bank import SandboxBank

Turn = Callable[..., Any]


@pytest.fixture(scope="module")
def unread(bank: SandboxBank) -> Callable[[str], BankClient]:
    """unread("verbose"): a client of that customer whose answers nobody checks."""
    kept: dict[str, BankClient] = {}

    def connect(user: str) -> BankClient:
        if user not in kept:
            kept[user] = client_of(bank, None).connect(user)
        return kept[user]

    return connect


Unread = Callable[[str], BankClient]


def account_ids(client: BankClient) -> list[str]:
    return [row["AccountId"] for row in client.api("GET", "/accounts").json()["Data"]["Account"]]


# -- time -----------------------------------------------------------------------------------------------------------


def test_slow_answers_late_and_right(connected: Customers, turn: Turn) -> None:
    turn("slow", seconds=0.3)
    client = connected("slow")

    for path in ("/accounts", "/balances", "/transactions"):
        begun = time.monotonic()
        assert client.api("GET", path).status_code == 200
        assert time.monotonic() - begun >= 0.3


def test_hanging_never_answers_and_others_are_served_meanwhile(unread: Unread, turn: Turn) -> None:
    turn("hanging", seconds=9)
    client, happy = unread("hanging"), unread("happy")
    link = f"{client.issuer}/open-banking/v4.0/aisp/balances"
    headers = {"Authorization": f"Bearer {client.tokens['access_token']}"}

    def outcome(_: int) -> int | str:
        try:
            return requests.get(link, headers=headers, timeout=3).status_code
        except requests.ReadTimeout:
            return "no answer"

    # More than the bank has threads for.
    with ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(outcome, number) for number in range(6)]
        time.sleep(0.3)
        assert [happy.api("GET", path).status_code for path in ("/accounts", "/balances")] == [200, 200]
        assert not all(one.done() for one in waiting)
        outcomes = [one.result() for one in waiting]

    assert outcomes.count("no answer") >= 2
    assert set(outcomes) <= {"no answer", 504}
    assert client.api("GET", "/accounts").status_code == 200


def test_hanging_ends_with_504(unread: Unread, turn: Turn) -> None:
    turn("hanging", seconds=0.1)

    assert unread("hanging").api("GET", "/transactions").status_code == 504


def test_dripping_sends_byte_after_byte(connected: Customers, turn: Turn) -> None:
    turn("dripping", seconds=0.001)
    client, begun = connected("dripping"), time.monotonic()

    answer = client.api("GET", "/balances")

    assert time.monotonic() - begun >= 0.001 * len(answer.content)
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert len(answer.json()["Data"]["Balance"]) == 2


def test_dripping_outlasts_a_pause_between_bytes(unread: Unread, turn: Turn) -> None:
    """A client that only limits the pause between two bytes waits for the whole of it."""
    turn("dripping", seconds=0.2)
    client = unread("dripping")
    headers = {"Authorization": f"Bearer {client.tokens['access_token']}"}

    with requests.get(
        f"{client.issuer}/open-banking/v4.0/aisp/balances", headers=headers, stream=True, timeout=5
    ) as got:
        begun = time.monotonic()
        first = got.raw.read(5)

    assert first == b'{"Dat'
    assert time.monotonic() - begun >= 0.5


# -- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("user", "retry_after"), [("limited", "2"), ("limited_silent", None)])
def test_every_second_call_is_one_too_many(
    connected: Customers, turn: Turn, user: str, retry_after: str | None
) -> None:
    turn(user, stage=0)
    client = connected(user)

    answers = [client.api("GET", path) for path in ("/accounts", "/balances", "/transactions", "/balances")]

    assert [answer.status_code for answer in answers] == [200, 429, 200, 429]
    assert {answer.headers.get("Retry-After") for answer in answers if not answer.ok} == {retry_after}


def test_failing_mends_itself_for_each_consent(bank: SandboxBank, connected: Customers, turn: Turn) -> None:
    turn("failing", stage=0)
    clients = [connected("failing"), client_of(bank, None).connect("failing")]

    for client in clients:
        assert client.api("GET", "/accounts").status_code == 200
        calls = ("/balances", "/transactions", "/balances", "/transactions")
        assert [client.api("GET", path).status_code for path in calls] == [500, 503, 200, 200]


def test_one_account_is_refused_and_the_other_works(connected: Customers) -> None:
    client = connected("one_account_refused")
    current, savings = account_ids(client)

    def statuses(account_id: str) -> list[int]:
        paths = [f"/accounts/{account_id}{suffix}" for suffix in ("", "/balances", "/transactions")]
        return [client.api("GET", path).status_code for path in paths]

    assert statuses(current) == [200, 200, 200]
    assert statuses(savings) == [200, 401, 403]


# -- answers that cannot be read ------------------------------------------------------------------------------------


def test_truncated_ends_before_its_length_and_in_mid_document(unread: Unread) -> None:
    client = unread("truncated")

    assert client.api("GET", "/accounts").json()["Data"]["Account"]
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        client.api("GET", "/transactions")
    half = client.api("GET", "/balances")
    assert (half.status_code, half.content[:8]) == (200, b'{"Data":')
    with pytest.raises(ValueError, match=r"."):
        half.json()


def test_malformed_is_a_page_and_no_json(unread: Unread) -> None:
    client = unread("malformed")

    page, text = client.api("GET", "/transactions"), client.api("GET", "/balances")

    assert client.api("GET", "/accounts").json()["Data"]["Account"]
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert page.text.startswith("<!doctype html>")
    assert (text.status_code, text.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    with pytest.raises(ValueError, match=r"."):
        text.json()


def test_sparse_has_what_is_required_and_nothing_else(connected: Customers) -> None:
    client = connected("sparse")
    account = client.api("GET", "/accounts").json()
    transactions = client.api("GET", "/transactions").json()

    assert {frozenset(row) for row in account["Data"]["Account"]} == {frozenset({"AccountId", "Account"})}
    assert set(account) == {"Data"}
    required = {"AccountId", "CreditDebitIndicator", "Status", "BookingDateTime", "Amount"}
    assert {frozenset(row) for row in transactions["Data"]["Transaction"]} == {frozenset(required)}
    assert set(client.api("GET", "/balances").json()) == {"Data"}


def test_sparse_can_still_be_read_to_its_end(connected: Customers) -> None:
    client, link, rows = connected("sparse"), "/transactions", []
    while link:
        page = client.api("GET", link).json()
        rows += page["Data"]["Transaction"]
        link = page.get("Links", {}).get("Next")

    assert len(rows) > 300


def test_verbose_has_unknown_members_in_every_object(unread: Unread) -> None:
    def objects(value: Any) -> list[dict[str, Any]]:
        if isinstance(value, dict):
            known = [member for name, member in value.items() if not name.startswith("XBank")]
            return [value, *(found for member in known for found in objects(member))]
        return [found for member in value for found in objects(member)] if isinstance(value, list) else []

    for path in ("/accounts", "/balances", "/transactions"):
        found = objects(unread("verbose").api("GET", path).json())
        assert len(found) > 5
        assert all({"XBankNote", "XBankMore"} <= set(one) for one in found)


# -- pages ----------------------------------------------------------------------------------------------------------


def test_hostile_next_leads_to_another_origin(unread: Unread) -> None:
    client = unread("hostile_next")

    assert client.api("GET", "/transactions").json()["Links"]["Next"].startswith("https://other-bank.example/")
    assert "Next" not in client.api("GET", "/balances").json()["Links"]


def test_circular_next_leads_back_to_the_first_page(connected: Customers) -> None:
    client = connected("circular_next")
    first = client.api("GET", "/transactions").json()
    last = client.api("GET", first["Links"]["Last"]).json()

    again = client.api("GET", last["Links"]["Next"]).json()

    assert first["Data"] != last["Data"]
    assert again["Data"] == first["Data"]


def test_mutating_grows_at_the_front_between_two_pages(connected: Customers, turn: Turn) -> None:
    turn("mutating", stage=0)
    client = connected("mutating")

    def reading() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        first = client.api("GET", "/transactions").json()
        second = client.api("GET", first["Links"]["Next"]).json()
        return first["Data"]["Transaction"], second["Data"]["Transaction"]

    balances = client.api("GET", "/balances").json()["Data"]["Balance"]
    for grown in (0, 2, 4):
        first, second = reading()
        texts = [row["TransactionInformation"] for row in first]
        assert sum("LATE PAYMENT" in text for text in texts) == grown
        assert second[:2] == first[-2:]
    later = client.api("GET", "/balances").json()["Data"]["Balance"]
    assert [row["Amount"] for row in later] == [row["Amount"] for row in balances]


@pytest.mark.parametrize(("user", "status"), [("gone_page", 404), ("stale_page", 400)])
def test_the_second_page_is_not_there_once(connected: Customers, turn: Turn, user: str, status: int) -> None:
    turn(user, stage=0)
    client = connected(user)
    second = client.api("GET", "/transactions").json()["Links"]["Next"]

    assert [client.api("GET", second).status_code for _ in range(3)] == [status, 200, 200]


# -- everybody else -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["happy", "happy2", "overdrawn", "empty", "many"])
def test_sound_customers_stay_sound(connected: Customers, user: str) -> None:
    client = connected(user)

    for path in ("/accounts", "/balances", "/transactions"):
        answers = [client.api("GET", path) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert answers[0].json()["Links"] == answers[2].json()["Links"]
        if path != "/balances":
            assert answers[0].json()["Data"] == answers[2].json()["Data"]
