"""/access: the customer's own hand on the consents the bank knows."""

import pytest
import requests

from tests.support.bank_client import TIMEOUT, BankClient, Browser, Form, Pkce, forms
from tests.support.sandbox_bank import SandboxBank


def logged_in(bank: SandboxBank, user: str) -> tuple[Browser, requests.Response]:
    browser = Browser(bank.issuer)
    login = browser.get(f"{bank.issuer}/access")
    return browser, browser.submit(login, {"username": user, "password": "sandbox"})


def consent_ids(page: requests.Response) -> list[str]:
    return [value for form in forms(page) for name, value in form.fields if name == "consent"]


def press(browser: Browser, page: requests.Response, form: Form, **fields: str) -> requests.Response:
    answer = browser.session.post(
        f"{browser.origin}/access",
        data=dict(form.fields) | fields,
        headers={"Referer": page.url},
        allow_redirects=False,
        timeout=TIMEOUT,
    )
    return browser._follow(answer)


def test_a_customer_ends_access_and_the_client_is_told_why(bank: SandboxBank, client: BankClient) -> None:
    client.connect("overdrawn")
    browser, page = logged_in(bank, "overdrawn")
    form = next(form for form in forms(page) if ("consent", client.consent_id) in form.fields)
    assert "Sluice" in page.text and "Gareth Price" in page.text

    after = press(browser, page, form)

    assert client.consent_id not in consent_ids(after)
    answer = client.api("GET", "/accounts")
    assert (answer.status_code, [error["ErrorCode"] for error in answer.json()["Errors"]]) == (401, ["TKSP", "U028"])
    assert client.refresh(client.tokens["refresh_token"]).json()["error"] == "invalid_grant"
    lodged = client.api("GET", f"/account-access-consents/{client.consent_id}", token=client.own_token()).json()
    assert lodged["Data"]["Status"] == "CANC"


def test_nobody_ends_the_access_of_another(bank: SandboxBank, client: BankClient) -> None:
    client.connect("overdrawn")
    browser, page = logged_in(bank, "empty")
    (form,) = (form for form in forms(page) if ("action", "log_out") in form.buttons)

    assert client.consent_id not in consent_ids(page)
    answer = press(browser, page, form, consent=client.consent_id)

    assert answer.status_code == 400
    assert client.api("GET", "/accounts").status_code == 200


def test_after_logging_out_the_page_asks_again(bank: SandboxBank) -> None:
    browser, page = logged_in(bank, "empty")
    (form,) = (form for form in forms(page) if ("action", "log_out") in form.buttons)

    press(browser, page, form, action="log_out")

    assert 'name="password"' in browser.get(f"{bank.issuer}/access").text


@pytest.mark.parametrize(("user", "password"), [("nobody", "sandbox"), ("happy", "wrong"), ("", "")])
def test_a_wrong_login_shows_nothing(bank: SandboxBank, user: str, password: str) -> None:
    browser = Browser(bank.issuer)

    page = browser.submit(browser.get(f"{bank.issuer}/access"), {"username": user, "password": password})

    assert "We could not log you in" in page.text
    assert consent_ids(page) == []


def test_the_forms_are_guarded_against_other_sites(bank: SandboxBank, client: BankClient) -> None:
    client.connect("overdrawn")
    browser, _ = logged_in(bank, "overdrawn")

    answer = browser.session.post(f"{bank.issuer}/access", data={"consent": client.consent_id}, timeout=TIMEOUT)

    assert answer.status_code == 403
    assert client.api("GET", "/accounts").status_code == 200


def test_other_methods_are_405(bank: SandboxBank) -> None:
    assert requests.delete(f"{bank.issuer}/access", timeout=TIMEOUT).status_code in (403, 405)


def test_a_login_for_a_client_opens_no_list(bank: SandboxBank, client: BankClient) -> None:
    """Logging in to answer one request is no login to the page: each asks for itself."""
    consent_id = client.create_consent().json()["Data"]["ConsentId"]
    browser = Browser(bank.issuer)
    login = browser.get(client.authorization_url(client.request_object(consent_id, Pkce())))
    browser.submit(login, {"username": "empty", "password": "sandbox"})

    assert 'name="password"' in browser.get(f"{bank.issuer}/access").text
