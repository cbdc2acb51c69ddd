"""Every page of the route matrix, opened by its address: nothing for axe to find, in any colour, width or direction."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page

from tests.architecture.test_routes import ROWS
from tests.journeys.pages import MACHINES, NO_PAGE, PAGES, Scene, Shown, cookie
from tests.journeys.seeing import Eye


def test_every_route_that_shows_a_page_is_looked_at() -> None:
    shown = {row.route for row in ROWS if row.method == "GET" and not row.route.startswith(MACHINES)}

    assert shown == {page.route for page in PAGES} | set(NO_PAGE)
    assert len({page.name for page in PAGES}) == len(PAGES)


def test_a_language_from_the_right_turns_the_page(client: Client, settings: Any) -> None:
    settings.LANGUAGE_CODE = "ar"

    assert '<html lang="ar" dir="rtl">' in client.get("/problems/").content.decode()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """JavaScript on, because axe is JavaScript; Sluice's own pages have none."""
    context = chromium.new_context(reduced_motion="reduce")
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


Open = Callable[[Shown], Page]


@pytest.fixture
def open_page(page: Page, live_server: Any, settings: Any) -> Open:
    settings.ISSUER = live_server.url
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


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_every_page_is_accessible_and_keeps_to_itself(open_page: Open, page: Page, live_server: Any) -> None:
    eye = Eye(page, live_server.url)
    titles: dict[str, str] = {}

    for shown in PAGES:
        title = open_page(shown).title()
        if titles.setdefault(title, shown.route) != shown.route:
            eye.findings.append(f"{shown.name}: {title!r} is the title of {titles[title]!r} too")
        eye.tab_through(shown.name)
        eye.look(shown.name)

    assert not eye.findings, "\n".join(eye.findings)
