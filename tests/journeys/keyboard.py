"""A person without a mouse: Tab to what one wants, then the key that uses it."""

from playwright.sync_api import Page

_FOCUSED = """() => {
    const one = document.activeElement
    return (one.labels?.[0] ?? one).innerText.trim().replace(/\\s+/g, ' ')
}"""
TABS_MAX = 100


def reach(page: Page, name: str) -> None:
    """Tab until what has the focus is called `name`, label or text, as it is read out."""
    for _ in range(TABS_MAX):
        page.keyboard.press("Tab")
        if page.evaluate(_FOCUSED) == name:
            return
    raise AssertionError(f"the keyboard does not reach {name!r}")


def follow(page: Page, name: str) -> None:
    """A link or a button, and what it leads to has come."""
    reach(page, name)
    before = page.evaluate("performance.timeOrigin")
    page.keyboard.press("Enter")
    page.wait_for_function("before => performance.timeOrigin !== before", arg=before)


def tick(page: Page, name: str) -> None:
    """A box, or one of several."""
    reach(page, name)
    page.keyboard.press("Space")


def write(page: Page, name: str, text: str) -> None:
    reach(page, name)
    page.keyboard.type(text)
