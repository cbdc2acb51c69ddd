"""The stage of a journey: Sluice over HTTP, a bank, a platform's redirect URI, and a browser."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from consents import clock, platforms
from consents.scopes import Purpose
from consents.states import PlatformStatus
from gateway.identity.models import User
from tests.journeys.bank import SLUG, add_bank
from tests.journeys.platform_site import PlatformSite
from tests.journeys.seeing import Eye
from tests.support import cast
from tests.support.browsing import chromium as chromium
from tests.support.cast import Member
from tests.support.sandbox_bank import SandboxBank


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything a journey needs to know."""

    sluice: str  #: origin
    bank: SandboxBank
    chat: Member
    site: PlatformSite
    alice: User


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """JavaScript on, because axe is JavaScript; of Sluice's own pages only those for passkeys have any."""
    context = chromium.new_context(reduced_motion="reduce")
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


Look = Callable[[str], None]


@pytest.fixture
def origins(live_server: Any) -> list[str]:
    """Where requests of the browser may go."""
    return [live_server.url]


@pytest.fixture
def look(page: Page, origins: list[str]) -> Iterator[Look]:
    """Hold the page one is on against all of it; findings of all pages are told together."""
    eye = Eye(page, *origins)
    yield eye.look
    assert not eye.findings, "\n".join(eye.findings)


@pytest.fixture(scope="session")
def pretend_bank(live_server: Any) -> Iterator[SandboxBank]:
    """One for all journeys: each begins with a login of its own there, and none counts what it finds."""
    with SandboxBank(redirect_uri=f"{live_server.url}/banks/{SLUG}/callback") as bank:
        yield bank


@pytest.fixture
def stage(live_server: Any, pretend_bank: SandboxBank, settings: Any) -> Iterator[Stage]:
    settings.ISSUER = live_server.url
    with PlatformSite() as site:
        add_bank(pretend_bank)
        yield Stage(sluice=live_server.url, bank=pretend_bank, chat=_chat(site), site=site, alice=cast.alice())


def _chat(site: PlatformSite) -> Member:
    """A sandbox platform: only such a one may have an http redirect URI, and only on loopback."""
    now = clock.now()
    made = platforms.register(
        name="Example Chat",
        legal_name="Example Chat Ltd",
        redirect_uris=[site.redirect_uri],
        purposes=[Purpose.SPENDING_INSIGHTS, Purpose.ACCOUNT_OVERVIEW],
        attested=True,
        is_sandbox=True,
        actor=cast.BY_OPERATOR,
        now=now,
    )
    platforms.change_status(made.platform, PlatformStatus.ACTIVE, reason="test", actor=cast.BY_OPERATOR, now=now)
    return Member(made.platform, made.client_secret, site.redirect_uri)
