"""A platform asks, Alice decides: without JavaScript, from the platform's link to the platform's answer."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from banks.models import Connection
from consents import clock
from consents.models import Consent, ConsentAccount
from consents.scopes import LocationPrecision, Scope
from consents.states import ConsentStatus
from tests.journeys import walk
from tests.journeys.conftest import Stage
from tests.journeys.scenes import Scene
from tests.support import cast
from tests.support.browsing import follow, press

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Alice's browser, JavaScript off, on a phone."""
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def origins(page: Page) -> set[str]:
    """Of every request the browser makes."""
    seen: set[str] = set()
    page.on("request", lambda request: seen.add("://".join(urlsplit(request.url)[:2])))
    return seen


def is_at(page: Page, heading: str) -> None:
    """It may still be on its way there."""
    expect(page.locator("h1")).to_have_text(heading, timeout=20_000)


def read_accounts(stage: Stage, token: str) -> requests.Response:
    return requests.get(f"{stage.sluice}/v1/accounts", headers={"Authorization": f"Bearer {token}"}, timeout=20)


def exchange(stage: Stage, code: str) -> str:
    answer = requests.post(
        f"{stage.sluice}/oauth/token",
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": stage.chat.redirect_uri,
            "code_verifier": walk.VERIFIER,
        },
        headers={"Authorization": cast.basic(stage.chat)},
        timeout=20,
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def test_alice_allows_looks_and_stops(stage: Stage, page: Page, origins: set[str]) -> None:
    page.goto(walk.platform_link(stage))
    is_at(page, "Sign in")
    walk.sign_in(page)
    is_at(page, "Example Chat asks to see some of your bank data")
    press(page, "Continue")
    walk.choose_bank(page)
    is_at(page, "What would Example Chat see?")
    assert not page.get_by_text("How much is in the account").is_visible()
    page.get_by_text("Account balance").click()
    assert page.get_by_text("How much is in the account").is_visible()
    press(page, "Continue")
    is_at(page, "For how long may Example Chat look?")
    press(page, "Continue")
    assert urlsplit(stage.bank.issuer).netloc in page.locator("main").inner_text()
    press(page, "Continue to First Sandbox Bank")
    assert page.url.startswith(stage.bank.issuer)
    walk.log_in_at_bank(page)
    walk.allow_at_bank(page)
    is_at(page, "Which accounts may Example Chat see?")
    assert not any(box.is_checked() for box in page.get_by_role("checkbox").all())
    walk.tick_first_account(page)
    is_at(page, "May Example Chat see this?")
    assert not ConsentAccount.objects.exists()
    press(page, "Allow")
    is_at(page, "Example Chat may now see what you chose")
    press(page, "Return to Example Chat")

    assert page.url.startswith(stage.site.redirect_uri)
    ((answer),) = stage.site.answers
    assert (answer["state"], answer["iss"]) == ("state-of-the-platform", stage.sluice)
    token = exchange(stage, answer["code"])
    assert read_accounts(stage, token).status_code == 200

    page.goto(stage.sluice)
    assert page.get_by_text("Reads in the last 7 days").is_visible()
    follow(page, "View Example Chat")
    assert page.get_by_text("Account details", exact=True).is_visible()
    follow(page, "Stop sharing")
    press(page, "Stop sharing")

    assert page.get_by_text("You stopped it").is_visible()
    assert read_accounts(stage, token).status_code == 401
    assert Consent.objects.get().status == ConsentStatus.REVOKED
    assert origins == {stage.sluice, stage.bank.issuer, stage.site.origin}


def test_alice_shares_less_and_then_stops_everything(page: Page, live_server: Any) -> None:
    scene = Scene()
    consent, other = scene.live, scene.ending
    page.goto(f"{live_server.url}/consents/{consent.id}/")
    walk.sign_in(page)
    follow(page, "Share less")
    page.get_by_label("Account balance").uncheck()
    page.get_by_label("The town, and nothing closer").check()
    page.get_by_label("In 7 days").check()
    press(page, "Share less")
    narrowed = Consent.objects.get(id=consent.id)

    page.goto(live_server.url)
    follow(page, "Stop everything")
    press(page, "Stop everything")

    is_at(page, "Your sharing")
    assert not page.get_by_role("link", name="Stop sharing").count()
    assert Scope.BALANCES not in narrowed.scopes and Scope.ACCOUNTS in narrowed.scopes
    assert narrowed.location_precision == LocationPrecision.CITY
    assert narrowed.expires_at is not None and narrowed.expires_at <= clock.now() + timedelta(days=7)
    ended = Consent.objects.filter(id__in=[consent.id, other.id]).values_list("status", flat=True)
    assert list(ended) == [ConsentStatus.REVOKED, ConsentStatus.REVOKED]


def test_alice_says_no_at_the_last_step(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.sluice}/sign-in/")
    walk.sign_in(page)
    walk.to_the_accounts(page, stage)
    walk.tick_first_account(page)

    press(page, "Do not allow")
    is_at(page, "Nothing was shared")
    press(page, "Return to Example Chat")

    ((answer),) = stage.site.answers
    assert answer["error"] == "access_denied"
    assert "code" not in answer
    assert not ConsentAccount.objects.exists()


def test_alice_says_no_at_the_bank_and_tries_again(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.sluice}/sign-in/")
    walk.sign_in(page)
    page.goto(walk.platform_link(stage))
    press(page, "Continue")
    walk.choose_bank(page)
    walk.leave_terms(page)
    press(page, "Continue to First Sandbox Bank")
    walk.log_in_at_bank(page)
    press(page, "Refuse")
    is_at(page, "You did not go on at the bank")
    press(page, "Try again")
    walk.choose_bank(page)
    press(page, "Continue to First Sandbox Bank")
    walk.log_in_at_bank(page)
    walk.allow_at_bank(page)

    is_at(page, "Which accounts may Example Chat see?")


def test_t7_way_to_the_bank_sent_to_somebody_else_links_nothing(stage: Stage, page: Page, chromium: Browser) -> None:
    """The attack: start a link, have somebody log in at the bank in another browser."""
    to_the_bank: list[str] = []
    page.on("request", lambda request: to_the_bank.append(request.url))
    page.goto(f"{stage.sluice}/sign-in/")
    walk.sign_in(page)
    page.goto(walk.platform_link(stage))
    press(page, "Continue")
    walk.choose_bank(page)
    walk.leave_terms(page)
    press(page, "Continue to First Sandbox Bank")
    sent = next(url for url in to_the_bank if url.startswith(stage.bank.issuer))
    elsewhere = chromium.new_context(java_script_enabled=False)
    other = elsewhere.new_page()

    other.goto(f"{stage.sluice}/sign-in/")
    walk.sign_in(other)
    other.goto(sent)
    walk.log_in_at_bank(other)
    walk.allow_at_bank(other)

    is_at(other, "Nothing was linked")
    assert not Connection.objects.exists()
    elsewhere.close()
