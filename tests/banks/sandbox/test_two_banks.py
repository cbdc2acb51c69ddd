"""Two banks on one host: nothing of one opens, overwrites or names the other by mistake."""

import json
import os
import subprocess
import sys

import pytest
import requests
from django.core.exceptions import ImproperlyConfigured

from banks.sandbox.profile import PROFILES, profile_named
from tests.banks.sandbox.conftest import Customers
from tests.support.bank_client import BankClient, Browser, Pkce
from tests.support.sandbox_bank import ROOT, SandboxBank

PEOPLE = {
    "happy": "cardholder",
    "happy2": "twocards",
    "empty": "unused",
}


@pytest.fixture(params=["first at card", "card at first"])
def strange(request: pytest.FixtureRequest, connected: Customers, card_connected: Customers) -> tuple[str, BankClient]:
    """A customer's good token of one bank, and a client that speaks to the other."""
    first, card = connected("happy"), card_connected("cardholder")
    giver, taker = (first, card) if request.param == "first at card" else (card, first)
    return giver.tokens["access_token"], taker


def test_each_bank_refuses_the_others_tokens(strange: tuple[str, BankClient]) -> None:
    token, client = strange

    for path in ("/accounts", "/balances", "/transactions"):
        answer = client.api("GET", path, token=token)
        assert (answer.status_code, answer.content) == (401, b"")
    assert client.api("GET", "/accounts").status_code == 200


def test_each_bank_refuses_the_others_refresh_tokens(connected: Customers, card_connected: Customers) -> None:
    first, card = connected("happy"), card_connected("cardholder")

    answer = card.refresh(first.tokens["refresh_token"])

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_each_bank_refuses_assertions_meant_for_the_other(connected: Customers, card_connected: Customers) -> None:
    first, card = connected("happy"), card_connected("cardholder")

    answer = card.token(assertion=card.assertion(aud=first.issuer), grant_type="client_credentials")

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_cookies_of_both_banks_live_side_by_side_in_one_browser(client: BankClient, card_bank: SandboxBank) -> None:
    other = BankClient(
        issuer=card_bank.issuer,
        client_id=card_bank.client_id,
        key=card_bank.client_key,
        redirect_uri=card_bank.redirect_uri,
        resource_path=card_bank.resource_path,
    )
    # One jar for both, as a browser has: cookies ignore ports (RFC 6265 section 8.5).
    one, two = Browser(client.issuer), Browser(other.issuer)
    two.session = one.session

    def open_login(browser: Browser, bank: BankClient) -> requests.Response:
        consent_id = bank.create_consent().json()["Data"]["ConsentId"]
        return browser.get(bank.authorization_url(bank.request_object(consent_id, Pkce())))

    first_login, second_login = open_login(one, client), open_login(two, other)
    first_consent = one.submit(first_login, {"username": "happy", "password": "sandbox"})
    second_consent = two.submit(second_login, {"username": "cardholder", "password": "sandbox"})
    back = one.submit(first_consent, {"accounts": [], "decision": "refuse"})

    assert second_consent.status_code == 200 and "Harbour Card" in second_consent.text
    assert back.status_code == 303 and "access_denied" in back.headers["Location"]
    names = [cookie.name for cookie in one.session.cookies]
    assert len(names) == len(set(names))
    assert {"first_sandbox_csrf", "harbour_card_csrf", "harbour_card_session"} <= set(names)


def test_no_two_banks_share_what_must_be_their_own() -> None:
    for name in ("slug", "name", "bic", "session_cookie", "csrf_cookie", "stylesheet", "mark", "standard"):
        values = [getattr(profile, name) for profile in PROFILES.values()]
        assert len({id(value) if name == "standard" else value for value in values}) == len(PROFILES)


def test_customers_of_both_banks_are_shown_on_both_home_pages(bank: SandboxBank, card_bank: SandboxBank) -> None:
    first, card = (requests.get(f"{each.issuer}/", timeout=10).text for each in (bank, card_bank))

    for here, there in PEOPLE.items():
        assert f"Also a customer of Harbour Card, as <code>{there}</code>" in first
        assert f"Also a customer of First Sandbox Bank, as <code>{here}</code>" in card
    assert first.count("Also a customer of") == card.count("Also a customer of") == len(PEOPLE)
    assert "Olive Tranter" in card and "Olive Tranter" not in first


def test_pages_carry_the_name_look_and_version_of_their_bank(bank: SandboxBank, card_bank: SandboxBank) -> None:
    first, card = (requests.get(f"{each.issuer}/", timeout=10).text for each in (bank, card_bank))

    assert "speaks UK Open Banking v4.0" in first and "sandbox/bank.css" in first
    assert "speaks UK Open Banking v3.1.11" in card and "sandbox/card.css" in card
    assert "First Sandbox Bank –" not in card and "– Harbour Card</title>" in card
    for file in ("card.css", "card-mark.svg"):
        assert requests.get(f"{card_bank.issuer}/static/sandbox/{file}", timeout=10).status_code == 200


def test_scenarios_are_the_banks_own(bank: SandboxBank, card_bank: SandboxBank) -> None:
    first, card = (
        {person["username"] for person in json.loads(each.manage("scenarios", "--json"))} for each in (bank, card_bank)
    )

    assert {"cardholder", "twocards", "overlimit", "unused"} == card
    assert not first & card
    assert set(card_bank.control("GET", "/control/state")["people"]) == card


def test_people_of_one_bank_cannot_log_in_at_the_other(card_bank: SandboxBank, card_connected: Customers) -> None:
    client = card_connected("cardholder")
    consent_id = client.create_consent().json()["Data"]["ConsentId"]
    browser = Browser(card_bank.issuer)
    login = browser.get(client.authorization_url(client.request_object(consent_id, Pkce())))

    page = browser.submit(login, {"username": "happy", "password": "sandbox"})

    assert "We could not log you in" in page.text


def test_a_bank_that_is_none_is_refused_in_words() -> None:
    with pytest.raises(ImproperlyConfigured, match="SANDBOX_BANK is one of first, card; not 'third'"):
        profile_named("third")


def test_a_data_directory_of_one_bank_is_not_opened_by_another(bank: SandboxBank) -> None:
    environment = {
        **os.environ,
        "SANDBOX_BANK": "card",
        "SANDBOX_ISSUER": "http://127.0.0.1:9",
        "SANDBOX_DATA_DIRECTORY": str(bank.directory / "data"),
    }

    opened = subprocess.run(
        [sys.executable, "-m", "banks.sandbox", "scenarios"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert opened.returncode != 0
    assert "belongs to another pretend bank than Harbour Card" in opened.stderr
