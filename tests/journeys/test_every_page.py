"""Every page of the route matrix, opened by its address: nothing for axe to find, in any colour, width or direction."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page

from gateway.portal import notices, reads
from tests.architecture.test_routes import ROWS
from tests.journeys.pages import MACHINES, NO_PAGE, PAGES, Scene, Shown, cookie
from tests.journeys.seeing import Eye


def test_every_route_that_shows_a_page_is_looked_at() -> None:
    shown = {row.route for row in ROWS if row.method == "GET" and not row.route.startswith(MACHINES)}

    looked_at = [page for group in PAGES.values() for page in group]

    assert shown == {page.route for page in looked_at} | set(NO_PAGE)
    assert len({page.name for page in looked_at}) == len(looked_at)


def test_a_language_from_the_right_turns_the_page(client: Client, settings: Any) -> None:
    settings.LANGUAGE_CODE = "ar"

    assert '<html lang="ar" dir="rtl">' in client.get("/problems/").content.decode()


Open = Callable[[Shown], Page]


@pytest.fixture
def open_page(page: Page, live_server: Any, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    settings.ISSUER = live_server.url
    settings.EMBEDDED, settings.MAIL_FROM, settings.MAIL_DIRECTORY = True, "sluice@localhost", tmp_path
    settings.EMAIL_BACKEND = "gateway.notify.mailbox.FileBackend"
    monkeypatch.setattr(reads, "PAGE_SIZE", 12)
    monkeypatch.setattr(notices, "PAGE_SIZE", 3)
    scene = Scene()

    def opened(shown: Shown) -> Page:
        address = shown.address(scene)
        page.context.clear_cookies()
        if shown.who is not None:
            signed_in = cookie(shown.who(scene), settings.SESSION_COOKIE_NAME)
            page.context.add_cookies([{**signed_in, "url": live_server.url}])  # type: ignore[typeddict-item]
        answer = page.goto(live_server.url + address)
        assert answer is not None and answer.status == shown.status, (shown.name, answer and answer.status)
        assert page.url == live_server.url + address, (shown.name, page.url)
        return page

    return opened


@pytest.fixture(scope="module")
def titles() -> dict[str, str]:
    """Of what has been looked at so far, in all groups of this run: the route that each belongs to."""
    return {}


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("group", PAGES)
def test_every_page_is_accessible_and_keeps_to_itself(
    group: str, open_page: Open, page: Page, live_server: Any, titles: dict[str, str]
) -> None:
    eye = Eye(page, live_server.url)

    for shown in PAGES[group]:
        title = open_page(shown).title()
        if titles.setdefault(title, shown.route) != shown.route:
            eye.findings.append(f"{shown.name}: {title!r} is the title of {titles[title]!r} too")
        eye.tab_through(shown.name)
        eye.look(shown.name, shown.views)

    assert not eye.findings, "\n".join(eye.findings)
