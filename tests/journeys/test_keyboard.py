"""What one can do, one can do with the keyboard alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from consents.models import Consent
from consents.states import ConsentStatus
from tests.journeys import keyboard
from tests.journeys.pages import Scene
from tests.support import cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 320, "height": 640})
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def test_signing_in_finding_a_consent_and_stopping_it(page: Page, live_server: Any) -> None:
    consent = Scene().live
    page.goto(live_server.url)

    keyboard.write(page, "Username", "alice")
    keyboard.write(page, "Password", cast.PASSWORD)
    keyboard.follow(page, "Sign in")
    keyboard.follow(page, "View chat")
    keyboard.follow(page, "Stop sharing")
    keyboard.follow(page, "Stop sharing")

    assert page.get_by_text("You stopped it").is_visible()
    assert Consent.objects.get(id=consent.id).status == ConsentStatus.REVOKED
