"""The bank's clock: what moves with it, what does not, and that it can be put right again."""

import base64
import json
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.banks.sandbox.conftest import Customers
from tests.support.bank_client import BankClient
from tests.support.sandbox_bank import SandboxBank

Move = Callable[..., Any]

DAY = 86_400


def booked_days(client: BankClient) -> list[str]:
    rows = client.api("GET", "/transactions").json()["Data"]["Transaction"]
    return [row["BookingDateTime"][:10] for row in rows]


def test_access_tokens_run_out_and_refresh_tokens_do_not(client: BankClient, clock: Move) -> None:
    client.connect("happy")

    clock(seconds_ahead=599 - 60)
    assert client.api("GET", "/accounts").status_code == 200
    clock(seconds_ahead=601)
    assert client.api("GET", "/accounts").status_code == 401
    client.tokens = client.refresh(client.tokens["refresh_token"]).json()
    assert client.api("GET", "/accounts").status_code == 200


def test_a_consent_expires_at_the_banks_instant(client: BankClient, clock: Move) -> None:
    in_two_days = (datetime.now().astimezone() + timedelta(days=2)).isoformat(timespec="seconds")
    client.connect("happy", ExpirationDateTime=in_two_days)

    clock(seconds_ahead=2 * DAY + 1)

    assert client.refresh(client.tokens["refresh_token"]).json()["error"] == "invalid_grant"
    client._own_token = ""  # the client's own token ran out too
    consent = client.api("GET", f"/account-access-consents/{client.consent_id}", token=client.own_token()).json()
    assert consent["Data"]["Status"] == "EXPD"


def test_pending_rows_are_booked_when_instants_pass_midnight(client: BankClient, clock: Move) -> None:
    client.connect("happy")
    before = client.api("GET", "/transactions").json()["Data"]["Transaction"]
    pending = {row["TransactionId"] for row in before if row["Status"] == "PDNG"}

    clock(seconds_ahead=DAY)
    client.tokens = client.refresh(client.tokens["refresh_token"]).json()
    after = {
        row["TransactionId"]: row["Status"] for row in client.api("GET", "/transactions").json()["Data"]["Transaction"]
    }

    assert pending
    assert {after[id_] for id_ in pending} == {"BOOK"}


def test_balances_are_as_of_the_banks_instant(connected: Customers, clock: Move) -> None:
    client = connected("happy")
    as_of = client.api("GET", "/balances").json()["Data"]["Balance"][0]["DateTime"]

    clock(seconds_ahead=300)
    later = client.api("GET", "/balances").json()["Data"]["Balance"][0]["DateTime"]

    assert datetime.fromisoformat(later) - datetime.fromisoformat(as_of) >= timedelta(seconds=300)


def test_a_client_whose_clock_is_right_can_connect_when_the_banks_is_not(client: BankClient, clock: Move) -> None:
    clock(seconds_ahead=400 * DAY)

    client.connect("happy")

    assert client.api("GET", "/accounts").status_code == 200
    _, claims, _ = client.tokens["id_token"].split(".")
    issued_at = json.loads(base64.urlsafe_b64decode(claims + "=="))["iat"]
    assert abs(issued_at - time.time()) < 60


def test_the_request_log_keeps_real_time(client: BankClient, bank: SandboxBank, clock: Move) -> None:
    clock(seconds_ahead=400 * DAY)
    bank.control("DELETE", "/control/requests")

    client.api("GET", "/accounts", token="none")

    (row,) = bank.control("GET", "/control/requests")["requests"]
    assert abs(datetime.fromisoformat(row["at"]).timestamp() - time.time()) < 60


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2023-01-01", "2031-06-30"])
def test_the_day_of_the_books_can_be_any(connected: Customers, clock: Move, day: str) -> None:
    told = clock(books_on=day)

    assert (told["today"], told["books_on"]) == (day, day)
    days = booked_days(connected("happy"))
    assert max(days) == day


def test_a_fixed_day_moves_on_by_days_only(clock: Move) -> None:
    clock(books_on="2026-03-29")

    assert clock(seconds_ahead=3 * DAY)["today"] == "2026-03-29"
    assert clock(days_ahead=1)["today"] == "2026-03-30"
    assert clock(books_on=None, days_ahead=0)["books_on"] is None


def test_what_is_not_named_stays(clock: Move) -> None:
    clock(seconds_ahead=61)
    told = clock(days_ahead=2)

    assert (told["seconds_ahead"], told["days_ahead"], told["books_on"]) == (61, 2, None)
    assert datetime.fromisoformat(told["now"]) - datetime.fromisoformat(told["real_now"]) == timedelta(seconds=61)


def test_the_clock_goes_back_and_can_be_put_right(bank: SandboxBank, clock: Move) -> None:
    clock(seconds_ahead=100 * DAY, days_ahead=3, books_on="2026-03-29")

    assert clock(seconds_ahead=DAY)["seconds_ahead"] == DAY
    told = bank.control("DELETE", "/control/clock")

    assert told == bank.control("GET", "/control/clock") | {"now": told["now"], "real_now": told["real_now"]}
    assert (told["now"], told["seconds_ahead"], told["days_ahead"]) == (told["real_now"], 0, 0)
    assert abs((date.fromisoformat(told["today"]) - date.today()).days) <= 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"seconds_ahead": -1},
        {"seconds_ahead": 1.5},
        {"seconds_ahead": True},
        {"seconds_ahead": "60"},
        {"seconds_ahead": None},
        {"seconds_ahead": 10**12},
        {"days_ahead": 10**6},
        {"books_on": "2022-12-31"},
        {"books_on": "2041-01-01"},
        {"books_on": "2026-02-30"},
        {"books_on": "yesterday"},
        {"books_on": 20260329},
        {"minutes_ahead": 1},
        {"seconds_ahead": 1, "books_on": "no day"},
    ],
)
def test_moves_that_make_no_sense_change_nothing(bank: SandboxBank, clock: Move, body: dict[str, Any]) -> None:
    with pytest.raises(requests.HTTPError, match="400"):
        clock(**body)

    told = bank.control("GET", "/control/clock")
    assert (told["seconds_ahead"], told["days_ahead"], told["books_on"]) == (0, 0, None)
