"""The walk through the browser: request object, login, consent, and the way back with `iss` in every outcome."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.support.bank_client import BankClient, Browser, Pkce, forms, returned
from tests.support.sandbox_bank import SandboxBank, new_key

OTHER_KEY = new_key("EC")


@pytest.fixture
def lodged(client: BankClient) -> str:
    """The id of a consent that awaits authorisation."""
    return str(client.create_consent().json()["Data"]["ConsentId"])


def open_request(client: BankClient, request_object: str, **query: str) -> requests.Response:
    return Browser(client.issuer).get(client.authorization_url(request_object, **query))


def log_in(client: BankClient, consent_id: str, user: str = "happy") -> tuple[Browser, requests.Response]:
    """A browser in front of the consent page."""
    browser = Browser(client.issuer)
    page = browser.get(client.authorization_url(client.request_object(consent_id, Pkce())))
    return browser, browser.submit(page, {"username": user, "password": "sandbox"})


# -- outcomes -------------------------------------------------------------------------------------------------------


def test_allowing_brings_back_code_state_and_iss(client: BankClient, lodged: str) -> None:
    back = client.decide(client.request_object(lodged, Pkce(), state="a b&c=d"), "happy")

    assert set(back) == {"code", "state", "iss"}
    assert (back["state"], back["iss"]) == ("a b&c=d", client.issuer)


def test_refusing_brings_back_access_denied_state_and_iss(client: BankClient, lodged: str) -> None:
    back = client.decide(client.request_object(lodged, Pkce(), state="s"), "happy", decision="refuse")

    assert (back["error"], back["state"], back["iss"]) == ("access_denied", "s", client.issuer)
    assert "code" not in back


def unsigned(client: BankClient, request_object: str) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    return f"{header}.{request_object.split('.')[1]}.AA"


#: Claims that differ from a good request, and the error that the client gets to see.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no PKCE": ({"code_challenge": None}, "invalid_request"),
    "no PKCE method": ({"code_challenge_method": None}, "invalid_request"),
    "plain PKCE": ({"code_challenge_method": "plain"}, "invalid_request"),
    "challenge too short": ({"code_challenge": "abc"}, "invalid_request"),
    "challenge a number": ({"code_challenge": 7}, "invalid_request"),
    "no state": ({"state": None}, "invalid_request"),
    "empty state": ({"state": ""}, "invalid_request"),
    "no scope": ({"scope": None}, "invalid_request"),
    "another scope": ({"scope": "openid payments"}, "invalid_request"),
    "another response type": ({"response_type": "token"}, "invalid_request"),
    "another client_id inside": ({"client_id": "stranger"}, "invalid_request_object"),
    "another iss": ({"iss": "stranger"}, "invalid_request_object"),
    "another aud": ({"aud": "https://bank.example"}, "invalid_request_object"),
    "aud a list": ({"aud": ["https://bank.example"]}, "invalid_request_object"),
    "expired": ({"exp": 1_000_000}, "invalid_request_object"),
    "no exp": ({"exp": None}, "invalid_request_object"),
    "not valid yet": ({"nbf": 4_000_000_000}, "invalid_request_object"),
    "a request inside": ({"request_uri": "https://x.example"}, "invalid_request_object"),
    "no consent": ({"claims": None}, "invalid_request"),
    "an unknown consent": (
        {"claims": {"id_token": {"openbanking_intent_id": {"value": "aac-none"}}}},
        "invalid_request",
    ),
    "a consent of another shape": ({"claims": {"id_token": {"openbanking_intent_id": "x"}}}, "invalid_request"),
    "claims a list": ({"claims": []}, "invalid_request"),
    "nonce a number": ({"nonce": 7}, "invalid_request"),
    "a state too long": ({"state": "x" * 2001}, "invalid_request"),
}


@pytest.mark.parametrize(("claims", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_requests_go_back_with_an_error_and_iss(
    client: BankClient, lodged: str, claims: dict[str, Any], error: str
) -> None:
    back = returned(open_request(client, client.request_object(lodged, Pkce(), **claims)))

    assert (back["error"], back["iss"]) == (error, client.issuer)
    assert "code" not in back


def test_two_different_consents_in_one_request_are_refused(client: BankClient, lodged: str) -> None:
    ids = {"id_token": lodged, "userinfo": "aac-x"}
    claims = {holder: {"openbanking_intent_id": {"value": id_}} for holder, id_ in ids.items()}

    back = returned(open_request(client, client.request_object(lodged, Pkce(), claims=claims)))

    assert back["error"] == "invalid_request"


@pytest.mark.parametrize("name", ["response_type", "scope"])
def test_parameters_beside_the_request_object_must_equal_it(client: BankClient, lodged: str, name: str) -> None:
    response = open_request(client, client.request_object(lodged, Pkce()), **{name: "something else"})

    assert returned(response)["error"] == "invalid_request"


def test_other_parameters_beside_the_request_object_are_ignored(client: BankClient, lodged: str) -> None:
    pkce = Pkce()
    beside: dict[str, Any] = {"state": "forged", "redirect_uri": "https://evil.example/", "code_challenge": "x"}

    back = client.decide(client.request_object(lodged, pkce, state="signed"), "empty", **beside)

    assert back["state"] == "signed"
    assert client.exchange(back["code"], pkce).status_code == 200


#: Requests whose way back cannot be trusted.
UNTRUSTED: dict[str, Callable[[BankClient, str], str]] = {
    "unknown client_id": lambda c, r: c.authorization_url(r, client_id="nobody"),
    "no client_id": lambda c, r: c.authorization_url(r, client_id=""),
    "no request object": lambda c, r: c.authorization_url("").replace("&request=", "&"),
    "empty request object": lambda c, r: c.authorization_url(""),
    "unsigned": lambda c, r: c.authorization_url(unsigned(c, r)),
    "tampered": lambda c, r: c.authorization_url(r[:-6] + "AAAAAA"),
    "another key": lambda c, r: c.authorization_url(c.request_object("x", Pkce(), key=OTHER_KEY)),
    "another key, our kid": lambda c, r: c.authorization_url(
        c.request_object("x", Pkce(), key=OTHER_KEY, header={"kid": c.key["kid"]})
    ),
    "redirect elsewhere": lambda c, r: c.authorization_url(
        c.request_object("x", Pkce(), redirect_uri="https://evil.example/")
    ),
    "redirect below ours": lambda c, r: c.authorization_url(
        c.request_object("x", Pkce(), redirect_uri=f"{c.redirect_uri}/deeper")
    ),
    "redirect with a query": lambda c, r: c.authorization_url(
        c.request_object("x", Pkce(), redirect_uri=f"{c.redirect_uri}?x=1")
    ),
    "no redirect": lambda c, r: c.authorization_url(c.request_object("x", Pkce(), redirect_uri=None)),
    "redirect a list": lambda c, r: c.authorization_url(c.request_object("x", Pkce(), redirect_uri=[c.redirect_uri])),
    "half a character": lambda c, r: c.authorization_url(c.request_object("x", Pkce(), state="\ud800")),
    "client_id twice": lambda c, r: f"{c.authorization_url(r)}&client_id=sluice",
    "request twice": lambda c, r: f"{c.authorization_url(r)}&request={r}",
    "nothing at all": lambda c, r: f"{c.issuer}/oauth/authorize",
}


@pytest.mark.parametrize("url", UNTRUSTED.values(), ids=UNTRUSTED.keys())
def test_untrusted_requests_get_a_page_and_no_redirect(
    client: BankClient, lodged: str, url: Callable[[BankClient, str], str]
) -> None:
    answer = Browser(client.issuer).get(url(client, client.request_object(lodged, Pkce())))

    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "<h1>" in answer.text


def test_a_refused_consent_cannot_be_authorised_later(client: BankClient, lodged: str) -> None:
    client.decide(client.request_object(lodged, Pkce()), "happy", decision="refuse")

    assert returned(open_request(client, client.request_object(lodged, Pkce())))["error"] == "invalid_request"


# -- login ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("username", "password"),
    [("happy", "wrong"), ("happy", ""), ("nobody", "sandbox"), ("", ""), ("Happy", "sandbox"), ("é\x00<b>", "é")],
)
def test_a_wrong_login_says_so_and_opens_nothing(client: BankClient, lodged: str, username: str, password: str) -> None:
    browser = Browser(client.issuer)
    page = browser.get(client.authorization_url(client.request_object(lodged, Pkce())))

    answer = browser.submit(page, {"username": username, "password": password})

    assert answer.status_code == 200
    assert "The user name or the password is wrong." in answer.text
    assert 'role="alert"' in answer.text and "<title>Error:" in answer.text
    assert "<b>" not in answer.text
    consent = browser.get(answer.url.replace("/login/", "/consent/"))
    assert "/login/" in consent.url


def test_a_login_is_for_one_request(client: BankClient, lodged: str) -> None:
    browser, _ = log_in(client, lodged)

    again = browser.get(client.authorization_url(client.request_object(lodged, Pkce())))

    assert "/login/" in again.url
    assert "/login/" in browser.get(again.url.replace("/login/", "/consent/")).url


def test_the_consent_page_is_closed_to_a_browser_that_did_not_log_in(client: BankClient, lodged: str) -> None:
    _, page = log_in(client, lodged)

    assert "/login/" in Browser(client.issuer).get(page.url).url


# -- consent page ---------------------------------------------------------------------------------------------------


def test_the_consent_page_shows_who_what_until_when_and_ticks_nothing(client: BankClient) -> None:
    created = client.create_consent(
        "ReadAccountsBasic",
        "ReadTransactionsBasic",
        "ReadTransactionsDebits",
        ExpirationDateTime="2099-05-02T12:00:00+01:00",
        TransactionFromDateTime="2026-01-03T00:00:00+00:00",
    )
    _, page = log_in(client, created.json()["Data"]["ConsentId"])

    (form,) = forms(page)
    for text in ("Sluice", "Harriet Penrose", "without account numbers", "(money out)", "without shop names"):
        assert text in page.text
    assert "2 May 2099, 12:00" in page.text and "from 3 January 2026" in page.text
    assert [(name, ticked) for name, _, ticked in form.choices] == [("accounts", False)] * 2
    assert form.buttons == [("decision", "allow"), ("decision", "refuse")]


def test_allowing_nothing_is_an_error_on_the_page(client: BankClient, lodged: str) -> None:
    browser, page = log_in(client, lodged)

    answer = browser.submit(page, {"decision": "allow"})

    assert answer.status_code == 400
    assert "Choose at least one account" in answer.text and 'role="alert"' in answer.text
    # Still open: the customer can mend it.
    (form,) = forms(answer)
    assert "code" in returned(browser.submit(answer, {"decision": "allow", "accounts": form.choices[0][1]}))


def test_somebody_elses_account_cannot_be_ticked(client: BankClient, lodged: str, bank: SandboxBank) -> None:
    foreign = bank.control("GET", "/control/state")["people"]["happy2"]["accounts"][0]["account_id"]
    browser, page = log_in(client, lodged)

    assert browser.submit(page, {"decision": "allow", "accounts": foreign}).status_code == 400


@pytest.mark.parametrize("fields", [{}, {"decision": "maybe"}, {"decision": ""}])
def test_no_clear_decision_is_no_decision(client: BankClient, lodged: str, fields: dict[str, str | list[str]]) -> None:
    browser, page = log_in(client, lodged)

    assert "Allow" in browser.submit(page, fields).text


def test_a_decision_is_taken_once(client: BankClient, lodged: str) -> None:
    browser, page = log_in(client, lodged)
    returned(browser.submit(page, {"decision": "refuse"}))

    for path in (page.url, page.url.replace("/consent/", "/login/")):
        assert browser.get(path).status_code == 400


def test_a_form_without_the_csrf_token_is_refused(client: BankClient, lodged: str) -> None:
    browser, page = log_in(client, lodged)

    answer = browser.submit(page, {"decision": "allow", "csrfmiddlewaretoken": "x"})

    assert answer.status_code == 403
    assert "Location" not in answer.headers


def test_a_consent_belongs_to_the_customer_who_gave_it(client: BankClient) -> None:
    client.connect("happy")

    _, page = log_in(client, client.consent_id, user="happy2")

    assert page.status_code == 403
    assert "another customer" in page.text


def test_unknown_request_ids_are_a_plain_page(client: BankClient) -> None:
    for path in ("/login/x", "/consent/x", "/login/%00", "/nothing"):
        answer = Browser(client.issuer).get(client.issuer + path)
        assert answer.status_code in (400, 404)
        assert "<h1>" in answer.text


# -- headers --------------------------------------------------------------------------------------------------------


def test_pages_forbid_scripts_frames_and_strangers(client: BankClient, lodged: str) -> None:
    browser, page = log_in(client, lodged)
    home = browser.get(f"{client.issuer}/")

    for one in (page, home):
        policy = one.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert one.headers["X-Frame-Options"] == "DENY"
        assert one.headers["Cache-Control"] == "no-store"
        assert "<script" not in one.text and "style=" not in one.text
        assert one.text.count("http://") == one.text.count("https://") == 0


def test_only_the_consent_page_may_send_a_form_to_the_client(client: BankClient, lodged: str) -> None:
    browser = Browser(client.issuer)
    login = browser.get(client.authorization_url(client.request_object(lodged, Pkce())))
    consent = browser.submit(login, {"username": "happy", "password": "sandbox"})

    assert "form-action 'self';" in login.headers["Content-Security-Policy"]
    assert "form-action 'self' http://127.0.0.1:9;" in consent.headers["Content-Security-Policy"]


def test_cookies_have_names_of_their_own_and_are_lax_and_http_only(client: BankClient, lodged: str) -> None:
    browser, _ = log_in(client, lodged)

    cookies = {cookie.name: cookie for cookie in browser.session.cookies}
    assert set(cookies) == {"first_sandbox_session", "first_sandbox_csrf"}
    for cookie in cookies.values():
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "Lax"


def test_the_home_page_names_every_scenario_and_the_password(client: BankClient, bank: SandboxBank) -> None:
    home = requests.get(f"{client.issuer}/", timeout=5).text

    for name in bank.control("GET", "/control/state")["people"]:
        assert f"<code>{name}</code>" in home
    assert "<code>sandbox</code>" in home


def test_a_request_object_says_so_when_the_clock_is_right() -> None:
    now = int(time.time())
    client = BankClient(issuer="http://bank", client_id="c", key=OTHER_KEY, redirect_uri="http://127.0.0.1/cb")

    payload = client.request_object("aac-1", Pkce()).split(".")[1]

    assert json.loads(base64.urlsafe_b64decode(payload + "=="))["exp"] >= now + 300
