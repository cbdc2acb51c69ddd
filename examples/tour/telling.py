"""What the tour prints, and how it insists."""

from examples.tour.browser import Page
from examples.tour.platform import Refused


def say(text: str) -> None:
    print(f"\n{text}", flush=True)


def show(name: str, value: str) -> None:
    print(f"    {name}: {value}", flush=True)


def step(what: str, page: Page) -> None:
    print(f"    the user {what:<38} {page.title}", flush=True)


def require(condition: bool, what: str) -> None:
    """Raises Refused: the tour ends where something is not as it should be."""
    if not condition:
        raise Refused(f"expected: {what}")
