"""One person's way through the pages: what she clicks, and nothing about what she sees."""

from urllib.parse import urlencode

from playwright.sync_api import Page

from tests.journeys.conftest import Stage
from tests.support import cast
from tests.support.browsing import press

VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123456789"
#: A customer of the pretend bank with more than one account.
BANK_USER = "happy"


def platform_link(stage: Stage) -> str:
    """Where the platform sends its user: wide enough that each part of the pages has something to show."""
    query = cast.authorization_query(
        stage.chat,
        VERIFIER,
        scopes=["accounts", "balances", "transactions", "merchants", "locations"],
        optional_scopes=["locations"],
        location_precision="store",
        purposes=["account_overview"],
    )
    return f"{stage.sluice}/oauth/authorize?{urlencode(query)}"


def sign_in(page: Page) -> None:
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill(cast.PASSWORD)
    press(page, "Sign in")


def choose_bank(page: Page) -> None:
    page.get_by_label("First Sandbox Bank").check()
    press(page, "Continue")


def leave_terms(page: Page) -> None:
    """What is shared and for how long, as the pages propose it."""
    press(page, "Continue")
    press(page, "Continue")


def log_in_at_bank(page: Page) -> None:
    page.get_by_label("User name").fill(BANK_USER)
    page.get_by_label("Password").fill("sandbox")
    press(page, "Log in")


def allow_at_bank(page: Page) -> None:
    for box in page.get_by_role("checkbox").all():
        box.check()
    press(page, "Allow")


def tick_first_account(page: Page) -> None:
    page.get_by_role("checkbox").first.check()
    press(page, "Continue")


def to_the_accounts(page: Page, stage: Stage) -> None:
    """From the platform's link, signed in, to the choice of accounts."""
    page.goto(platform_link(stage))
    press(page, "Continue")
    choose_bank(page)
    leave_terms(page)
    press(page, "Continue to First Sandbox Bank")
    log_in_at_bank(page)
    allow_at_bank(page)
