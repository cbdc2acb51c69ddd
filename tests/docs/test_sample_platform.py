"""The sample platform as a person meets it: connects, sees, and is told in plain words when it is over."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys import walk
from tests.journeys.seeing import TWO_VIEWS, Eye
from tests.support.browsing import follow, press

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """JavaScript is on because axe is JavaScript; the pages have none."""
    context = chromium.new_context(reduced_motion="reduce", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def is_at(page: Page, heading: str) -> None:
    expect(page.locator("h1")).to_have_text(heading, timeout=20_000)


def connect(page: Page, user: dict[str, str] | None) -> None:
    """From the app's first page through Sluice and the bank, and back."""
    press(page, "Connect your bank")
    if user is not None:
        page.get_by_label("Username").fill(user["username"])
        page.get_by_label("Password").fill(user["password"])
        press(page, "Sign in")
    is_at(page, "Pocket Budget asks to see some of your bank data")
    press(page, "Continue")
    walk.choose_bank(page)
    page.get_by_role("checkbox", name="Where your money went").check()
    walk.leave_terms(page)
    press(page, "Continue to First Sandbox Bank")
    walk.log_in_at_bank(page)
    walk.allow_at_bank(page)
    walk.tick_first_account(page)
    press(page, "Allow")
    press(page, "Return to Pocket Budget")
    is_at(page, "Your money")


def test_a_user_connects_looks_and_stops_at_sluice_and_the_app_says_so(instance: dict[str, Any], page: Page) -> None:
    home = instance["example"]
    eye = Eye(page, *(at.rstrip("/") for at in (home, instance["issuer"], instance["banks"][0]["issuer"])))
    page.goto(home)
    is_at(page, "Know where your money goes")
    eye.look("budget-welcome", TWO_VIEWS)
    connect(page, instance["users"][0])

    expect(page.locator(".account dd").first).to_contain_text("GBP")
    expect(page.get_by_role("rowheader").first).to_be_visible()
    eye.look("budget-money")
    eye.tab_through("budget-money")
    follow(page, "Payments of")
    expect(page.get_by_role("row")).to_have_count(26)
    first = page.get_by_role("row").nth(1).inner_text()
    eye.look("budget-payments", TWO_VIEWS)
    follow(page, "Older payments")
    expect(page.get_by_role("link", name="Newest payments")).to_be_visible()
    assert page.get_by_role("row").nth(1).inner_text() != first
    page.goto(home)
    press(page, "Ask the bank for fresh data")
    expect(page.get_by_role("status")).to_contain_text("Your bank")

    page.goto(instance["portal"])
    follow(page, "View Pocket Budget")
    press(page, "Pause")
    page.goto(home)
    is_at(page, "You paused this")
    eye.look("budget-paused", TWO_VIEWS)
    follow(page, "Go to your sharing at Sluice")
    follow(page, "View Pocket Budget")
    press(page, "Resume")
    page.goto(home)
    is_at(page, "Your money")

    page.goto(instance["portal"])
    follow(page, "View Pocket Budget")
    follow(page, "Stop sharing")
    press(page, "Stop sharing")
    page.goto(home)
    is_at(page, "You stopped sharing")
    expect(page.get_by_text("You stopped sharing with Pocket Budget at Sluice.")).to_be_visible()
    eye.look("budget-stopped", TWO_VIEWS)

    connect(page, None)
    follow(page, "Disconnect your bank")
    eye.look("budget-disconnect", TWO_VIEWS)
    press(page, "Disconnect now")
    is_at(page, "You disconnected your bank")
    assert not eye.findings, "\n".join(eye.findings)
