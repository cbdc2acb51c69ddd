"""Clicks of a browser that are over when the page they lead to has come.

A click alone returns while the page of before may still be there: what is looked at next, or counted, would be its.
"""

from playwright.sync_api import Locator, Page, expect


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
