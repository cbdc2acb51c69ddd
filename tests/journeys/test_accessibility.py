"""Every page, light and dark, wide and at 320 pixels: nothing for axe to find, no scrolling sideways, large targets."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped, unused-ignore]
from playwright.sync_api import Browser, Page

from banks.models import Connection
from consents import clock
from consents.models import Consent
from gateway.identity.models import User
from gateway.notify import tasks as notify
from gateway.portal import notices
from gateway.portal.models import ExportJob
from gateway.portal.tasks import make_export
from tests.journeys import walk
from tests.journeys.bank import SLUG
from tests.journeys.conftest import Stage
from tests.support import cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

_WIDTHS = (320, 1280)
_SCHEMES = ("light", "dark")
#: WCAG 2.2 AA, what it builds on, and what axe's authors recommend beside it.
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_SMALL_TARGETS = """() => [...document.querySelectorAll('button, input:not([type=hidden]), summary, .action')]
    .filter(one => { const box = one.getBoundingClientRect(); return box.width < 24 || box.height < 24 })
    .map(one => one.outerHTML)"""
#: Border against the page's ground, as WCAG 1.4.11 counts; axe does not look at borders.
_BORDER_CONTRASTS = """() => {
    const light = text => {
        const parts = text.match(/[\\d.]+/g).slice(0, 3).map(one => one / 255)
            .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    }
    const ground = getComputedStyle(document.documentElement).backgroundColor
    return [...document.querySelectorAll('main input:not([type=hidden])')]
        .map(one => [light(getComputedStyle(one).borderTopColor), light(ground)])
        .map(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05))
}"""

Look = Callable[[str], None]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """JavaScript on, because axe is JavaScript; Sluice's own pages have none."""
    context = chromium.new_context(reduced_motion="reduce")
    context.set_default_timeout(8000)
    yield context.new_page()
    context.close()


@pytest.fixture
def look(page: Page) -> Iterator[Look]:
    """Hold the page one is on against all of it; findings of all pages are told together."""
    findings: list[str] = []

    def at(name: str) -> None:
        for width in _WIDTHS:
            for scheme in _SCHEMES:
                page.set_viewport_size({"width": width, "height": 900})
                page.emulate_media(color_scheme=scheme)
                findings.extend(f"{name}, {width} px, {scheme}: {one}" for one in _findings(page, width))
                _save(page, f"{name}-{width}-{scheme}")

    yield at
    assert not findings, "\n".join(findings)


def _findings(page: Page, width: int) -> Iterator[str]:
    report: dict[str, Any] = Axe().run(page, options={"runOnly": {"type": "tag", "values": _TAGS}}).response
    for violation in report["violations"]:
        yield f"{violation['id']}: {[node['html'] for node in violation['nodes']]}"
    if (needed := page.evaluate("document.documentElement.scrollWidth")) > width:
        yield f"scrolls sideways, {needed} px are needed"
    for small in page.evaluate(_SMALL_TARGETS):
        yield f"target below 24 px: {small}"
    for contrast in page.evaluate(_BORDER_CONTRASTS):
        if contrast < 3:
            yield f"border of a field is {contrast:.2f}:1"


def _save(page: Page, name: str) -> None:
    """For people to look at: only when SLUICE_SCREENSHOTS names a directory."""
    if directory := os.environ.get("SLUICE_SCREENSHOTS"):
        page.screenshot(path=Path(directory) / f"{name}.png", full_page=True)


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
