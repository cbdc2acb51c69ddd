"""`python3 run.py tour`: exit 0 only when every step was seen."""

import sys
import time
from collections.abc import Callable
from typing import Any

import requests

from examples.tour.browser import UnexpectedPage
from examples.tour.difference import difference
from examples.tour.hands import Hands
from examples.tour.instance import DidNotStart, running
from examples.tour.options import parser
from examples.tour.person import Person, Visit
from examples.tour.platform import Platform, Refused
from examples.tour.telling import require, say, show
from examples.tour.two_banks import TwoBanks

FIRST_SYNC_SECONDS = 30
MERCHANT_MEMBERS = {"name", "category", "mcc", "channel"}


#: What is granted counts back from the day it is asked for: two consents are compared within one day.
COMPARED_WITHIN_SECONDS = 180


def wait_for_a_new_day() -> None:
    """Shortly before midnight UTC, wait for it."""
    left = 86_400 - time.time() % 86_400
    if left < COMPARED_WITHIN_SECONDS:
        print(f"A new day begins in {left:.0f} s; both consents are asked for after that.", flush=True)
        time.sleep(left + 1)


class Tour:
    def __init__(self, instance: dict[str, Any]) -> None:
        self.instance = instance
        self.api: str = instance["api"]
        self.visit = Visit(instance["banks"][0], "happy")
        self.person, self.other_person = (Person(instance, user) for user in instance["users"][:2])
        self.platform, self.other_platform = (
            Platform(
                issuer=instance["issuer"],
                client_id=registered["client_id"],
                client_secret=registered["client_secret"],
                redirect_uri=registered["redirect_uri"],
            )
            for registered in instance["platforms"][:2]
        )

    def run(self) -> None:
        wait_for_a_new_day()
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
        self.person.stop_sharing()
        self.refused(wide["access_token"])
        self.still_reads(accounts, narrow["access_token"])

        say("The platform ends the second one itself:")
        self.delete(narrow["access_token"])
        self.refused(narrow["access_token"])

        Hands(self.instance, self.person, self.platform, self.other_platform).run()
        TwoBanks(self.instance, self.platform, self.other_person).run()

    def connect(self, scopes: list[str]) -> dict[str, Any]:
        return self.person.connect(self.platform, [self.visit], scopes)

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
    parser().parse_args()
    sys.exit(main())
