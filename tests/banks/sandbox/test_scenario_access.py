"""Scenarios of logins, consents and whose accounts they open, over real HTTP; and the switches that turn them."""

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from banks.sandbox.peers import is_loopback
from banks.sandbox.people import SCENARIOS
from banks.sandbox.troubles import TROUBLES
from tests.banks.sandbox.conftest import Customers
from tests.support.bank_client import BankClient, Pkce
from tests.support.sandbox_bank import ROOT, SandboxBank

Turn = Callable[..., Any]


def accounts(client: BankClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.api("GET", "/accounts").json()["Data"]["Account"]
    return found


def identity(account: dict[str, Any]) -> tuple[str, str, str]:
    """AccountId, sort code and number, name."""
    (number,) = (one for one in account["Account"] if one["SchemeName"] == "UK.OBIE.SortCodeAccountNumber")
    return account["AccountId"], number["Identification"], number["Name"]


def status_of(client: BankClient) -> str:
    lodged = client.api("GET", f"/account-access-consents/{client.consent_id}", token=client.own_token()).json()
    status: str = lodged["Data"]["Status"]
    return status


def log_in_again(client: BankClient, user: str) -> None:
    """The same consent, authenticated again."""
    pkce = Pkce()
    back = client.decide(client.request_object(client.consent_id, pkce), user)
    client.tokens = client.exchange(back["code"], pkce).json()


# -- whose accounts -------------------------------------------------------------------------------------------------


def test_a_joint_account_has_one_number_two_names_and_an_id_for_each_login(connected: Customers) -> None:
    ours, theirs = (
        {row["Nickname"]: identity(row) for row in accounts(connected(user))} for user in ("joint", "joint2")
    )

    assert ours["Household"][1:] == theirs["Household"][1:]
    assert ours["Household"][2] == "Joan Ashdown & Jack Ashdown"
    assert ours["Household"][0] != theirs["Household"][0]
    assert set(ours["Everyday"]).isdisjoint(theirs["Everyday"])


def test_a_joint_account_has_the_same_rows_under_both_logins(connected: Customers) -> None:
    def rows(user: str) -> list[tuple[str, ...]]:
        client = connected(user)
        (joint,) = (row["AccountId"] for row in accounts(client) if row["Nickname"] == "Household")
        found = client.api("GET", f"/accounts/{joint}/transactions").json()["Data"]["Transaction"]
        return [(row["BookingDateTime"], row["TransactionInformation"], row["Amount"]["Amount"]) for row in found]

    assert rows("joint") == rows("joint2")
    assert rows("joint")


def test_another_person_is_behind_the_login_after_the_turn(connected: Customers, turn: Turn) -> None:
    turn("another_person", stage=0)
    client = connected("another_person")
    (before,) = accounts(client)

    turn("another_person", stage=1)
    (after,) = accounts(client)

    assert all(one != other for one, other in zip(identity(before), identity(after), strict=True))
    assert identity(after)[2] == "Wilma Castle"
    assert client.api("GET", f"/accounts/{before['AccountId']}/balances").status_code == 403
    rows = client.api("GET", f"/accounts/{after['AccountId']}/transactions").json()["Data"]["Transaction"]
    assert {row["AccountId"] for row in rows} == {after["AccountId"]}


def test_another_person_comes_by_itself_when_the_day_moves(
    connected: Customers, turn: Turn, calendar: Callable[[int], None]
) -> None:
    turn("another_person", stage=0)
    client = connected("another_person")
    (before,) = accounts(client)

    calendar(1)

    assert identity(accounts(client)[0]) != identity(before)


def test_after_the_turn_the_bank_offers_the_other_persons_account(client: BankClient, turn: Turn) -> None:
    turn("another_person", stage=1)

    client.connect("another_person")

    assert [identity(row)[2] for row in accounts(client)] == ["Wilma Castle"]


def test_other_number_keeps_the_id_alone(connected: Customers, turn: Turn) -> None:
    turn("other_number", stage=0)
    client = connected("other_number")
    before = identity(accounts(client)[0])

    turn("other_number", stage=1)
    after = identity(accounts(client)[0])

    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1] != before[1]


def test_closed_account_leaves_the_list(connected: Customers, turn: Turn) -> None:
    turn("closed_account", stage=0)
    client = connected("closed_account")
    current, savings = (row["AccountId"] for row in accounts(client))

    turn("closed_account", stage=1)

    assert [row["AccountId"] for row in accounts(client)] == [current]
    assert client.api("GET", f"/accounts/{savings}/balances").status_code == 403
    assert client.api("GET", f"/accounts/{current}/balances").status_code == 200


# -- access that ends -----------------------------------------------------------------------------------------------


