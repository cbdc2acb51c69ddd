"""`python3 run.py tour`: exit 0 only when every step was seen."""

import sys
import time
from collections.abc import Callable
from typing import Any

import requests

from examples.tour.browser import Browser, Page, UnexpectedPage
from examples.tour.difference import difference
from examples.tour.instance import DidNotStart, running
from examples.tour.platform import Platform, Refused

FIRST_SYNC_SECONDS = 30
MERCHANT_MEMBERS = {"name", "category", "mcc", "channel"}


class Tour:
    def __init__(self, instance: dict[str, Any]) -> None:
        self.instance = instance
        self.api: str = instance["api"]
        self.bank = instance["banks"][0]
        self.bank_user = next(user for user in self.bank["users"] if user["username"] == "happy")
        self.person = instance["users"][0]
        self.browser = Browser(instance["issuer"], self.bank["issuer"])
        self.signed_in = False
        registered = instance["platforms"][0]
        self.platform = Platform(
            issuer=instance["issuer"],
            client_id=registered["client_id"],
            client_secret=registered["client_secret"],
            redirect_uri=registered["redirect_uri"],
        )

    def run(self) -> None:
        say(f"Metadata of {self.platform.metadata['issuer']} (RFC 8414):")
        show("authorization endpoint", self.platform.metadata["authorization_endpoint"])
        show("token endpoint", self.platform.metadata["token_endpoint"])

        say("First consent, with shop names and categories:")
        wide = self.connect(["accounts", "balances", "merchants"])
        started = time.monotonic()
        accounts = self.first_sync(wide["access_token"])
        show("first balance after", f"{time.monotonic() - started:.1f} s")
        self.print_data(accounts, wide["access_token"])

        say("Second consent, the same but without `merchants`:")
        narrow = self.connect(["accounts", "balances", "transactions"])
        self.compare(accounts, wide["access_token"], narrow["access_token"])

        say("The user stops the first consent at their own page:")
        self.stop_sharing()
        self.refused(wide["access_token"])
        self.still_reads(accounts, narrow["access_token"])

        say("The platform ends the second one itself:")
        self.delete(narrow["access_token"])
        self.refused(narrow["access_token"])

    # -- a person with a browser ---------------------------------------------------------------------------------------

    def connect(self, scopes: list[str]) -> dict[str, Any]:
        """From the platform's question to its tokens, through every page in between."""
        asked = self.platform.ask(
            scopes=scopes, purposes=["account_overview"], duration_days=90, history_days=90
        )
        page = self.browser.open(asked.url)
        if not self.signed_in:
            step("signs in to Sluice", page)
            credentials = {"login": self.person["username"], "password": self.person["password"]}
            page = self.browser.press(page, "Sign in", credentials)
            self.signed_in = True
        step("reads what the platform asks", page)
        page = self.browser.press(page, "Continue")
        step("chooses the bank", page)
        page = self.browser.press(page, "Continue", {"institution": self.bank["slug"]})
        step("is told where the next page will be", page)
        page = self.browser.press(page, "Continue to")
        page = self.at_the_bank(page)
        step("chooses accounts", page)
        offered = page.choices("account")
        require(bool(offered) and not any(ticked for _, ticked in offered), "nothing is ticked beforehand")
        page = self.browser.press(page, "Continue", {"account": [value for value, _ in offered]})
        step("reads the summary", page)
        page = self.browser.press(page, "Allow")
        step("is told what is shared", page)
        self.browser.press(page, "Return to")
        require(self.browser.left_for is not None, "the browser is sent back to the platform")
        tokens = self.platform.redeem(asked, self.browser.left_for or "")
        show("granted", tokens["scope"])
        return tokens

    def at_the_bank(self, page: Page) -> Page:
        require(page.url.startswith(self.bank["issuer"]), "the bank's own address")
        step("signs in at the bank", page)
        credentials = {"username": self.bank_user["username"], "password": self.bank_user["password"]}
        page = self.browser.press(page, "", credentials)
        step("allows it at the bank", page)
        shown = [value for value, _ in page.choices("accounts")]
        return self.browser.press(page, "Allow", {"accounts": shown})

    def stop_sharing(self) -> None:
        listing = self.browser.open(self.instance["portal"])
        step("looks at their consents", listing)
        # The wider consent is the older of the two: the last of those that can be stopped.
        stops = [line for line in listing.text.split('"') if line.startswith("/consents/") and line.endswith("/stop/")]
        require(len(stops) >= 2, "both consents are listed")
        page = self.browser.open(f"{self.instance['issuer']}{stops[-1]}")
        step("reads what stopping means", page)
        step("stopped", self.browser.press(page, "Stop sharing"))

    # -- a platform ----------------------------------------------------------------------------------------------------

    def first_sync(self, token: str) -> list[dict[str, Any]]:
        """Waits until balances and transactions of every account are there; what a platform would poll for."""
        accounts: list[dict[str, Any]] = self.platform.read(f"{self.api}/accounts", token)["accounts"]
        until = time.monotonic() + FIRST_SYNC_SECONDS
        for account in accounts:
            for resource in ("balances", "transactions"):
                url = f"{self.api}/accounts/{account['account_id']}/{resource}"
                while self.platform.read(url, token)["as_of"] is None:
                    require(time.monotonic() < until, f"first sync within {FIRST_SYNC_SECONDS} s")
                    time.sleep(0.1)
        return accounts

    def print_data(self, accounts: list[dict[str, Any]], token: str) -> None:
        for account in accounts:
            url = f"{self.api}/accounts/{account['account_id']}"
            print(f"    {account['name']} ****{account['masked_number']} {account['currency']} {account['account_id']}")
            for balance in self.platform.read(f"{url}/balances", token)["balances"]:
                print(f"      {balance['type']}  {balance['amount']:>12} {balance['currency']}")
            rows = [row for page in self.platform.transactions(url, token) for row in page["transactions"]]
            print(f"      {len(rows)} transactions, the latest:")
            for row in rows[:8]:
                shop = (row["merchant"]["name"] or row["kind"].replace("_", " ").lower()) if "merchant" in row else ""
                print(f"      {row['listed_on']}  {row['amount']:>10} {row['currency']}  {row['status']:<8} {shop}")
            require(bool(rows), "transactions arrived")

    def compare(self, accounts: list[dict[str, Any]], wide: str, narrow: str) -> None:
        """Whole responses of both consents: they differ by the scope's members and by nothing else."""
        self.first_sync(narrow)
        only, seen = set[str](), 0
        for account in accounts:
            url = f"{self.api}/accounts/{account['account_id']}"
            for path in ("", "/balances"):
                extra, contradicting = difference(
                    self.platform.read(url + path, wide), self.platform.read(url + path, narrow)
                )
                require(not extra and not contradicting, f"the same {path or 'account'} under both")
            pages = zip(self.platform.transactions(url, wide), self.platform.transactions(url, narrow), strict=True)
            for wider, narrower in pages:
                extra, contradicting = difference(_without_cursor(wider), _without_cursor(narrower))
                require(not contradicting, f"no contradiction ({sorted(contradicting)[:3]})")
                only |= extra
                seen += len(wider["transactions"])
        expected = {f"transactions.merchant.{member}" for member in MERCHANT_MEMBERS}
        require(only == expected, f"the difference is the scope `merchants` (found {sorted(only)})")
        show("compared", f"{seen} rows under both consents")
        show("only with `merchants`", ", ".join(sorted(MERCHANT_MEMBERS)))

    def refused(self, token: str) -> None:
        response = self.platform.get(f"{self.api}/accounts", token)
        require(response.status_code == 401, f"the next read is refused (got {response.status_code})")
        require("invalid_token" in response.headers.get("WWW-Authenticate", ""), "and says that the token is dead")
        show("next read", f"401 {response.json()['code']}")

    def still_reads(self, accounts: list[dict[str, Any]], token: str) -> None:
        url = f"{self.api}/accounts/{accounts[0]['account_id']}/balances"
        show("the other consent", f"still reads {len(self.platform.read(url, token)['balances'])} balances")

    def delete(self, token: str) -> None:
        consent = self.platform.read(f"{self.api}/consent", token)
        response = requests.delete(
            f"{self.api}/consents/{consent['consent_id']}", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )
        require(response.status_code == 204, f"deleted (got {response.status_code})")


