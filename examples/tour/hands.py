"""Two platforms on one bank link, and every hand that can stop one of them: the other goes on reading throughout."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from examples.tour.person import Person, Visit
from examples.tour.platform import Platform
from examples.tour.staff import Staff
from examples.tour.telling import require, say, show, step

SYNC_SECONDS = 60


class Hands:
    """`stopped` is the platform that is stopped again and again; `other` must never notice."""

    def __init__(self, instance: dict[str, Any], person: Person, stopped: Platform, other: Platform) -> None:
        self.instance = instance
        self.person = person
        self.bank = instance["banks"][0]
        self.stopped, self.other = stopped, other
        admins = [Staff(instance, one) for one in instance["bank_admins"] if one["bank"] == self.bank["slug"]]
        self.admin, self.second_admin = admins[:2]
        self.operator, self.second_operator = [Staff(instance, one) for one in instance["operators"][:2]]
        self.token = self.other_token = ""

    def run(self) -> None:
        say("Two platforms on one bank link:")
        visit = Visit(self.bank, "happy")
        self.token = self._connect(self.stopped, visit, "account_overview")
        self.other_token = self._connect(self.other, visit, "budgeting")
        self._wait_for_balances()
        self._both_read()

        say("The user pauses the first, and resumes it:")
        with self._refused(403, "consent_paused"):
            self._press_at_consent("Pause")
        self._press_at_consent("Resume")
        self._both_read()

        say("The bank suspends the first at its console; two of its people lift it again:")
        with self._refused(403, "policy_suspended"):
            self._bank_suspends()
        self._bank_lifts()
        self._both_read()

        say("The operator suspends the first; two operators allow it again:")
        with self._refused(403, "platform_not_active"):
            self._operator_suspends()
        self._operator_allows()
        self._both_read()

        say("The user reads who read what, and stops the first for good:")
        self._usage_log()
        with self._refused(401, "invalid_token"):
            self._press_at_consent("Stop sharing", "Stop sharing")

        say("The other platform ends its own consent, and both read in the log of events what happened:")
        self._platform_ends()
        self._events(self.stopped, "consent.paused", "consent.resumed", "consent.revoked")
        self._events(self.other, "consent.granted", "consent.revoked")

    # -- what the platforms see ----------------------------------------------------------------------------------------

    def _connect(self, platform: Platform, visit: Visit, purpose: str) -> str:
        tokens = self.person.connect(platform, [visit], ["accounts", "balances", "transactions"], purpose=purpose)
        return str(tokens["access_token"])

    def _status(self, platform: Platform, token: str) -> tuple[int, str]:
        response = platform.get(f"{self.instance['api']}/accounts", token)
        return response.status_code, response.json().get("code", "")

    def _wait_for_balances(self) -> None:
        until = time.monotonic() + SYNC_SECONDS
        api = self.instance["api"]
        for platform, token in ((self.stopped, self.token), (self.other, self.other_token)):
            for account in platform.read(f"{api}/accounts", token)["accounts"]:
                url = f"{api}/accounts/{account['account_id']}/balances"
                while platform.read(url, token)["as_of"] is None:
                    require(time.monotonic() < until, f"balances within {SYNC_SECONDS} s")
                    time.sleep(0.1)

    def _both_read(self) -> None:
        for platform, token in ((self.stopped, self.token), (self.other, self.other_token)):
            status, code = self._status(platform, token)
            require(status == 200, f"{platform.client_id} reads (got {status} {code})")
        show("both platforms", "read")

    @contextmanager
    def _refused(self, status: int, code: str) -> Iterator[None]:
        """After the block the very next call of the stopped platform is refused so; the other's is not."""
        yield
        got = self._status(self.stopped, self.token)
        require(got == (status, code), f"the next call is refused with {status} {code} (got {got})")
        show("next call of the stopped platform", f"{status} {code}")
        require(self._status(self.other, self.other_token)[0] == 200, "the other platform goes on reading")
        show("the other platform", "reads")

    # -- the user ------------------------------------------------------------------------------------------------------

    def _press_at_consent(self, *words: str) -> None:
        """On the page of the stopped platform's consent: a link or a button with each of these words, in turn."""
        page = self.person.consent_page(self.stopped_name)
        for word in words:
            page = self.person.go(page, word)
        step(f"presses {words[-1]!r}", page)

    @property
    def stopped_name(self) -> str:
        return next(
            str(one["name"]) for one in self.instance["platforms"] if one["client_id"] == self.stopped.client_id
        )

    def _usage_log(self) -> None:
        page = self.person.browser.open(f"{self.instance['issuer']}/reads/")
        step("looks at the log of every read", page)
        require(page.status == 200, "the log is there")
        rows = self.person.browser.open(f"{self.instance['issuer']}/reads.csv").text.strip().splitlines()
        require(len(rows) > 2, "every read is in it")
        show("reads in the CSV", str(len(rows) - 1))

    # -- the bank ------------------------------------------------------------------------------------------------------

    def _bank_suspends(self) -> None:
        page = self._at_the_bank(self.admin, "Suspend at once")
        self.admin.browser.press(page, "Suspend now", {"reason": "COMPLAINTS"})
        step(f"{self.admin.name} suspends it", page)

    def _bank_lifts(self) -> None:
        page = self._at_the_bank(self.admin, "Lift the stop")
        step(f"{self.admin.name} asks to lift it", page)
        self.admin.browser.press(page, "Ask for it", {"reason": "CAUSE_RESOLVED"})
        require(self._status(self.stopped, self.token)[0] == 403, "one person alone lifts nothing")
        page = self.second_admin.open(f"/backoffice/{self.bank['slug']}/proposals/")
        page = self.second_admin.follow(page, "Lift")
        step(f"{self.second_admin.name} approves", self.second_admin.browser.press(page, "Approve"))

    def _at_the_bank(self, admin: Staff, words: str) -> Any:
        overview = admin.open(f"/backoffice/{self.bank['slug']}/")
        return admin.follow(admin.follow(overview, self.stopped_name), words)

    # -- the operator --------------------------------------------------------------------------------------------------

    def _operator_suspends(self) -> None:
        step(f"{self.operator.name} suspends the platform", self._operate(self.operator, "suspend", "COMPLAINTS"))

    def _operator_allows(self) -> None:
        step(f"{self.operator.name} asks to allow it", self._operate(self.operator, "ask_to_allow", "CAUSE_RESOLVED"))
        require(self._status(self.stopped, self.token)[0] == 403, "one operator alone allows nothing")
        page = self.second_operator.open("/operator/consents/operatorproposal/?status__exact=WAITING")
        ticked = [value for value, _ in page.choices("_selected_action")][:1]
        page = self.second_operator.browser.press(page, "Go", {"action": "approve", "_selected_action": ticked})
        step(f"{self.second_operator.name} approves", page)

    def _operate(self, operator: Staff, action: str, reason: str) -> Any:
        page = operator.open(f"/operator/consents/platform/?q={self.stopped.client_id}")
        ticked = [value for value, _ in page.choices("_selected_action")]
        require(len(ticked) == 1, "the platform is found by its client id")
        sent = {"action": action, "reason": reason, "_selected_action": ticked}
        return operator.browser.press(page, "Go", sent)

    # -- the platform --------------------------------------------------------------------------------------------------

    def _platform_ends(self) -> None:
        consent = self.other.read(f"{self.instance['api']}/consent", self.other_token)
        status = self.other.delete(f"{self.instance['api']}/consents/{consent['consent_id']}", self.other.own_token())
        require(status == 204, f"deleted (got {status})")
        require(self._status(self.other, self.other_token)[0] == 401, "its own next call is refused")
        show("next call of the other platform", "401")

    def _events(self, platform: Platform, *expected: str) -> None:
        token, url = platform.own_token(), f"{self.instance['api']}/events"
        told: list[str] = []
        page = platform.read(url, token)
        while True:
            told += [event["type"] for event in page["events"]]
            if not page["has_more"]:
                break
            page = platform.read(url, token, after=page["next_after"])
        require(set(expected) <= set(told), f"{', '.join(expected)} were told (got {told})")
        platform.acknowledge(f"{url}/acknowledgements", token, page["next_after"])
        require(platform.read(url, token)["events"] == [], "what was acknowledged is not told again")
        show(platform.client_id, ", ".join(told))
