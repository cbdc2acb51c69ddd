"""The dashboard and each consent's own page."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from banks.models import Institution
from consents import clock, lifecycle, platforms
from consents.models import BankPolicy, Consent, ConsentAccount, Revocation, UsageRow
from consents.scopes import Purpose, Scope
from consents.states import ConsentAccountStatus, ConsentStatus, PlatformStatus, PolicyStatus
from gateway.identity.models import User
from gateway.portal import consents
from tests.gateway.portal.conftest import read_by_platform, show_accounts, signed_in, status_of
from tests.gateway.portal.html import Page
from tests.support import cast
from tests.support.cast import Member


class TestList:
    def test_says_what_to_do_when_nothing_is_shared(self, browser: Client) -> None:
        page = Page(browser.get("/"))

        assert page.says("You share nothing yet")
        assert page.says("start in the app you want to use")
        assert page.links_to("/reads/") == ["/reads/"]

    def test_shows_a_consent_in_words(self, browser: Client, sharing: Consent) -> None:
        read_by_platform(sharing)
        read_by_platform(sharing, days_ago=6)
        read_by_platform(sharing, days_ago=8)

        page = Page(browser.get("/"))

        for words in (
            "chat",
            "Sharing",
            "Northbank, 2 accounts",
            "Account name and type",
            "Account balance",
            "Account overview",
            "in 90 days",
            "Reads in the last 7 days 2",
        ):
            assert page.says(words), words
        assert "Never" not in page.words

    def test_view_and_stop_weigh_the_same(self, browser: Client, sharing: Consent) -> None:
        page = Page(browser.get("/"))

        view, stop = (link for link in page.links if link.attributes.get("class") == "action")
        assert view.words.startswith("View")
        assert stop.words.startswith("Stop sharing")
        assert view.look == stop.look

    def test_ended_ones_stay_with_date_and_cause(self, browser: Client, sharing: Consent) -> None:
        lifecycle.revoke(
            consent_id=sharing.id,
            platform_id=sharing.platform_id,
            reason="platform_request",
            actor=cast.BY_PLATFORM,
            now=clock.now(),
        )

        page = Page(browser.get("/"))

        assert page.says("Stopped")
        assert page.says("chat ended it")
        assert not any(link.words.startswith("Stop") for link in page.links)

    def test_what_ran_out_is_over_before_anybody_wrote_it_down(self, browser: Client, sharing: Consent) -> None:
        Consent.objects.update(expires_at=clock.now())

        page = Page(browser.get("/"))

        assert status_of(sharing) == ConsentStatus.AUTHORISED
        assert page.says("It reached its end date")
        assert not any(link.words.startswith("Stop") for link in page.links)

    def test_open_request_can_be_answered_from_here(self, browser: Client, asked: Consent) -> None:
        page = Page(browser.get("/"))

        assert page.says("Waiting for your answer")
        assert f"/connect/{asked.id}/" in [link.attributes["href"] for link in page.links]

    def test_bank_on_hold_is_named(self, browser: Client, sharing: Consent) -> None:
        ConsentAccount.objects.update(status=ConsentAccountStatus.SUSPENDED)

        page = Page(browser.get("/"))

        assert page.says("On hold by Northbank: nothing from there is shared for now. Only your bank can change this")
        assert page.says("On hold View") or page.says("On hold On hold by Northbank")

    def test_knows_nothing_of_others(self, bob: User, sharing: Consent) -> None:
        page = Page(signed_in(bob).get("/"))

        assert page.says("You share nothing yet")
        assert not page.says("chat")

    def test_what_is_live_is_listed_however_much_is_newer(
        self, browser: Client, alice: User, chat: Member, sharing: Consent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(consents, "LISTED", 3)
        live = [sharing, *(cast.authorised_consent(alice, chat.platform) for _ in range(4))]
        waiting = [cast.requested_consent(alice, chat.platform) for _ in range(4)]

        page = Page(browser.get("/"))

        leads_to = {link.attributes["href"] for link in page.links}
        assert {f"/consents/{one.id}/stop/" for one in live} <= leads_to
        assert sum(f"/connect/{one.id}/" in leads_to for one in waiting) == 3
        (older,) = (link for link in page.links if link.words == "Show older ones")
        (rest,) = Page(browser.get(f"/{older.attributes['href']}")).links_to("/connect/")
        assert rest == f"/connect/{waiting[0].id}/"

    def test_leads_to_older_ones_only_if_there_are_any(
        self, browser: Client, asked: Consent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(consents, "LISTED", 1)

        assert not Page(browser.get("/")).says("Show older ones")

    @pytest.mark.parametrize("query", ["before=nonsense", f"before={UUID(int=1)}", "state=anything"])
    def test_address_that_no_page_leads_to_is_not_there(self, browser: Client, sharing: Consent, query: str) -> None:
        assert browser.get(f"/?{query}").status_code == 404

    def test_costs_the_same_for_one_and_for_many(
        self, browser: Client, alice: User, chat: Member, northbank: Institution, django_assert_num_queries: Callable
    ) -> None:
        for _ in range(5):
            cast.authorised_consent(alice, chat.platform, accounts=cast.linked_accounts(alice, northbank))

        # Session, user, the session's row, live consents, the others, their accounts, banks, usage, stops of banks,
        # links and their needs, whom one works for.
        with django_assert_num_queries(13):
            browser.get("/")


class TestDetail:
    def test_names_scopes_accounts_and_dates(self, browser: Client, sharing: Consent) -> None:
        page = Page(browser.get(f"/consents/{sharing.id}/"))

        for words in ("How much is in the account", "Current, Current account, ending in 1234, GBP", str(sharing.id)):
            assert page.says(words), words
        assert page.says("Nothing has been read yet")

    def test_tells_each_read(self, browser: Client, sharing: Consent) -> None:
        account_id = ConsentAccount.objects.values_list("account_id", flat=True)[0]
        read_by_platform(sharing, account_id=account_id)
        read_by_platform(sharing)

        page = Page(browser.get(f"/consents/{sharing.id}/"))

        for words in (
            "Account balance , 2 records",
            "by itself",
            "All accounts you chose",
            "req_of_a_platform",
            "This looks wrong",
        ):
            assert page.says(words), words
        assert page.says("2 reads in all")

    @pytest.mark.parametrize(
        ("columns", "words"),
        [
            ({"presence": "PRESENT", "attended": True}, "you were there"),
            ({"presence": "ATTESTED", "attended": True}, "the app said you were there"),
            ({"presence": "ABSENT", "attended": False}, "by itself"),
            # Rows of an earlier release.
            ({"presence": None, "attended": True}, "you were there"),
            ({"presence": None, "attended": False}, "by itself"),
        ],
    )
    def test_tells_who_was_there_and_who_said_so(
        self, browser: Client, sharing: Consent, columns: dict[str, Any], words: str
    ) -> None:
        read_by_platform(sharing)
        UsageRow.objects.update(**columns)

        page = Page(browser.get(f"/consents/{sharing.id}/"))

        told = ("you were there", "the app said you were there", "by itself")
        assert page.says(f"· {words}")
        assert not [other for other in told if other != words and page.says(f"· {other}")]

    def test_shows_the_latest_reads_and_leads_to_all(self, browser: Client, sharing: Consent) -> None:
        for number in range(consents.LATEST_READS + 1):
            read_by_platform(sharing, days_ago=number / 100, rows=number + 20)

        page = Page(browser.get(f"/consents/{sharing.id}/"))

        assert page.says(f"The latest {consents.LATEST_READS} reads")
        assert page.says("20 records")
        assert not page.says(f"{consents.LATEST_READS + 20} records")
        assert f"/reads/?consent={sharing.id}" in page.links_to("/reads/")

    def test_history_window_is_a_date(self, browser: Client, alice: User, chat: Member) -> None:
        consent = cast.authorised_consent(alice, chat.platform, scopes=[Scope.TRANSACTIONS], history_days=30)

        page = Page(browser.get(f"/consents/{consent.id}/"))

        assert consent.history_from is not None
        assert page.says(f"From {consent.history_from.day} {consent.history_from:%B %Y} on")

    def test_account_whose_link_is_gone_says_so(self, browser: Client, alice: User, chat: Member) -> None:
        consent = cast.authorised_consent(alice, chat.platform)

        page = Page(browser.get(f"/consents/{consent.id}/"))

        assert page.says("An account that is no longer linked")
        assert page.says("A bank that is no longer here")

    def test_somebody_elses_is_not_there(self, bob: User, sharing: Consent) -> None:
        theirs, nobodys = (signed_in(bob).get(f"/consents/{one}/") for one in (sharing.id, cast.stranger()))

        assert theirs.status_code == nobodys.status_code == 404
        assert Page(theirs).words == Page(nobodys).words


def test_accounts_of_a_waiting_request_are_not_shared_yet(
    browser: Client, asked: Consent, northbank: Institution
) -> None:
    show_accounts(browser, asked, northbank, "everyday")

    assert not Page(browser.get(f"/consents/{asked.id}/")).says("Everyday")


class TestHalts:
    """A consent that is not served says why, and who can change it."""

    def test_pause_is_the_users_own(self, browser: Client, alice: User, sharing: Consent) -> None:
        lifecycle.pause(consent_id=sharing.id, user_id=alice.id, actor=cast.BY_USER, now=clock.now())

        page = Page(browser.get("/"))

        assert page.says("You paused it. Nothing is read until you resume it. You can change this.")

    def test_operators_hold_is_the_operators(self, browser: Client, sharing: Consent) -> None:
        lifecycle.suspend(consent_id=sharing.id, reason="test", actor=cast.BY_OPERATOR, now=clock.now())

        page = Page(browser.get(f"/consents/{sharing.id}/"))

        assert page.says("We put it on hold. Nothing is read for now. Only we can change this.")
        assert not page.says("Take my report back")
        assert not page.says("Resume")

    def test_stopped_platform_is_named(self, browser: Client, chat: Member, sharing: Consent) -> None:
        platforms.change_status(
            chat.platform, PlatformStatus.SUSPENDED, reason="test", actor=cast.BY_OPERATOR, now=clock.now()
        )

        page = Page(browser.get("/"))

        assert page.says("We stopped chat for now. It can read nothing.")
        assert page.says("chat On hold")

    def test_policy_of_a_bank_is_seen_on_the_list(self, browser: Client, sharing: Consent) -> None:
        BankPolicy.objects.update(status=PolicyStatus.SUSPEND)

        assert Page(browser.get("/")).says("On hold by Northbank: nothing from there is shared for now")

    def test_one_bank_of_two_leaves_the_other(
        self, browser: Client, alice: User, chat: Member, northbank: Institution
    ) -> None:
        other = cast.institution("southbank")
        cast.permissive_policy(other)
        accounts = [cast.linked_accounts(alice, bank, ("current",))[0] for bank in (northbank, other)]
        consent = cast.authorised_consent(alice, chat.platform, accounts=accounts)
        ConsentAccount.objects.filter(institution_id=other.id).update(status=ConsentAccountStatus.SUSPENDED)

        page = Page(browser.get(f"/consents/{consent.id}/"))

        assert page.says("chat Sharing")
        assert page.says("On hold by Southbank")
        assert not page.says("On hold by Northbank")

    def test_served_consent_has_nothing_to_say(self, browser: Client, sharing: Consent) -> None:
        for address in ("/", f"/consents/{sharing.id}/"):
            assert not Page(browser.get(address)).says("can change this"), address


class TestSearch:
    @pytest.fixture
    def many(self, alice: User, chat: Member, budget: Member, sharing: Consent) -> Consent:
        """More than five, one of them with `budget`."""
        for _ in range(consents.SEARCHED_FROM):
            cast.authorised_consent(alice, chat.platform)
        return cast.authorised_consent(alice, budget.platform, purposes=[Purpose.BUDGETING])

    def test_is_offered_from_six_on(self, browser: Client, many: Consent) -> None:
        (search,) = (form for form in Page(browser.get("/")).forms if form.action == "/")

        assert search.method == "get"
        assert [control.name for control in search.controls if control.name] == ["q"]

    def test_is_not_offered_for_few(self, browser: Client, sharing: Consent) -> None:
        assert not Page(browser.get("/")).says("App or bank")

    @pytest.mark.parametrize(("text", "found"), [("BUDG", 1), ("northb", 1), ("chat", 6), ("nobody", 0)])
    def test_finds_by_app_and_by_bank(self, browser: Client, many: Consent, text: str, found: int) -> None:
        page = Page(browser.get("/", {"q": text}))

        assert len([href for href in page.links_to("/consents/") if href.endswith("/stop/")]) == found
        assert page.says("Nothing fits") == (found == 0)

    def test_finds_by_state(self, browser: Client, many: Consent) -> None:
        cast.revoke(many)

        ended, live = (Page(browser.get("/", {"state": state})) for state in ("ended", "live"))

        assert ended.links_to("/consents/") == [f"/consents/{many.id}/"]
        assert f"/consents/{many.id}/" not in live.links_to("/consents/")

    def test_finds_nothing_of_others(self, bob: User, many: Consent) -> None:
        assert Page(signed_in(bob).get("/", {"q": "chat"})).says("Nothing fits")


class TestTimeline:
    def test_tells_all_that_happened_and_who_did_it(self, browser: Client, alice: User, sharing: Consent) -> None:
        for act in (lifecycle.pause, lifecycle.resume):
            act(consent_id=sharing.id, user_id=alice.id, actor=cast.BY_USER, now=clock.now())
        lifecycle.suspend(consent_id=sharing.id, reason="test", actor=cast.BY_OPERATOR, now=clock.now())
        cast.revoke(sharing)

        words = Page(browser.get(f"/consents/{sharing.id}/")).words.partition("What happened")[2]

        told = ["chat asked", "You allowed it", "You paused it", "You resumed it", "It was put on hold"]
        places = [words.index(one) for one in [*told, "It was stopped"]]
        assert places == sorted(places)
        assert "· Sluice" in words

    def test_end_is_told_step_by_step(self, browser: Client, sharing: Consent) -> None:
        cast.revoke(sharing)

        page = Page(browser.get(f"/consents/{sharing.id}/"))

        for words in (
            "The keys of chat stopped working",
            "We stopped answering",
            "Our copy was deleted",
            "chat was told",
        ):
            assert page.says(words), words
        assert page.says("Our copy was deleted Not yet. After")
        assert {"#end", "#timeline"} <= set(page.links_to("#"))

    def test_late_confirmation_is_called_late(self, browser: Client, sharing: Consent) -> None:
        cast.revoke(sharing)
        Revocation.objects.update(notified_at=clock.now() - timedelta(hours=25))

        assert Page(browser.get(f"/consents/{sharing.id}/")).says("chat is late. Ask chat to delete what it holds.")

    def test_what_ran_out_has_no_steps(self, browser: Client, sharing: Consent) -> None:
        Consent.objects.update(expires_at=clock.now())
        lifecycle.expire_due(now=clock.now())

        page = Page(browser.get(f"/consents/{sharing.id}/"))

        assert page.says("It reached its end date")
        assert not page.says("How the end went on")

    def test_receipt_names_the_text_that_was_agreed_to(self, browser: Client, sharing: Consent) -> None:
        page = Page(browser.get(f"/consents/{sharing.id}/"))

        for words in (sharing.disclosure_sha256, f"Version {sharing.disclosure_version}", str(sharing.id)):
            assert page.says(words), words
