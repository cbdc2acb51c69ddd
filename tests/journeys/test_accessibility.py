"""What one comes to by clicking alone, looked at there: errors, and the way to a bank and back.

What has an address of its own is in pages.py.
"""

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.conf import settings
from playwright.sync_api import Page

from banks import attempts
from banks.models import Account, Connection, Institution, LinkAttempt
from consents import clock, platforms
from consents.models import BankPolicy, Consent
from consents.policy_terms import StepUp
from consents.states import PlatformStatus
from gateway.portal.models import ExportJob
from gateway.portal.tasks import make_export
from tests.journeys import walk
from tests.journeys.conftest import Look, Stage
from tests.journeys.pages import cookie
from tests.journeys.scenes import Scene
from tests.support import cast, ledger
from tests.support.browsing import follow, is_told, press

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def origins(request: pytest.FixtureRequest, live_server: Any) -> list[str]:
    """To the bank and back as well, in the journeys that go there."""
    if "stage" not in request.fixturenames:
        return [live_server.url, "file://"]  # a copy is looked at where it was unpacked
    stage = request.getfixturevalue("stage")
    return [stage.sluice, stage.bank.issuer, stage.site.origin]


@pytest.fixture
def scene(page: Page, live_server: Any, transactional_db: None) -> Scene:
    """Alice is signed in with the browser of this test."""
    scene = Scene()
    signed_in = cookie(scene.alices_browser, settings.SESSION_COOKIE_NAME)
    page.context.add_cookies([{**signed_in, "url": live_server.url}])  # type: ignore[typeddict-item]
    return scene


def test_a_wrong_password_and_a_page_that_is_not_there(page: Page, live_server: Any, look: Look) -> None:
    cast.alice()
    page.goto(f"{live_server.url}/sign-in/")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("wrong")
    press(page, "Sign in")
    is_told(page)
    look("sign-in-error")
    walk.sign_in(page)
    page.goto(f"{live_server.url}/nowhere/")
    look("not-found")


def test_what_is_missing_is_told_where_one_looks_first(page: Page, live_server: Any, scene: Scene, look: Look) -> None:
    page.goto(f"{live_server.url}/connect/{scene.asked.id}/accounts/")
    press(page, "Continue")
    is_told(page)
    look("accounts-error")
    page.goto(f"{live_server.url}/consents/{scene.live.id}/narrow/")
    for box in page.get_by_role("group", name="What it may see").get_by_role("checkbox").all():
        box.uncheck()
    press(page, "Share less")
    is_told(page)
    look("narrow-error")
    page.goto(f"{live_server.url}/consents/{scene.live.id}/report/")
    press(page, "Report and put on hold")
    is_told(page)
    look("report-error")
    page.goto(f"{live_server.url}/reads/?from=yesterday")
    is_told(page)
    look("reads-error")


def test_what_else_the_flow_has_to_say(stage: Stage, page: Page, look: Look) -> None:
    """A link that is there already, a choice that became too wide, real rows, and a platform that was stopped."""
    bank = Institution.objects.get()
    BankPolicy.objects.update(step_up=StepUp.PASSKEY)
    link = cast.connection(stage.alice, bank)
    account = cast.account(link, "everyday")
    for name in ("Corner Books", "Sunny Bakery", "Night Chemist"):
        group = "HEALTH" if name == "Night Chemist" else "NONE"
        today = clock.now().date()
        ledger.transaction(account, listed_on=today, booked_on=today, merchant_name=name, sensitive_group=group)
    Account.objects.for_sync().create(
        connection=link,
        institution=bank,
        user=stage.alice,
        bank_account_id="holiday",
        category="DEPOSIT",
        account_type="SVGS",
        name="Holiday",
        is_covered=False,
        content_hash="",
        fetched_at=link.created_at,
    )
    page.goto(walk.platform_link(stage))
    walk.sign_in(page)
    consent = Consent.objects.get()
    press(page, "Continue")
    walk.choose_bank(page)
    page.get_by_label("Where you were when you paid").check()
    page.get_by_label("The town, and nothing closer").check()
    page.get_by_label("Health").check()
    press(page, "Continue")
    press(page, "Continue")
    look("7-redirect-linked")
    session = next(one["value"] for one in page.context.cookies() if one["name"] == settings.SESSION_COOKIE_NAME)
    visited(session, consent, link, account)
    page.goto(f"{stage.sluice}/connect/{consent.id}/accounts/")
    look("5-accounts-left-out")
    page.get_by_role("checkbox").first.check()
    press(page, "Continue")
    look("6-confirm-rows")
    Connection.objects.update(resources=["accounts"])
    page.goto(f"{stage.sluice}/connect/{consent.id}/accounts/")
    look("5-accounts-narrow")
    platforms.change_status(
        stage.chat.platform, PlatformStatus.SUSPENDED, reason="test", actor=cast.BY_OPERATOR, now=clock.now()
    )
    page.reload()
    look("platform-stopped")


def visited(session_key: str, consent: Consent, link: Connection, account: Account) -> None:
    """As if this browser had just come back from the bank, which showed this account."""
    now = clock.now()
    LinkAttempt.objects.create(
        state_digest=str(link.id),
        session_digest=attempts.digest(session_key),
        user=link.user,
        institution=link.institution,
        consent_id=consent.id,
        bank_consent_id="at-the-bank",
        sealed_secrets=b"",
        created_at=now,
        expires_at=now,
        used_at=now,
        connection_id=link.id,
        account_ids=[str(account.id)],
    )


def test_saying_no_and_what_goes_wrong(stage: Stage, page: Page, look: Look) -> None:
    page.goto(walk.platform_link(stage))
    walk.sign_in(page)
    press(page, "Continue")
    walk.choose_bank(page)
    walk.leave_terms(page)
    press(page, "Continue to First Sandbox Bank")
    walk.log_in_at_bank(page)
    press(page, "Refuse")
    look("failed")
    press(page, "Do not allow")
    look("refused")


def test_renewing_a_bank_link(stage: Stage, page: Page, look: Look) -> None:
    page.goto(f"{stage.sluice}/sign-in/")
    walk.sign_in(page)
    walk.to_the_accounts(page, stage)
    walk.tick_first_account(page)
    press(page, "Allow")
    Connection.objects.update(status="REAUTH_REQUIRED")
    page.goto(stage.sluice)
    follow(page, "Renew it under your bank links")
    follow(page, "Renew First Sandbox Bank")
    press(page, "Continue to First Sandbox Bank")
    walk.log_in_at_bank(page)
    press(page, "Refuse")
    look("renew-failed")
    press(page, "Try again")
    press(page, "Continue to First Sandbox Bank")
    walk.log_in_at_bank(page)
    walk.allow_at_bank(page)
    page.get_by_text("First Sandbox Bank is renewed").wait_for()
    look("links-renewed")


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


def test_fetching_a_copy(page: Page, live_server: Any, scene: Scene, look: Look, tmp_path: Path) -> None:
    assert scene.live and scene.ended
    page.goto(f"{live_server.url}/download/")
    press(page, "Make my copy")
    make_export(str(ExportJob.objects.get().id))
    follow(page, "Look again")
    with page.expect_download() as fetched:
        page.get_by_role("link", name="Download", exact=True).click()
    with ZipFile(fetched.value.path()) as archive:
        archive.extractall(tmp_path)
    page.goto((tmp_path / "sluice-data" / "index.html").as_uri())
    look("download-index")
