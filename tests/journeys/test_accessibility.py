"""What one comes to by clicking, errors and the way to a bank and back included, looked at on the way."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from banks.models import Connection
from consents import clock
from consents.models import Consent
from tests.journeys import walk
from tests.journeys.bank import SLUG
from tests.journeys.conftest import Stage
from tests.journeys.seeing import Eye

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Look = Callable[[str], None]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """JavaScript on, because axe is JavaScript; Sluice's own pages have none."""
    context = chromium.new_context(reduced_motion="reduce")
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def look(page: Page, stage: Stage) -> Iterator[Look]:
    """Hold the page one is on against all of it; findings of all pages are told together."""
    eye = Eye(page, stage.sluice, stage.bank.issuer, stage.site.origin)
    yield eye.look
    assert not eye.findings, "\n".join(eye.findings)


def test_signing_in_and_up(stage: Stage, page: Page, look: Look) -> None:
    page.goto(f"{stage.sluice}/sign-in/")
    look("sign-in")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("wrong")
    walk.press(page, "Sign in")
    assert page.evaluate("document.activeElement.className") == "problems"
    look("sign-in-error")
    page.goto(f"{stage.sluice}/sign-up/")
    look("sign-up")
    page.goto(f"{stage.sluice}/sign-in/")
    walk.sign_in(page)
    look("list-empty")
    page.goto(f"{stage.sluice}/sign-out/")
    look("sign-out")
    page.goto(f"{stage.sluice}/nowhere/")
    look("not-found")


def test_saying_yes_and_stopping(stage: Stage, page: Page, look: Look) -> None:
    page.goto(walk.platform_link(stage))
    walk.sign_in(page)
    look("1-ask")
    for line in page.locator("summary").all():
        line.click()
    look("1-ask-open")
    walk.press(page, "Continue")
    look("2-bank")
    walk.choose_bank(page)
    look("3-redirect")
    walk.press(page, "Continue to First Sandbox Bank")
    walk.log_in_at_bank(page)
    walk.allow_at_bank(page)
    look("5-accounts")
    walk.press(page, "Continue")
    assert page.evaluate("document.activeElement.className") == "problems"
    look("5-accounts-error")
    walk.tick_first_account(page)
    look("6-confirm")
    walk.press(page, "Allow")
    look("7-done")
    page.goto(stage.sluice)
    look("list")
    page.get_by_role("link", name="View Example Chat").click()
    look("detail")
    page.get_by_role("link", name="Stop sharing").click()
    look("stop")
    walk.press(page, "Stop sharing")
    look("stopped")
    page.goto(stage.sluice)
    look("list-ended")


def test_saying_no_and_what_goes_wrong(stage: Stage, page: Page, look: Look) -> None:
    page.goto(walk.platform_link(stage))
    walk.sign_in(page)
    page.goto(stage.sluice)
    look("list-waiting")
    page.get_by_role("link", name="Answer").click()
    walk.press(page, "Continue")
    walk.choose_bank(page)
    walk.press(page, "Continue to First Sandbox Bank")
    walk.log_in_at_bank(page)
    walk.press(page, "Refuse")
    look("failed")
    walk.press(page, "Do not allow")
    look("8-refused")
    page.goto(f"{stage.sluice}/banks/{SLUG}/callback?state=made-up")
    look("nothing-linked")
    page.goto(walk.platform_link(stage))
    waiting = Consent.objects.order_by("-created_at")[0]
    Consent.objects.filter(id=waiting.id).update(expires_at=waiting.created_at)
    page.reload()
    look("over")


def test_renewing_a_bank_link(stage: Stage, page: Page, look: Look) -> None:
    page.goto(f"{stage.sluice}/sign-in/")
    walk.sign_in(page)
    page.get_by_role("link", name="Your bank links").click()
    look("links-empty")
    walk.to_the_accounts(page, stage)
    walk.tick_first_account(page)
    walk.press(page, "Allow")
    page.goto(f"{stage.sluice}/links/")
    look("links")
    Connection.objects.update(status="REAUTH_REQUIRED")
    page.goto(stage.sluice)
    look("list-link-waits")
    page.get_by_role("link", name="Renew it under your bank links").click()
    look("links-waiting")
    page.get_by_role("link", name="Renew First Sandbox Bank").click()
    look("renew")
    walk.press(page, "Continue to First Sandbox Bank")
    walk.log_in_at_bank(page)
    walk.press(page, "Refuse")
    look("renew-failed")
    walk.press(page, "Try again")
    walk.press(page, "Continue to First Sandbox Bank")
    walk.log_in_at_bank(page)
    walk.allow_at_bank(page)
    page.get_by_text("First Sandbox Bank is renewed").wait_for()
    look("links-renewed")
    Connection.objects.update(status="REVOKED", unneeded_at=clock.now())
    page.reload()
    look("links-over")


def test_keyboard_alone_reaches_what_counts(stage: Stage, page: Page) -> None:
    """The skip link comes first, the focus can be seen, and both answers lie on the way."""
    page.goto(walk.platform_link(stage))
    walk.sign_in(page)
    page.get_by_role("heading", level=1).wait_for()
    reached: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText").strip())
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", reached[-1]
        if reached[-1] == "Do not allow":
            break

    assert reached[0] == "Skip to content"
    assert reached[-2:] == ["Continue", "Do not allow"]