def _without_cursor(page: dict[str, Any]) -> dict[str, Any]:
    """A cursor belongs to the consent it was made for."""
    return {name: member for name, member in page.items() if name != "next_cursor"}


def say(text: str) -> None:
    print(f"\n{text}", flush=True)


def show(name: str, value: str) -> None:
    print(f"    {name}: {value}", flush=True)


def step(what: str, page: Page) -> None:
    print(f"    the user {what:<38} {page.title}", flush=True)


def require(condition: bool, what: str) -> None:
    if not condition:
        raise Refused(f"expected: {what}")


def main(walk: Callable[[dict[str, Any]], None] = lambda instance: Tour(instance).run()) -> int:
    started = time.monotonic()
    print("Starting an instance of its own ...", flush=True)
    try:
        with running() as instance:
            show("ready after", f"{time.monotonic() - started:.1f} s")
            walk(instance)
    except (Refused, UnexpectedPage, DidNotStart, requests.RequestException) as error:
        print(f"\nThe tour stopped: {error}", file=sys.stderr)
        return 1
    print(f"\nEvery step was seen ({time.monotonic() - started:.1f} s).")
    return 0


if __name__ == "__main__":
    if "--help" in sys.argv[1:] or "-h" in sys.argv[1:]:
        print(__doc__)
        sys.exit(0)
    sys.exit(main())
