"""The pages in a real browser: the way back works under the policy, they fit 320 pixels, and axe finds nothing."""

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped, unused-ignore]
from playwright.sync_api import Browser, Page

from tests.support.bank_client import BankClient, Pkce
from tests.support.browsing import chromium as chromium
from tests.support.browsing import press

pytestmark = pytest.mark.browser

#: WCAG 2.2 AA and what it builds on.
_RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


def assert_accessible(page: Page, width: int) -> None:
    found = Axe().run(page, options=_RULES)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.evaluate(
        "[...document.querySelectorAll('button, input:not([type=hidden])')].map(e => e.getBoundingClientRect())"
        ".map(r => Math.min(r.width, r.height))"
    )
    assert all(size >= 24 for size in sizes)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1000), ("dark", 320)])
@pytest.mark.parametrize(("bank_client", "user"), [("client", "happy"), ("card_client", "cardholder")])
def test_a_customer_gets_through_login_and_consent_and_back(
    request: pytest.FixtureRequest, chromium: Browser, bank_client: str, user: str, scheme: str, width: int
) -> None:
    client: BankClient = request.getfixturevalue(bank_client)
    consent_id = client.create_consent(ExpirationDateTime="2099-01-01T00:00:00Z").json()["Data"]["ConsentId"]
    context = chromium.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 800}
    )
    page = context.new_page()
    console: list[str] = []
    page.on("console", lambda message: console.append(message.text))

    page.goto(f"{client.issuer}/")
    assert_accessible(page, width)
    page.goto(client.authorization_url(client.request_object(consent_id, Pkce(), state="back")))
    page.fill("#username", user)
    page.fill("#password", "wrong")
    press(page, "Log in")
    assert_accessible(page, width)
    page.fill("#password", "sandbox")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    press(page, "Allow")
    assert_accessible(page, width)
    page.check("input[name=accounts] >> nth=0")
    with page.expect_request(lambda request: request.url.startswith(client.redirect_uri)) as sent:
        page.click("button[value=allow]")

    assert "code=" in sent.value.url and "state=back" in sent.value.url and "iss=" in sent.value.url
    assert not [line for line in console if "Content Security Policy" in line]
    context.close()


def test_a_customer_ends_access_in_a_browser(chromium: Browser, client: BankClient) -> None:
    client.connect("closed_account")
    page = chromium.new_context(viewport={"width": 320, "height": 800}).new_page()

    page.goto(f"{client.issuer}/access")
    assert_accessible(page, 320)
    page.fill("#username", "closed_account")
    page.fill("#password", "sandbox")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=End access")
    assert_accessible(page, 320)
    page.click(f"form:has(input[value='{client.consent_id}']) button")

    page.wait_for_selector(f"form:has(input[value='{client.consent_id}'])", state="detached")
    assert client.api("GET", "/accounts").status_code == 401
    page.context.close()
