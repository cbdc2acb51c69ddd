"""Stopping: one consent, and everything."""

from collections.abc import Callable

import pytest
from django.test import Client

from banks.models import Institution
from consents import clock
from consents.models import AccessToken, AuditEntry, Consent, Grant, Revocation
from consents.scopes import Purpose
from consents.states import ConsentStatus, Initiator
from gateway.identity.models import User
from gateway.oauth import answers
from tests.gateway.portal.conftest import signed_in, status_of
from tests.gateway.portal.html import Page
from tests.support import cast
from tests.support.cast import Member


class TestStop:
    def test_page_tells_what_happens_and_changes_nothing(
        self, browser: Client, sharing: Consent, traces: Callable[[], object]
    ) -> None:
        before = traces()

        page = Page(browser.get(f"/consents/{sharing.id}/stop/"))

        assert traces() == before
        assert page.says("can read nothing more through Sluice, from the moment you press the button")
        stop = page.form("/stop/")
        (keep,) = (link for link in page.links if link.words == "Keep sharing")
        assert (stop.method, stop.has_csrf_token) == ("post", True)
        assert stop.button.attributes["class"] == keep.attributes["class"] == "action"
        assert [(one.value, one.is_ticked) for one in stop.named("deletion")] == [("later", True), ("now", False)]

    @pytest.mark.parametrize(("sent", "at_once"), [("now", True), ("later", False), ("", False), ("nonsense", False)])
    def test_choice_of_deletion_is_kept(self, browser: Client, sharing: Consent, sent: str, at_once: bool) -> None:
        browser.post(f"/consents/{sharing.id}/stop/", {"deletion": sent})

        assert Revocation.objects.get(consent=sharing).deletes_at_once == at_once
        told = Page(browser.get(f"/consents/{sharing.id}/"))
        assert told.says("Our copy was deleted Not yet. In a few minutes") == at_once

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


class TestEverything:
    def test_page_says_what_ends_and_that_there_is_no_way_back(
        self, browser: Client, sharing: Consent, asked: Consent, traces: Callable[[], object]
    ) -> None:
        before = traces()

        page = Page(browser.get("/stop-everything/"))

        assert traces() == before
        assert page.says("chat , from Northbank: Account overview")
        assert page.says("These requests are refused")
        assert page.says("You cannot undo this")

    def test_ends_all_at_once_and_says_so(
        self, browser: Client, alice: User, budget: Member, sharing: Consent, asked: Consent
    ) -> None:
        other = cast.authorised_consent(alice, budget.platform, purposes=[Purpose.BUDGETING])

        answer = browser.post("/stop-everything/", {"deletion": "now"})

        assert (answer.status_code, answer["Location"]) == (303, "/")
        assert {status_of(sharing), status_of(other)} == {ConsentStatus.REVOKED}
        assert status_of(asked) == ConsentStatus.REJECTED
        assert list(Revocation.objects.values_list("deletes_at_once", flat=True)) == [True, True]
        assert Page(browser.get("/")).says("Everything is stopped. All 2 apps you shared with")

    def test_twice_is_once_and_says_it_once(self, browser: Client, sharing: Consent) -> None:
        for _ in range(2):
            browser.post("/stop-everything/")

        assert Revocation.objects.count() == 1
        assert Page(browser.get("/")).says("Everything is stopped. The one app")
        assert browser.get("/stop-everything/")["Location"] == "/"

    def test_leaves_others_alone(self, bob: User, sharing: Consent) -> None:
        signed_in(bob).post("/stop-everything/")

        assert status_of(sharing) == ConsentStatus.AUTHORISED
