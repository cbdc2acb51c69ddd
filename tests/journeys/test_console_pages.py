"""A clerk at work in a browser: a stop and its lift, terms, a look-up, and what is said where something is missing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Page

from consents.models import Proposal
from tests.journeys.conftest import Look
from tests.journeys.pages import cookie
from tests.journeys.staff_scenes import Console
from tests.support import factors
from tests.support.browsing import follow, is_told, press

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def console(transactional_db: None) -> Console:
    return Console()


@pytest.fixture
def to(console: Console, page: Page, live_server: Any) -> Callable[[str], None]:
    """To a page of the console, as its clerk."""
    signed_in = cookie(console.busy, settings.SESSION_COOKIE_NAME)
    page.context.add_cookies([{**signed_in, "url": live_server.url}])  # type: ignore[typeddict-item]

    def to(path: str) -> None:
        page.goto(f"{live_server.url}/backoffice/{console.bank.slug}/{path}")

    return to


def test_a_stop_is_one_persons_and_its_lift_two(
    console: Console, page: Page, to: Callable[[str], None], look: Look
) -> None:
    other = factors.proved(factors.clerk(console.bank, "other"))
    to(f"platforms/{console.platform}/suspend/")
    press(page, "Suspend now")
    is_told(page)
    look("console-suspend-error")
    page.get_by_label("A security incident").check()
    press(page, "Suspend now")
    page.get_by_text("Stopped since").wait_for()
    follow(page, "Lift the stop")
    page.get_by_label("The cause of the stop is resolved").check()
    press(page, "Ask for it")
    follow(page, "Lift a stop: Example Chat")
    page.get_by_role("heading", level=1).wait_for()
    address = f"/backoffice/{console.bank.slug}/proposals/{Proposal.objects.get().id}/"
    assert page.url.endswith(address)

    assert other.post(address, {"decision": "approve"}).status_code == 303
    to("proposals/")
    look("console-proposals-decided")
    to(f"platforms/{console.platform}/")

    assert not page.get_by_text("Stopped since").is_visible()


def test_terms_and_a_customer(console: Console, page: Page, to: Callable[[str], None], look: Look) -> None:
    to(f"platforms/{console.platform}/policy/")
    page.get_by_label("How far back, in days").fill("9999")
    press(page, "Show what would change")
    is_told(page)
    look("console-policy-error")
    page.get_by_label("How far back, in days").fill("30")
    page.get_by_label("Take the platform’s word").check()
    press(page, "Show what would change")
    page.get_by_role("heading", level=1, name="What would change").wait_for()
    to("customers/")
    press(page, "Look up")
    is_told(page)
    look("console-customers-error")
    page.get_by_label("Reference", exact=True).fill(str(console.held))
    page.get_by_label("A complaint of the customer").check()
    press(page, "Look up")
    page.get_by_role("heading", name="A customer’s consents").wait_for()
