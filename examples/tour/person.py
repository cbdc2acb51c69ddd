"""A person at a browser: signs in, goes to their banks, chooses accounts, allows, and stops again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from examples.tour.browser import Browser, Page
from examples.tour.platform import Platform
from examples.tour.telling import require, show, step


@dataclass(frozen=True, slots=True)
class Visit:
    """A bank, and who one is there."""

    bank: dict[str, Any]
    customer: str

    @property
    def password(self) -> str:
        return next(user["password"] for user in self.bank["users"] if user["username"] == self.customer)


class Person:
    """A user of Sluice, with a browser of their own."""

    def __init__(self, instance: dict[str, Any], user: dict[str, str]) -> None:
        self.instance = instance
        self.user = user
        self.browser = Browser(instance["issuer"], *(bank["issuer"] for bank in instance["banks"]))
        self.signed_in = False

    def connect(
        self,
        platform: Platform,
        visits: Sequence[Visit],
        scopes: list[str],
        *,
        history_days: int = 90,
        purpose: str = "account_overview",
    ) -> dict[str, Any]:
        """From the platform's question to its tokens, through every page in between."""
        asked = platform.ask(scopes=scopes, purposes=[purpose], duration_days=90, history_days=history_days)
        tokens = platform.redeem(asked, self.answer(asked.url, visits))
        show("granted", tokens["scope"])
        return tokens

    def answer(self, url: str, visits: Sequence[Visit]) -> str:
        """From the address the platform sends the browser to, to the one that the browser is sent back to."""
        page = self._signed_in(self.browser.open(url))
        step("reads what the platform asks", page)
        page = self.browser.press(page, "Continue")
        for number, visit in enumerate(visits):
            if number:
                page = self.browser.press(page, "Add another bank")
            step("chooses the bank", page)
            page = self.browser.press(page, "Continue", {"institution": visit.bank["slug"]})
            if not number:
                page = self._read_terms(page)
            page = self._at_the_bank(page, visit)
        page = self._choose(page)
        step("reads the summary", page)
        page = self.browser.press(page, "Allow")
        step("is told what is shared", page)
        self.browser.press(page, "Return to")
        require(self.browser.left_for is not None, "the browser is sent back to the platform")
        return self.browser.left_for or ""

    def stop_sharing(self) -> None:
        """Stops the oldest consent that can be stopped."""
        listing = self.browser.open(self.instance["portal"])
        step("looks at their consents", listing)
        stops = [line for line in listing.text.split('"') if line.startswith("/consents/") and line.endswith("/stop/")]
        require(len(stops) >= 2, "both consents are listed")
        page = self.browser.open(f"{self.instance['issuer']}{stops[-1]}")
        step("reads what stopping means", page)
        step("stopped", self.browser.press(page, "Stop sharing"))

    def consent_page(self, platform_name: str) -> Page:
        """Of the newest consent of this platform that one can look at."""
        return self.go(self.browser.open(self.instance["portal"]), f"View {platform_name}")

    def go(self, page: Page, words: str) -> Page:
        """Press the button, or follow the link, that begins with these words."""
        if any(" ".join(shown.split()).startswith(words) for _, shown in page.links):
            return self.browser.open(page.link(words))
        return self.browser.press(page, words)

    def _signed_in(self, page: Page) -> Page:
        if self.signed_in:
            return page
        step("signs in to Sluice", page)
        credentials = {"login": self.user["username"], "password": self.user["password"]}
        page = self.browser.press(page, "Sign in", credentials)
        self.signed_in = True
        return page

    def _read_terms(self, page: Page) -> Page:
        """Leaves what and how long as the pages propose them."""
        step("reads what would be shared, and why", page)
        page = self.browser.press(page, "Continue")
        step("leaves the shortest time that will do", page)
        return self.browser.press(page, "Continue")

    def _at_the_bank(self, page: Page, visit: Visit) -> Page:
        step("is told where the next page will be", page)
        page = self.browser.press(page, "Continue to")
        require(page.url.startswith(visit.bank["issuer"]), "the bank's own address")
        step("signs in at the bank", page)
        page = self.browser.press(page, "", {"username": visit.customer, "password": visit.password})
        step("allows it at the bank", page)
        shown = [value for value, _ in page.choices("accounts")]
        return self.browser.press(page, "Allow", {"accounts": shown})

    def _choose(self, page: Page) -> Page:
        step("chooses accounts", page)
        offered = page.choices("account")
        require(bool(offered) and not any(ticked for _, ticked in offered), "nothing is ticked beforehand")
        return self.browser.press(page, "Continue", {"account": [value for value, _ in offered]})
