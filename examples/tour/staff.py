"""Somebody who works at a bank, or operates Sluice: signs in with a password and a one-time code, and acts."""

from typing import Any

from examples.tour.browser import Browser, Page
from examples.tour.one_time_code import code
from examples.tour.telling import require, step


class Staff:
    """One member of staff at a browser of their own."""

    def __init__(self, instance: dict[str, Any], member: dict[str, str]) -> None:
        self.instance = instance
        self.member = member
        self.browser = Browser(instance["issuer"])
        self._signed_in = False

    @property
    def name(self) -> str:
        return self.member["username"]

    def open(self, path: str) -> Page:
        """A page of theirs; signs in on the way when that is needed."""
        if not self._signed_in:
            self._sign_in()
        page = self.browser.open(f"{self.instance['issuer']}{path}")
        require(page.status == 200, f"{self.name} may open {path} (got {page.status}, {page.title!r})")
        return page

    def follow(self, page: Page, words: str) -> Page:
        """The page behind the link with these words."""
        return self.browser.open(page.link(words))

    def _sign_in(self) -> None:
        page = self.browser.open(f"{self.instance['issuer']}/sign-in/")
        credentials = {"login": self.name, "password": self.member["password"]}
        page = self.browser.press(page, "Sign in", credentials)
        step(f"{self.name} is asked for a one-time code", page)
        self.browser.press(page, "Go on", {"code": code(self.member["totp_secret"])})
        self._signed_in = True
