"""One consent over two banks, a worker that is killed in the middle of a sync, and a payment that is booked later."""

import os
import signal
import time
from typing import Any

import requests

from examples.tour.copy import Copy
from examples.tour.person import Person, Visit
from examples.tour.platform import Platform
from examples.tour.telling import require, say, show

SYNC_SECONDS = 120
#: Of the bank's busiest customer, as its home page says.
ROWS_OF_MANY = 10_000
PENDING_DAYS = 4


class TwoBanks:
    def __init__(self, instance: dict[str, Any], platform: Platform, person: Person) -> None:
        self.instance = instance
        self.platform = platform
        self.person = person
        self.bank, self.card = instance["banks"]
        self.token = ""
        self.copy = Copy(platform, f"{instance['api']}/transactions/sync")

    def run(self) -> None:
        say("One consent over two banks: a current account with 10 000 transactions, and a credit card:")
        visits = [Visit(self.bank, "many"), Visit(self.card, "cardholder")]
        tokens = self.person.connect(self.platform, visits, ["accounts", "balances", "merchants"], history_days=400)
        self.token = tokens["access_token"]

        say("The worker is killed (kill -9) in the middle of the first sync:")
        self.kill_in_mid_sync()
        self.catch_up()
        self.every_row_once()

        say("A card payment that is pending today is booked when the bank's clock has moved:")
        self.pending_becomes_booked()

    # -- a worker that dies --------------------------------------------------------------------------------------------

    def kill_in_mid_sync(self) -> None:
        until = time.monotonic() + SYNC_SECONDS
        while not self.copy.rows:
            require(time.monotonic() < until, "the first rows arrive")
            self.copy.follow(self.token)
        status = self.copy.update_status
        worker = self.instance["processes"]["worker"]
        os.kill(worker, signal.SIGKILL)
        show("killed", f"process {worker}, with {len(self.copy.rows)} rows stored and update status {status}")
        require(status != "CURRENT", "the sync was not over")

    def catch_up(self) -> None:
        started = time.monotonic()
        while True:
            self.copy.follow(self.token)
            if self.copy.update_status == "CURRENT":
                break
            require(time.monotonic() < started + SYNC_SECONDS, f"the sync is finished within {SYNC_SECONDS} s")
            time.sleep(0.2)
        show("finished by the next worker after", f"{time.monotonic() - started:.1f} s")

    def every_row_once(self) -> None:
        """The copy made from changes, and the lists page by page, hold the same rows, each once."""
        listed: list[dict[str, Any]] = []
        api = self.instance["api"]
        for account in self.platform.read(f"{api}/accounts", self.token)["accounts"]:
            pages = self.platform.transactions(f"{api}/accounts/{account['account_id']}", self.token)
            rows = [row for page in pages for row in page["transactions"]]
            show(f"{account['institution']['name']}, {account['name']}", f"{len(rows)} transactions")
            listed += rows
        ids = [row["transaction_id"] for row in listed]
        require(len(ids) == len(set(ids)), "every row once")
        require({row["transaction_id"]: row for row in listed} == self.copy.rows, "the copy is what the lists show")
        bulk = max(sum(row["account_id"] == one for row in listed) for one in {row["account_id"] for row in listed})
        require(bulk == ROWS_OF_MANY, f"all {ROWS_OF_MANY} rows of the busy account (got {bulk})")

    # -- pending, then booked ------------------------------------------------------------------------------------------

    def pending_becomes_booked(self) -> None:
        pending = {key: row for key, row in self.copy.rows.items() if row["status"] == "PENDING"}
        require(bool(pending), "something is pending")
        self.move_clocks(PENDING_DAYS)
        self.refresh()
        self.copy.follow(self.token)
        booked = {key: self.copy.rows[key] for key in pending if self.copy.rows.get(key, {}).get("status") == "BOOKED"}
        require(bool(booked), "a pending row was booked under the same id")
        # Those first whose amount was another while they were pending.
        for key, row in sorted(booked.items(), key=lambda item: item[1]["amount"] == pending[item[0]]["amount"])[:4]:
            before = pending[key]
            change = f"{before['amount']} {before['status']} -> {row['amount']} {row['status']}"
            show(key, f"{change} on {row['booked_on']} ({row['merchant']['name']})")

    def move_clocks(self, days: int) -> None:
        for bank in (self.bank, self.card):
            control = bank["control"]
            response = requests.post(
                f"{control['url']}/today",
                json={"days_ahead": days},
                headers={"Authorization": f"Bearer {control['token']}"},
                timeout=30,
            )
            require(response.status_code == 200, f"the clock of {bank['name']} moves")
            show(bank["name"], f"the books are at {response.json()['today']}")

    def refresh(self) -> None:
        asked = self.platform.post(f"{self.instance['api']}/refreshes", self.token, wait_seconds=8)
        until = time.monotonic() + SYNC_SECONDS
        while asked["status"] in ("QUEUED", "RUNNING"):
            require(time.monotonic() < until, "the refresh ends")
            time.sleep(0.2)
            asked = self.platform.read(f"{self.instance['api']}/refreshes/{asked['refresh_id']}", self.token)
        require(asked["status"] == "DONE", f"the refresh is done (got {asked})")
        show("refresh", f"{asked['status']}, the next without the user: {asked['next_refresh_after'] or 'at once'}")
