"""The page of one's bank links: what each is called, until when it lasts, and where "Renew" leads."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from banks import renewal
from banks.errors import (
    BankError,
    BankMisconfigured,
    BankRateLimited,
    BankRefused,
    BankUnavailable,
    NotRenewable,
    OtherLogin,
)
from banks.models import Connection, Institution
from consents import clock
from consents.models import Consent, ConsentAccount
from consents.states import ConnectionStatus
from gateway import words
from gateway.identity.models import User
from tests.gateway.portal.conftest import signed_in
from tests.gateway.portal.html import Page
from tests.support import cast
from tests.support.cast import Member

DAY = timedelta(days=1)


@pytest.fixture
def link(alice: User, chat: Member, northbank: Institution) -> Connection:
    """Alice shares two accounts of Northbank for 90 days."""
    accounts = cast.linked_accounts(alice, northbank)
    cast.authorised_consent(alice, chat.platform, accounts=accounts)
    return Connection.objects.get()


def became(link: Connection, **columns: Any) -> None:
    Connection.objects.filter(id=link.id).update(**columns)


def test_a_link_that_works_says_so_and_offers_nothing_to_do(browser: Client, link: Connection) -> None:
    ends_at = clock.now() + 60 * DAY
    became(link, consent_expires_at=ends_at, last_succeeded_at=clock.now())

    page = Page(browser.get("/links/"))

    assert page.says("Northbank") and page.says("Working")
    assert page.says(f"{ends_at.day} {ends_at:%B %Y}")
    assert not any("/renew/" in one.attributes["href"] for one in page.links)


@pytest.mark.parametrize("status", ["REAUTH_REQUIRED", "REVOKED"])
def test_a_link_that_waits_for_its_owner_says_so_on_both_pages(browser: Client, link: Connection, status: str) -> None:
    became(link, status=status)

    page, consents = Page(browser.get("/links/")), Page(browser.get("/"))

    assert page.says(words.CONNECTION_WORDS[ConnectionStatus(status)].label)
    assert [one.attributes["href"] for one in page.links if "/renew/" in one.attributes["href"]] == [
        f"/links/{link.id}/renew/"
    ]
    assert consents.says("Northbank: your bank link needs you")


def test_no_nightly_job_is_needed_for_an_end_to_show(browser: Client, link: Connection) -> None:
    became(link, consent_expires_at=clock.now())

    page = Page(browser.get("/links/"))

    assert page.says(words.CONNECTION_WORDS[ConnectionStatus.EXPIRED].label) and page.says("Renew it")


def test_a_link_that_no_app_uses_says_when_what_was_read_is_deleted(browser: Client, link: Connection) -> None:
    ended_at = clock.now()
    became(link, status="REVOKED", unneeded_at=ended_at)
    deleted = ended_at + DAY

    page = Page(browser.get("/links/"))

    assert page.says("No app uses it any more") and page.says(f"{deleted.day} {deleted:%B %Y, %H:%M} UTC")
    assert not Page(browser.get("/")).says("needs you")


def test_nothing_linked_is_an_answer_too(charlie: User) -> None:
    assert Page(signed_in(charlie).get("/links/")).says("No bank is linked")


def test_a_closed_link_and_another_persons_are_not_on_the_page(
    browser: Client, bob: User, northbank: Institution, link: Connection
) -> None:
    cast.connection(bob, northbank)
    became(link, status="CLOSED")

    assert Page(browser.get("/links/")).says("No bank is linked")


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_foreign_link_and_one_that_never_was_are_one_answer(bob: User, link: Connection, method: str) -> None:
    became(link, status="REAUTH_REQUIRED")
    browser = signed_in(bob)

    foreign = getattr(browser, method)(f"/links/{link.id}/renew/")
    absent = getattr(browser, method)(f"/links/{cast.stranger()}/renew/")

    assert foreign.status_code == absent.status_code == 404
    assert Page(foreign).words == Page(absent).words


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_link_that_needs_nothing_leads_back(browser: Client, link: Connection, method: str) -> None:
    answer = getattr(browser, method)(f"/links/{link.id}/renew/")

    assert (answer.status_code, answer["Location"]) == (303, "/links/")


def test_the_way_to_the_bank_names_its_address_and_lets_the_form_go_there(browser: Client, link: Connection) -> None:
    became(link, status="REAUTH_REQUIRED")

    answer = browser.get(f"/links/{link.id}/renew/")

    assert Page(answer).says("northbank.example")
    assert "form-action 'self' northbank.example" in answer["Content-Security-Policy"]


def test_what_ended_between_page_and_button_leads_back(
    browser: Client, link: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    became(link, status="REAUTH_REQUIRED")
    monkeypatch.setattr(renewal, "start_renewal", raising(NotRenewable()))

    assert browser.post(f"/links/{link.id}/renew/")["Location"] == "/links/"


def raising(error: Exception) -> Any:
    def fail(**_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("cause", "status", "told"),
    [
        (BankRefused("access_denied"), 200, "You said no at your bank"),
        (OtherLogin(), 200, "shows other accounts than the ones you share"),
        (BankUnavailable("HTTP 503"), 502, "Your bank does not answer"),
        (BankRateLimited(), 502, "Your bank asked us to wait"),
        (BankMisconfigured("invalid_client"), 502, "We could not use what your bank sent us"),
    ],
)
def test_what_went_wrong_is_told_in_our_words_with_what_to_do(
    browser: Client, link: Connection, monkeypatch: pytest.MonkeyPatch, cause: BankError, status: int, told: str
) -> None:
    became(link, status="REAUTH_REQUIRED")
    monkeypatch.setattr(renewal, "start_renewal", raising(cause))

    answer = browser.post(f"/links/{link.id}/renew/", headers={"X-Request-Id": "req_of_alice"})

    page = Page(answer)
    assert answer.status_code == status
    assert page.says(told) and page.says("Nothing has changed") and page.says("req_of_alice")
    assert page.form("/renew/").button.words == "Try again"
    for raw in ("access_denied", "503", "invalid_client"):
        assert raw not in page.words


def test_a_bank_that_does_not_answer_is_told_by_the_page_itself(browser: Client, link: Connection) -> None:
    became(link, status="REAUTH_REQUIRED")

    assert browser.post(f"/links/{link.id}/renew/").status_code == 502


def test_a_renewal_asks_for_the_token_of_the_form(alice: User, link: Connection) -> None:
    became(link, status="REAUTH_REQUIRED")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")

    assert strict.post(f"/links/{link.id}/renew/").status_code == 403


def test_every_status_has_words_and_a_drawing() -> None:
    assert set(words.CONNECTION_WORDS) == set(ConnectionStatus)
    assert {one.icon for one in words.CONNECTION_WORDS.values()} <= {"sharing", "paused", "waiting", "stopped", "ended"}


def test_stopping_the_last_sharing_leaves_nothing_to_renew(browser: Client, link: Connection) -> None:
    became(link, status="REAUTH_REQUIRED")

    browser.post(f"/consents/{Consent.objects.get().id}/stop/")

    assert not Page(browser.get("/")).says("needs you")
    assert browser.get(f"/links/{link.id}/renew/")["Location"] == "/links/"


class TestDisconnect:
    @pytest.fixture
    def shared(self, alice: User, chat: Member, northbank: Institution) -> tuple[Consent, str]:
        """Alice shares an account at Northbank; the address of the page."""
        consent = cast.authorised_consent(alice, chat.platform, accounts=cast.linked_accounts(alice, northbank))
        link = ConsentAccount.objects.filter(consent=consent).values_list("connection_id", flat=True)[0]
        return consent, f"/links/{link}/disconnect/"

    def test_says_what_it_means_for_each_app_and_changes_nothing(
        self, browser: Client, shared: tuple[Consent, str], traces: Callable[[], object]
    ) -> None:
        before = traces()

        page = Page(browser.get(shared[1]))

        assert traces() == before
        assert page.says("chat can read nothing more: it has no other bank, so sharing with it ends.")
        assert page.form("/disconnect/").has_csrf_token
        assert shared[1] in Page(browser.get("/links/")).links_to("/links/")

    def test_ends_the_link_and_what_hung_on_it(self, browser: Client, shared: tuple[Consent, str]) -> None:
        consent, address = shared

        for _ in range(2):
            answer = browser.post(address, {"deletion": "later"})
            assert (answer.status_code, answer["Location"]) == (303, "/links/")

        consent.refresh_from_db()
        assert (consent.status, consent.status_reason) == ("REVOKED", "bank_disconnected")
        page = Page(browser.get("/links/"))
        assert page.words.count("Northbank is disconnected. Nothing is read from there any more.") == 1
        assert page.says("No app uses it any more")
        assert not page.links_to(address)
        assert browser.get(address)["Location"] == "/links/"
        assert Page(browser.get(f"/consents/{consent.id}/")).says("and nothing was left to share")

    def test_somebody_elses_is_not_there(self, bob: User, shared: tuple[Consent, str]) -> None:
        consent, address = shared
        theirs = signed_in(bob)

        assert theirs.get(address).status_code == theirs.post(address).status_code == 404

        consent.refresh_from_db()
        assert consent.status == "AUTHORISED"
