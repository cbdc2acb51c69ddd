"""A person without a mouse: Tab to what one wants, then the key that uses it."""

from playwright.sync_api import Page

#: What is said of it at more length, in small print, is no part of its name here.
_FOCUSED = """() => {
    const one = document.activeElement
    const named = (one.labels?.[0] ?? one).cloneNode(true)
    named.querySelectorAll('small').forEach(note => note.remove())
    return named.textContent.trim().replace(/\\s+/g, ' ')
}"""
_KIND = "document.activeElement.type ?? ''"
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
    page.wait_for_load_state()


def tick(page: Page, name: str) -> None:
    """A box, or one of several."""
    reach(page, name)
    page.keyboard.press("Space")


def tick_first(page: Page) -> None:
    for _ in range(TABS_MAX):
        page.keyboard.press("Tab")
        if page.evaluate(_KIND) == "checkbox":
            return page.keyboard.press("Space")
    raise AssertionError("the keyboard reaches no box")


def choose(page: Page, name: str) -> None:
    """One of the page's first set of radio buttons: Tab reaches the chosen one, the arrows go on from there."""
    for _ in range(TABS_MAX):
        page.keyboard.press("ArrowDown" if page.evaluate(_KIND) == "radio" else "Tab")
        if page.evaluate(_FOCUSED) == name:
            return
    raise AssertionError(f"the keyboard does not reach {name!r}")


def write(page: Page, name: str, text: str) -> None:
    reach(page, name)
    page.keyboard.type(text)
