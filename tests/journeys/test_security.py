"""The security pages in a real browser: passkeys from making to signing in, codes, and what goes wrong."""

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import Browser, Page, expect

from gateway.identity.models import SecurityRecord, User
from tests.journeys.conftest import Look
from tests.support import cast, factors
from tests.support.browsing import follow, is_told, press

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def origin(live_server: Any, settings: Any) -> str:
    """A name, not a number: so there are passkeys."""
    assert live_server.url.startswith("http://localhost:")
    settings.ISSUER = live_server.url
    return str(live_server.url)


@pytest.fixture
def alice(transactional_db: None) -> User:
    return cast.alice()


def add_authenticator(page: Page) -> None:
    """A phone or laptop with a fingerprint reader, whose owner always agrees (WebAuthn, section 11.2)."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


def sign_in(page: Page, origin: str, *, then: str = "/security/") -> None:
    page.goto(f"{origin}/sign-in/?next={then}")
    page.fill("input[name=login]", "alice")
    page.fill("input[name=password]", cast.PASSWORD)
    press(page, "Sign in")


def test_passkey_from_making_it_to_signing_in_and_confirming(page: Page, origin: str, alice: User) -> None:
    add_authenticator(page)
    sign_in(page, origin)
    follow(page, "Add a passkey")
    page.fill("input[name=name]", "My phone")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    assert set(SecurityRecord.objects.values_list("kind", flat=True)) == {
        "SIGNED_IN",
        "FACTOR_ADDED",
        "RECOVERY_CODES_MADE",
    }

    press(page, "Sign out")
    page.goto(f"{origin}/sign-in/?next=/links/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{origin}/links/")

    page.goto(f"{origin}/security/passkeys/")
    follow(page, "Rename")
    page.fill("input[name=name]", "Old phone")
    press(page, "Save")
    expect(page.get_by_text("Old phone").first).to_be_visible()

    press(page, "Sign out")
    sign_in(page, origin, then="/security/password/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm that it is you")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{origin}/security/password/")

    page.goto(f"{origin}/security/confirm/passkey/?next=/security/passkeys/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{origin}/security/passkeys/")
    follow(page, "Remove")
    press(page, "Remove this passkey")
    expect(page.get_by_text("You have no passkeys.")).to_be_visible()
    assert not Authenticator.objects.exists()


def test_where_the_browser_gives_no_passkey_the_page_says_what_to_do(page: Page, origin: str, alice: User) -> None:
    page.goto(f"{origin}/sign-in/")
    page.evaluate("() => { navigator.credentials.get = () => Promise.reject(new Error('cancelled')) }")

    page.get_by_role("button", name="Use a passkey").click()

    expect(page.get_by_role("alert")).to_have_text("That did not work. Try again, or use another way.")


@pytest.fixture
def without_scripts(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(java_script_enabled=False)
    context.set_default_timeout(8000)
    yield context.new_page()
    context.close()


def test_without_javascript_codes_work_and_no_passkey_button_is_in_the_way(
    without_scripts: Page, origin: str, alice: User
) -> None:
    page = without_scripts
    page.goto(f"{origin}/sign-in/")
    expect(page.get_by_role("button", name="Use a passkey")).to_be_hidden()
    sign_in(page, origin)
    follow(page, "Set up one-time codes")
    secret = page.locator("code.secret").inner_text().replace(" ", "")
    page.fill("input[name=code]", factors.code_of(secret))
    press(page, "Turn on one-time codes")
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")


def test_a_wrong_code_is_told_where_one_looks_first(page: Page, look: Look, origin: str, alice: User) -> None:
    sign_in(page, origin, then="/security/codes/")
    page.fill("input[name=code]", "000000")
    press(page, "Turn on one-time codes")

    is_told(page)
    look("security-codes-error")
