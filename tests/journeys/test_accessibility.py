"""What one comes to by clicking, errors and the way to a bank and back included, looked at on the way."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page

from banks import attempts
from banks.models import Account, Connection, Institution, LinkAttempt
from consents import clock, platforms
from consents.models import BankPolicy, Consent, ConsentAccount, CustomerLookup, UsageRow
from consents.policy_terms import StepUp
from consents.states import ConsentStatus, PlatformStatus
from gateway.identity.models import User
from gateway.notify import tasks as notify
from gateway.portal import notices
from gateway.portal.models import ExportJob
from gateway.portal.tasks import make_export
from tests.journeys import walk
from tests.journeys.bank import SLUG
from tests.journeys.conftest import Stage
from tests.journeys.seeing import Eye
from tests.support import cast, ledger

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
    walk.press(page, "Continue")
    look("2-bank")
    walk.choose_bank(page)
    look("3-scopes")
    for line in page.locator("summary").all():
        line.click()
    look("3-scopes-open")
    walk.press(page, "Continue")
    look("4-duration")
    walk.press(page, "Continue")
    look("7-redirect")
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
    look("9-done")
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
    walk.press(page, "Continue")
    walk.choose_bank(page)
    page.get_by_label("Where you were when you paid").check()
    page.get_by_label("The town, and nothing closer").check()
    page.get_by_label("Health").check()
    walk.press(page, "Continue")
    walk.press(page, "Continue")
    look("7-redirect-linked")
    session = next(one["value"] for one in page.context.cookies() if one["name"] == settings.SESSION_COOKIE_NAME)
    visited(session, consent, link, account)
    page.goto(f"{stage.sluice}/connect/{consent.id}/accounts/")
    look("5-accounts-left-out")
    page.get_by_role("checkbox").first.check()
    walk.press(page, "Continue")
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


def test_changing_what_one_shares(stage: Stage, page: Page, look: Look) -> None:
    page.goto(f"{stage.sluice}/sign-in/")
    walk.sign_in(page)
    walk.to_the_accounts(page, stage)
    walk.tick_first_account(page)
    walk.press(page, "Allow")
    consent = Consent.objects.get(status=ConsentStatus.AUTHORISED)
    _fill(consent)
    page.goto(f"{stage.sluice}/consents/{consent.id}/")
    look("detail-used")
    page.get_by_role("link", name="See every read, filter and download").click()
    for line in page.locator("summary").all():
        line.click()
    look("reads")
    page.goto(f"{stage.sluice}/reads/?from=yesterday")
    assert page.evaluate("document.activeElement.className") == "problems"
    look("reads-error")
    page.goto(f"{stage.sluice}/consents/{consent.id}/narrow/")
    look("narrow")
    page.goto(f"{stage.sluice}/links/")
    page.get_by_role("link", name="Disconnect").click()
    look("disconnect")
    page.goto(f"{stage.sluice}/stop-everything/")
    look("stop-everything")
    page.goto(f"{stage.sluice}/consents/{consent.id}/report/")
    look("report")
    page.get_by_label("It is read too often").check()
    walk.press(page, "Report and put on hold")
    look("on-hold")
    page.goto(stage.sluice)
    look("list-many")
    walk.press(page, "Show")
    page.goto(f"{stage.sluice}/consents/{consent.id}/")
    walk.press(page, "Take my report back")
    Consent.objects.filter(id=consent.id).update(expires_at=clock.now() + timedelta(days=20))
    page.goto(f"{stage.sluice}/consents/{consent.id}/renew/")
    look("renew")


def _fill(consent: Consent) -> None:
    """Reads of a month, a look-up, and so many ended consents that the list can be searched."""
    now = clock.now()
    link = ConsentAccount.objects.filter(consent=consent).first()
    assert link is not None
    for hours in range(0, 24 * 25, 7):
        at = now - timedelta(hours=hours)
        UsageRow.objects.create(
            month=at.date().replace(day=1),
            user_id=consent.user_id,
            consent_id=consent.id,
            platform_id=consent.platform_id,
            institution_id=link.institution_id,
            account_id=link.account_id if hours % 2 else None,
            record="balance" if hours % 3 else "transaction",
            purpose="account_overview",
            rows=hours % 11,
            request_id=f"req_0123456789abcdef{hours:08}",
            read_at=at,
        )
    CustomerLookup.objects.create(
        user_id=consent.user_id,
        institution_id=link.institution_id,
        reason_code="COMPLAINT",
        request_id="req_of_bank_staff",
        looked_up_at=now,
    )
    for _ in range(6):
        cast.revoke(cast.authorised_consent(consent.user, consent.platform))


def test_saying_no_and_what_goes_wrong(stage: Stage, page: Page, look: Look) -> None:
    page.goto(walk.platform_link(stage))
    walk.sign_in(page)
    page.goto(stage.sluice)
    look("list-waiting")
    page.get_by_role("link", name="Answer").click()
    walk.press(page, "Continue")
    walk.choose_bank(page)
    walk.leave_terms(page)
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


def test_being_told_and_fetching_a_copy(
    stage: Stage, page: Page, look: Look, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMBEDDED, settings.MAIL_FROM, settings.MAIL_DIRECTORY = True, "sluice@localhost", tmp_path / "mail"
    settings.EMAIL_BACKEND = "gateway.notify.mailbox.FileBackend"
    monkeypatch.setattr(notices, "PAGE_SIZE", 1)
    _shared_and_told(stage)
    page.goto(f"{stage.sluice}/notices/?page=2")
    walk.sign_in(page)
    look("notices")
    page.goto(f"{stage.sluice}/dev/mail")
    look("dev-mail")
    page.goto(f"{stage.sluice}/download/")
    walk.press(page, "Make my copy")
    look("download-being-made")
    make_export(str(ExportJob.objects.get().id))
    page.get_by_role("link", name="Look again").click()
    look("download-ready")
    with page.expect_download() as fetched:
        page.get_by_role("link", name="Download", exact=True).click()
    with ZipFile(fetched.value.path()) as archive:
        archive.extractall(tmp_path)
    page.goto((tmp_path / "sluice-data" / "index.html").as_uri())
    look("download-index")


def _shared_and_told(stage: Stage) -> None:
    """A receipt, its end, and a second receipt: three notices and three mails."""
    User.objects.filter(id=stage.alice.id).update(email="alice@mail.example")
    cast.revoke(cast.authorised_consent(stage.alice, stage.chat.platform))
    cast.authorised_consent(stage.alice, stage.chat.platform)
    notify.collect()
    notify.send()