def test_login_lost_refuses_every_token_until_the_customer_logs_in_again(client: BankClient, turn: Turn) -> None:
    client.connect("login_lost")
    assert client.api("GET", "/accounts").status_code == 200

    turn("login_lost", stage=1)

    lost = client.api("GET", "/accounts")
    assert (lost.status_code, lost.content) == (401, b"")
    refused = client.refresh(client.tokens["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert status_of(client) == "AUTH"
    log_in_again(client, "login_lost")
    assert client.api("GET", "/accounts").status_code == 200


def test_login_lost_is_lost_after_a_week(client: BankClient, turn: Turn, calendar: Callable[[int], None]) -> None:
    client.connect("login_lost")

    statuses = []
    for days in (0, 6, 7):
        calendar(days)
        statuses.append(client.api("GET", "/accounts").status_code)
    turn("login_lost", stage=0)

    assert statuses == [200, 200, 401]


def test_consent_revoked_is_cancelled_at_the_bank(client: BankClient, turn: Turn) -> None:
    client.connect("consent_revoked")
    assert client.api("GET", "/accounts").status_code == 200

    turn("consent_revoked", stage=1)

    assert status_of(client) == "CANC"
    answer = client.api("GET", "/accounts")
    assert (answer.status_code, [error["ErrorCode"] for error in answer.json()["Errors"]]) == (401, ["TKSP", "U028"])
    assert client.refresh(client.tokens["refresh_token"]).json()["error"] == "invalid_grant"
    log_in_again(client, "consent_revoked")
    assert (client.api("GET", "/accounts").status_code, status_of(client)) == (200, "AUTH")


def test_short_consent_says_and_keeps_its_sixty_seconds(client: BankClient, clock: Callable[..., Any]) -> None:
    asked = "2040-01-01T00:00:00+00:00"
    client.connect("short_consent", ExpirationDateTime=asked)
    lodged = client.api("GET", f"/account-access-consents/{client.consent_id}", token=client.own_token()).json()["Data"]
    lives = datetime.fromisoformat(lodged["ExpirationDateTime"]) - datetime.fromisoformat(
        lodged["StatusUpdateDateTime"]
    )
    assert lives == timedelta(seconds=60)
    assert client.api("GET", "/accounts").status_code == 200

    clock(seconds_ahead=61)

    assert [error["ErrorCode"] for error in client.api("GET", "/accounts").json()["Errors"]] == ["TKXP"]
    assert status_of(client) == "EXPD"


# -- the switches ---------------------------------------------------------------------------------------------------


def test_the_switches_of_a_user_can_be_read(bank: SandboxBank, turn: Turn) -> None:
    told = turn("slow", stage=3, seconds=0.5)

    assert told == {"name": "slow", "stage": 3, "seconds": 0.5, "began_on": told["began_on"]}
    assert bank.control("GET", "/control/people/slow") == told
    assert turn("slow", seconds=None) == told | {"seconds": None}
    assert turn("slow", stage=0) == {"name": "slow", "stage": None, "seconds": None, "began_on": None}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"stage": -1},
        {"stage": 1.0},
        {"stage": True},
        {"stage": "1"},
        {"stage": 10**6},
        {"seconds": -0.1},
        {"seconds": 61},
        {"seconds": True},
        {"seconds": "1"},
        {"seconds": 10**400},
        {"speed": 1},
        {"stage": 1, "seconds": 99},
    ],
)
def test_switches_that_make_no_sense_change_nothing(bank: SandboxBank, turn: Turn, body: dict[str, Any]) -> None:
    before = bank.control("GET", "/control/people/slow")

    with pytest.raises(requests.HTTPError, match="400"):
        turn("slow", **body)

    assert bank.control("GET", "/control/people/slow") == before


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_has_no_switches(bank: SandboxBank, method: str) -> None:
    with pytest.raises(requests.HTTPError, match="404"):
        bank.control(method, "/control/people/nobody", json={"stage": 1})


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("192.0.2.7", False),
        ("::ffff:192.0.2.7", False),
        ("2001:db8::1", False),
        ("0.0.0.0", False),
        ("", False),
        ("localhost", False),
        ("127.0.0.1, 192.0.2.7", False),
    ],
)
def test_loopback_is_told_from_everywhere_else(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


#: Calls the application as its server would, for a peer at the given address.
_FROM = """
import io, sys
from banks.sandbox.wsgi import application
environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/control/state", "QUERY_STRING": "", "SERVER_NAME": "127.0.0.1",
           "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(),
           "HTTP_AUTHORIZATION": f"Bearer {sys.argv[1]}", "HTTP_X_FORWARDED_FOR": "127.0.0.1",
           "REMOTE_ADDR": sys.argv[2]}
application(environ, lambda status, headers: print(status[:3], end=""))
"""


@pytest.mark.parametrize(("address", "status"), [("192.0.2.7", "403"), ("127.0.0.1", "200")])
def test_the_control_api_answers_no_other_machine(bank: SandboxBank, address: str, status: str) -> None:
    command = [sys.executable, "-c", _FROM, str(bank.control_token), address]

    done = subprocess.run(command, cwd=ROOT, env=bank._environment(), capture_output=True, text=True, check=True)

    assert done.stdout == status


# -- the documents --------------------------------------------------------------------------------------------------


def test_the_document_is_what_the_code_says(bank: SandboxBank) -> None:
    """Stale? python -m banks.sandbox scenarios --markdown > docs/scenarios.md"""
    assert (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8") == bank.manage("scenarios", "--markdown")


def test_the_home_page_says_the_same(bank: SandboxBank) -> None:
    page = requests.get(bank.issuer, timeout=10).text.replace("&#x27;", "'").replace("&amp;", "&")

    for person in SCENARIOS.values():
        assert f"<code>{person.name}</code>" in page
        assert person.full_name in page and person.description in page and person.advice in page


def test_every_scenario_has_words_and_a_test() -> None:
    here = Path(__file__).parent
    tests = "".join(file.read_text(encoding="utf-8") for file in here.glob("test_scenario*.py"))

    for trouble in TROUBLES:
        assert re.fullmatch(r"[a-z][a-z0-9_]{1,39}", trouble.name)
        assert trouble.happens.endswith(".") and trouble.advice.endswith(".")
        assert f'"{trouble.name}"' in tests, trouble.name
    assert len({person.full_name for person in SCENARIOS.values()}) == len(SCENARIOS)
