"""The list, the detail page, and stopping."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from banks.models import Institution
from consents import clock, lifecycle
from consents.models import AccessToken, AuditEntry, Consent, ConsentAccount, Grant, UsageRow
from consents.scopes import Purpose, Scope
from consents.states import ConsentAccountStatus, ConsentStatus, Initiator
from gateway.identity.models import User
from gateway.oauth import answers
from gateway.portal import consents, usage
from tests.gateway.portal.conftest import show_accounts, signed_in, status_of
from tests.gateway.portal.html import Page
from tests.support import cast
from tests.support.cast import Member


@pytest.fixture
def sharing(alice: User, chat: Member, northbank: Institution) -> Consent:
    """Alice shares two accounts with `chat`."""
    return cast.authorised_consent(alice, chat.platform, accounts=cast.linked_accounts(alice, northbank))


def read_by_platform(consent: Consent, *, days_ago: float = 0, account_id: UUID | None = None, rows: int = 2) -> None:
    at = clock.now() - timedelta(days=days_ago)
    UsageRow.objects.create(
        month=at.date().replace(day=1),
        user_id=consent.user_id,
        consent_id=consent.id,
        platform_id=consent.platform_id,
        account_id=account_id,
        record="balance",
        purpose="account_overview",
        rows=rows,
        request_id="req_of_a_platform",
        read_at=at,
    )


class TestList:
    def test_says_what_to_do_when_nothing_is_shared(self, browser: Client) -> None:
        page = Page(browser.get("/"))

        assert page.says("You share nothing yet")
        assert page.says("start in the app you want to use")

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
            "in 90 days, on",
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

        assert Page(browser.get("/")).says("On hold by the bank Northbank")

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
        assert page.says("Of what waits or has ended it shows the newest 3")

    def test_says_nothing_of_a_bound_that_cuts_nothing(
        self, browser: Client, asked: Consent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(consents, "LISTED", 1)

        assert not Page(browser.get("/")).says("it shows the newest")

    def test_costs_the_same_for_one_and_for_many(
        self, browser: Client, alice: User, chat: Member, northbank: Institution, django_assert_num_queries: Callable
    ) -> None:
        for _ in range(5):
            cast.authorised_consent(alice, chat.platform, accounts=cast.linked_accounts(alice, northbank))

        # Session, user, live consents, the others, their accounts, banks, usage.
        with django_assert_num_queries(10):
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

        for words in ("Account balance , 2 records", "by itself", "All accounts you chose", "req_of_a_platform"):
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

    def test_shows_no_more_reads_than_a_page_holds(self, browser: Client, sharing: Consent) -> None:
        for number in range(usage.LATEST + 3):
            read_by_platform(sharing, days_ago=number / 100, rows=number)

        page = Page(browser.get(f"/consents/{sharing.id}/"))

        assert page.says(f"Showing the latest {usage.LATEST} of {usage.LATEST + 3}")
        assert page.says(f"{usage.LATEST - 1} records")
        assert not page.says(f"{usage.LATEST} records")

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


class TestStop:
    def test_page_tells_what_happens_and_changes_nothing(
        self, browser: Client, sharing: Consent, traces: Callable[[], object]
    ) -> None:
        before = traces()

        page = Page(browser.get(f"/consents/{sharing.id}/stop/"))

        assert traces() == before
        assert page.says("can read nothing more through Sluice, from the moment you press the button")
        stop, keep = page.form("/stop/"), page.form(f"/consents/{sharing.id}/")
        assert (stop.method, stop.has_csrf_token) == ("post", True)
        assert stop.button.look == keep.button.look

    def test_is_done_when_the_answer_comes(self, browser: Client, alice: User, asked: Consent, chat: Member) -> None:
        cast.authorise(asked)
        code = cast.code_of(answers.granted(asked.id, alice.id, now=clock.now()))
        assert cast.exchange(chat, code, "a-verifier-of-at-least-forty-three-characters-0123456789").status_code == 200

        answer = browser.post(f"/consents/{asked.id}/stop/")

        assert (answer.status_code, answer["Location"]) == (303, f"/consents/{asked.id}/")
        assert status_of(asked) == ConsentStatus.REVOKED
        assert not AccessToken.objects.exists()
        assert not Grant.objects.exists()
        page = Page(browser.get(answer["Location"]))
        assert page.says("You stopped it")
        assert page.says("can no longer read anything")

    def test_is_recorded_as_the_users_own_act(self, browser: Client, alice: User, sharing: Consent) -> None:
        browser.post(f"/consents/{sharing.id}/stop/", headers={"X-Request-Id": "req_of_alice"})

        entry = AuditEntry.objects.get(action="consent.revoked")
        assert (entry.initiator, entry.actor_pseudonym) == (Initiator.USER, alice.pseudonym)
        assert (entry.reason_code, entry.request_id) == ("user_request", "req_of_alice")

    def test_twice_is_once(self, browser: Client, sharing: Consent) -> None:
        first, second = (browser.post(f"/consents/{sharing.id}/stop/") for _ in range(2))

        assert first["Location"] == second["Location"]
        assert AuditEntry.objects.filter(action="consent.revoked").count() == 1
        assert browser.get(f"/consents/{sharing.id}/stop/")["Location"] == first["Location"]

    def test_somebody_elses_goes_on(self, bob: User, sharing: Consent) -> None:
        answer = signed_in(bob).post(f"/consents/{sharing.id}/stop/")

        assert answer.status_code == 404
        assert status_of(sharing) == ConsentStatus.AUTHORISED

    def test_leaves_other_platforms_alone(
        self, browser: Client, alice: User, sharing: Consent, budget: Member, northbank: Institution
    ) -> None:
        other = cast.authorised_consent(
            alice,
            budget.platform,
            purposes=[Purpose.BUDGETING],
            accounts=cast.linked_accounts(alice, northbank, ("joint",)),
        )

        browser.post(f"/consents/{sharing.id}/stop/")

        assert status_of(other) == ConsentStatus.AUTHORISED


def test_unanswered_request_cannot_be_stopped_only_answered(browser: Client, asked: Consent) -> None:
    answer = browser.post(f"/consents/{asked.id}/stop/")

    assert answer.status_code == 303
    assert status_of(asked) == ConsentStatus.AWAITING_AUTHORISATION


def test_accounts_of_a_waiting_request_are_not_shared_yet(
    browser: Client, asked: Consent, northbank: Institution
) -> None:
    show_accounts(browser, asked, northbank, "everyday")

    assert not Page(browser.get(f"/consents/{asked.id}/")).says("Everyday")
