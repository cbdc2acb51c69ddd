"""The usage log: every read, however many; filtered, drawn, and as files."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.test import Client

from banks.models import Institution
from consents import clock
from consents.models import Consent, ConsentAccount, CustomerLookup, UsageRow
from consents.scopes import Purpose
from gateway.identity.models import User
from gateway.portal import reads
from gateway.portal.usage import Position
from tests.gateway.portal.conftest import read_by_platform, signed_in
from tests.gateway.portal.html import Page
from tests.support import cast
from tests.support.cast import Member


def looked_up(user: User, bank: Institution, *, days_ago: float = 0) -> CustomerLookup:
    return CustomerLookup.objects.create(
        user_id=user.id,
        institution_id=bank.id,
        reason_code="COMPLAINT",
        request_id="req_of_bank_staff",
        looked_up_at=clock.now() - timedelta(days=days_ago),
    )


def all_pages(browser: Client, address: str = "/reads/") -> list[Page]:
    pages = [Page(browser.get(address))]
    while older := [link.attributes["href"] for link in pages[-1].links if link.words == "Show older ones"]:
        pages.append(Page(browser.get(f"/reads/{older[0]}")))
    return pages


def exported(browser: Client, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(browser.get("/reads.json", query).getvalue())["reads"]
    return found


class TestPages:
    def test_every_read_is_on_exactly_one_page(
        self, browser: Client, sharing: Consent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reads, "PAGE_SIZE", 3)
        at = clock.now()
        for number in range(7):  # three of them in the same microsecond
            read_by_platform(sharing, request_id=f"req_number_{number}", read_at=at - timedelta(hours=number // 3))

        pages = all_pages(browser)

        assert len(pages) == 3
        for number in range(7):
            assert sum(page.says(f"req_number_{number}") for page in pages) == 1, number
        assert pages[-1].says("That is all of it")
        assert not pages[0].says("That is all of it")

    def test_title_is_the_heading(self, browser: Client, sharing: Consent) -> None:
        for query, heading in (("", "Who read what"), (f"?consent={sharing.id}", f"What {sharing.platform.name} read")):
            page = Page(browser.get(f"/reads/{query}"))
            assert page.title.startswith(heading) and page.says(heading)

    def test_newest_comes_first(self, browser: Client, sharing: Consent) -> None:
        for days_ago in (3, 1, 2):
            read_by_platform(sharing, days_ago=days_ago, request_id=f"req_{days_ago}_days_ago")

        words = Page(browser.get("/reads/")).words

        places = [words.index(f"req_{days_ago}_days_ago") for days_ago in (1, 2, 3)]
        assert places == sorted(places)

    def test_look_up_by_bank_staff_stands_among_the_reads_with_its_reason(
        self, browser: Client, alice: User, sharing: Consent, northbank: Institution
    ) -> None:
        read_by_platform(sharing, days_ago=2)
        looked_up(alice, northbank, days_ago=1)

        page = Page(browser.get("/reads/"))

        assert page.says("Your bank looked up your sharing")
        assert page.says("Northbank · Reason: You made a complaint")
        assert page.words.index("req_of_bank_staff") < page.words.index("req_of_a_platform")

    def test_nothing_of_others_is_in_it(self, bob: User, sharing: Consent, alice: User, northbank: Institution) -> None:
        read_by_platform(sharing)
        looked_up(alice, northbank)
        browser = signed_in(bob)

        page = Page(browser.get("/reads/"))

        assert page.says("Nothing has been read yet")
        assert not page.says("chat")
        assert exported(browser) == []
        assert browser.get("/reads/", {"consent": str(sharing.id)}).status_code == 404
        assert browser.get("/reads.json", {"consent": str(sharing.id)}).status_code == 404

    @pytest.mark.parametrize(
        "query", ["after=nonsense", "after=20260230T000000.000000_" + "0" * 32, "consent=nonsense"]
    )
    def test_address_that_no_page_leads_to_is_not_there(self, browser: Client, query: str) -> None:
        assert browser.get(f"/reads/?{query}").status_code == 404

    def test_what_is_older_than_it_is_kept_is_not_shown(self, browser: Client, sharing: Consent) -> None:
        read_by_platform(sharing, days_ago=500)

        assert Page(browser.get("/reads/")).says("Nothing has been read yet")

    def test_position_survives_the_address(self) -> None:
        position = Position(datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC), cast.stranger())

        assert Position.parsed(str(position)) == position


class TestFilter:
    @pytest.fixture
    def log(self, alice: User, budget: Member, sharing: Consent, northbank: Institution) -> Consent:
        """Two reads of `chat`, one of `budget`, one look-up."""
        other = cast.authorised_consent(alice, budget.platform, purposes=[Purpose.BUDGETING])
        first = ConsentAccount.objects.filter(consent=sharing).order_by("added_at", "id").first()
        assert first is not None
        read_by_platform(sharing, days_ago=1, account_id=first.account_id, request_id="req_one_account")
        read_by_platform(sharing, days_ago=5, record="transaction", request_id="req_all_accounts")
        read_by_platform(other, days_ago=3, request_id="req_of_budget")
        looked_up(alice, northbank, days_ago=2)
        return sharing

    def found(self, browser: Client, **query: str) -> set[str]:
        """By request id; page and file say the same."""
        told = {read["reference"] for read in exported(browser, **query)}
        page = Page(browser.get("/reads/", query))
        everything = ("req_one_account", "req_all_accounts", "req_of_budget", "req_of_bank_staff")
        assert {one for one in everything if page.says(one)} == told
        return told

    def test_without_one_all_is_there(self, browser: Client, log: Consent) -> None:
        assert len(self.found(browser)) == 4

    def test_by_consent_and_by_app(self, browser: Client, log: Consent) -> None:
        of_chat = {"req_one_account", "req_all_accounts"}

        assert self.found(browser, consent=str(log.id)) == of_chat
        assert self.found(browser, platform=str(log.platform_id)) == of_chat

    def test_by_kind(self, browser: Client, log: Consent) -> None:
        assert self.found(browser, kind="transaction") == {"req_all_accounts"}
        assert self.found(browser, kind="lookup") == {"req_of_bank_staff"}

    def test_by_account_a_read_of_all_accounts_counts(self, browser: Client, log: Consent) -> None:
        first, second = ConsentAccount.objects.filter(consent=log).order_by("added_at", "id")

        assert self.found(browser, account=str(first.account_id)) == {"req_one_account", "req_all_accounts"}
        assert self.found(browser, account=str(second.account_id)) == {"req_all_accounts"}

    def test_by_days_both_included(self, browser: Client, log: Consent) -> None:
        day = UsageRow.objects.get(request_id="req_of_budget").read_at.date()

        assert self.found(browser, **{"from": str(day), "to": str(day)}) == {"req_of_budget"}
        assert "req_all_accounts" not in self.found(browser, **{"from": str(day)})
        assert self.found(browser, to="9999-12-31") == self.found(browser)

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ({"from": "yesterday"}, "Write a day as year-month-day"),
            ({"to": "2026-02-30"}, "Write a day as year-month-day"),
            ({"from": "2026-03-02", "to": "2026-03-01"}, "The first day must not be after the last day"),
            ({"platform": "x"}, "Choose an app from the list"),
            ({"account": "x"}, "Choose an account from the list"),
            ({"kind": "x"}, "Choose a kind from the list"),
        ],
    )
    def test_what_means_nothing_is_said_and_shows_nothing(
        self, browser: Client, log: Consent, query: dict[str, str], words: str
    ) -> None:
        answer = browser.get("/reads/", query)

        page = Page(answer)
        assert answer.status_code == 422
        assert page.says("There is a problem")
        assert page.says(words)
        assert page.links_to("#")[1] == f"#{next(iter(query))}"
        assert not page.says("req_of_budget")
        assert browser.get("/reads.csv", query).status_code == 404

    def test_goes_with_the_pages_and_the_files(
        self, browser: Client, log: Consent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reads, "PAGE_SIZE", 1)

        pages = all_pages(browser, f"/reads/?platform={log.platform_id}")

        assert [page.says("req_of_budget") for page in pages] == [False, False]
        (address,) = pages[0].links_to("/reads.csv")
        assert dict(parse_qsl(urlsplit(address).query)) == {"platform": str(log.platform_id)}


class TestChart:
    def test_counts_each_day_of_thirty_and_only_what_is_filtered(self, browser: Client, sharing: Consent) -> None:
        for days_ago in (0, 0, 29, 31):
            read_by_platform(sharing, days_ago=days_ago)

        page = Page(browser.get("/reads/", {"consent": str(sharing.id)}))

        today = clock.now().date()
        assert page.says("3 reads in all, 2 in the highest bar")
        assert page.says(f"{today.day} {today:%B} 2")

    def test_is_left_out_where_it_would_say_nothing(self, browser: Client, sharing: Consent) -> None:
        assert not Page(browser.get("/reads/", {"kind": "lookup"})).says("Reads on each of the last")


class TestFiles:
    def test_csv_is_complete_however_many(
        self, browser: Client, sharing: Consent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reads, "CHUNK", 2)
        for number in range(5):
            read_by_platform(sharing, request_id=f"req_number_{number}")

        answer = browser.get("/reads.csv")

        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert "no-store" in answer["Cache-Control"]
        assert answer["Content-Disposition"] == 'attachment; filename="reads.csv"'
        rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
        assert {row["reference"] for row in rows} == {f"req_number_{number}" for number in range(5)}
        assert {(row["who"], row["what"], row["records"]) for row in rows} == {("chat", "Account balance", "2")}

    @pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
    def test_csv_holds_no_formula(self, browser: Client, chat: Member, sharing: Consent, name: str) -> None:
        chat.platform.name = name
        chat.platform.save()
        read_by_platform(sharing)

        (row,) = csv.DictReader(io.StringIO(browser.get("/reads.csv").getvalue().decode()))

        assert row["who"] == f"'{name}"

    def test_json_says_null_for_what_is_not_known(self, browser: Client, alice: User, northbank: Institution) -> None:
        looked_up(alice, northbank)

        (read,) = exported(browser)

        assert (read["records"], read["account"], read["consent"]) == (None, None, None)
        assert (read["who"], read["purpose"]) == ("Northbank", "You made a complaint")
        assert datetime.fromisoformat(read["at"]).tzinfo is not None
