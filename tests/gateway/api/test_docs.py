"""Swagger UI in a real browser, under the same policy as every page: no violation, no other origin."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browsing import chromium as chromium

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def test_swagger_runs_offline_under_the_strict_policy(page: Page, live_server: Any) -> None:
    requested: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    answer = page.goto(f"{live_server.url}/docs/")
    page.wait_for_selector("#operations-Transactions-listTransactions")
    page.click("#operations-Transactions-listTransactions button.opblock-summary-control")
    page.wait_for_selector("text=next_cursor")

    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert complaints == []
    assert [url for url in requested if not url.startswith((live_server.url, "data:"))] == []


@pytest.mark.parametrize("path", ["/problems/", "/problems/consent_paused", "/nothing"])
def test_pages_are_accessible_and_fit_a_small_screen(page: Page, live_server: Any, path: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(f"{live_server.url}{path}")

    found = Axe().run(page).response["violations"]

    assert [(item["id"], [node["html"] for node in item["nodes"]]) for item in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
