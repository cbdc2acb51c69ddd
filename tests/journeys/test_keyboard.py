"""What one can do, one can do with the keyboard alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page

from consents.models import Consent, ConsentAccount
from consents.scopes import Scope
from consents.states import ConsentStatus
from tests.journeys import keyboard, walk
from tests.journeys.conftest import Stage
from tests.journeys.pages import cookie
from tests.journeys.scenes import Scene
from tests.support import cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 320, "height": 640})
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def scene(page: Page, live_server: Any, transactional_db: None) -> Scene:
    """Alice is signed in with this browser."""
    scene = Scene()
    signed_in = cookie(scene.alices_browser, settings.SESSION_COOKIE_NAME)
    page.context.add_cookies([{**signed_in, "url": live_server.url}])  # type: ignore[typeddict-item]
    return scene


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


def test_answering_a_request_from_the_first_page_to_the_last(page: Page, stage: Stage) -> None:
    """All but the bank's own pages, which are not ours."""
    page.goto(walk.platform_link(stage))
    walk.sign_in(page)

    keyboard.follow(page, "Continue")
    keyboard.choose(page, "First Sandbox Bank")
    keyboard.follow(page, "Continue")
    keyboard.tick(page, "Where you were when you paid")
    keyboard.follow(page, "Continue")
    keyboard.choose(page, "One time")
    keyboard.follow(page, "Continue")
    keyboard.follow(page, "Continue to First Sandbox Bank")
    walk.log_in_at_bank(page)
    walk.allow_at_bank(page)
    keyboard.tick_first(page)
    keyboard.follow(page, "Continue")
    keyboard.follow(page, "Allow")
    keyboard.follow(page, "Return to Example Chat")

    consent = Consent.objects.get()
    assert consent.status == ConsentStatus.AUTHORISED
    assert consent.duration_days is None and Scope.LOCATIONS in consent.scopes
    assert ConsentAccount.objects.filter(consent=consent).count() == 1
    assert "code" in stage.site.answers[0]


def test_sharing_less(page: Page, live_server: Any, scene: Scene) -> None:
    page.goto(f"{live_server.url}/consents/{scene.live.id}/")

    keyboard.follow(page, "Share less")
    keyboard.tick(page, "Account balance")
    keyboard.tick(page, "Hide: Health")
    keyboard.follow(page, "Share less")

    consent = Consent.objects.get(id=scene.live.id)
    assert page.get_by_role("heading", level=1, name="chat").is_visible()
    assert Scope.BALANCES not in consent.scopes and Scope.ACCOUNTS in consent.scopes
    assert consent.hidden_groups == ["HEALTH"]
