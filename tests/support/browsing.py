"""The system's browser, and clicks that are over when the page they lead to has come.

A click alone returns while the page of before may still be there: what is looked at next, or counted, would be its.
"""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

#: The first is Chromium without the parts of it that only a window needs: it takes a third less of a processor.
_PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
#: Nothing is asked of the network. One process draws all pages: to start one for each site takes longer than most of
#: them need, and no test is about what one site can see of another.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--mute-audio",
    "--disable-site-isolation-trials",
    "--disable-features=IsolateOrigins,site-per-process,SpareRendererForSitePerProcess,Translate,MediaRouter",
    "--renderer-process-limit=1",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's browser: Playwright's own would have to be downloaded.

    Started and stopped with each module: while it runs, its synchronous interface keeps an event loop in this very
    thread, which Django takes for a mistake unless told otherwise, and other tests must keep that alarm.
    """
    path = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no chromium: the build server must have one")
        pytest.skip(f"none of {', '.join(_PROGRAMS)} is on the path")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield browser
        browser.close()


def press(page: Page, name: str, *, exact: bool = True) -> None:
    """A button that sends a form. Raises TimeoutError where no page follows."""
    _use(page, page.get_by_role("button", name=name, exact=exact))


def follow(page: Page, name: str) -> None:
    """The first link of that name. Raises TimeoutError where no page follows."""
    _use(page, page.get_by_role("link", name=name).first)


def is_told(page: Page) -> None:
    """What is missing or wrong is where one looks first: it has the focus, which comes a moment after the page."""
    expect(page.locator(".problems")).to_be_focused(timeout=20_000)


def _use(page: Page, control: Locator) -> None:
    control.wait_for()  # a page still on its way here must not be taken for the one that follows
    with page.expect_navigation():
        control.click()
