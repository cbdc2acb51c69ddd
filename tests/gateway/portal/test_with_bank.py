"""The whole flow over HTTP, the bank in its own process: on both databases, where the browser has only one."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from banks import directory
from banks.models import Account, Connection, LinkAttempt, SyncJob
from consents.models import BankPolicy, Consent, ConsentAccount
from consents.states import ConsentStatus, PolicyStatus
from gateway.identity.models import User
from tests.gateway.portal.conftest import VERIFIER, signed_in, status_of
from tests.gateway.portal.html import Page
from tests.journeys.bank import SLUG, add_bank
from tests.support import cast
from tests.support.bank_client import Browser, forms
from tests.support.cast import Member
from tests.support.sandbox_bank import SandboxBank


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxBank]:
    with SandboxBank(redirect_uri=f"{settings.ISSUER}/banks/{SLUG}/callback") as bank:
        yield bank


@pytest.fixture
def bank(db: None, running: SandboxBank) -> SandboxBank:
    add_bank(running)
    return running


def at_the_bank(bank: SandboxBank, address: str, decision: str) -> str:
    """Log in there and decide over every account; the way back, as a path of ours."""
    person = Browser(bank.issuer)
    consent = person.submit(person.get(address), {"username": "happy", "password": "sandbox"})
    accounts = [value for name, value, _ in forms(consent)[0].choices if name == "accounts"]
    back = person.submit(consent, {"accounts": accounts, "decision": decision})
    return str(back.headers["Location"]).removeprefix(settings.ISSUER)


def press(browser: Client, page: Any, ending: str, fields: dict[str, Any] | None = None) -> Any:
    """Send the form whose action ends so, from a page that is open."""
    form = Page(page).form(ending)
    return browser.post(form.action, form.hidden | (fields or {}), follow=False)


def test_from_the_question_to_the_code(browser: Client, asked: Consent, bank: SandboxBank, chat: Member) -> None:
    choice = browser.get(f"/connect/{asked.id}/bank/")
    what = browser.get(press(browser, choice, "/bank/", {"institution": SLUG})["Location"])
    how_long = browser.get(press(browser, what, "/scopes/")["Location"])
    announced = browser.get(press(browser, how_long, "/duration/", {"duration": "30"})["Location"])
    to_the_bank = press(browser, announced, f"/{SLUG}/")["Location"]
    back = browser.get(at_the_bank(bank, to_the_bank, "allow"))
    boxes = browser.get(back["Location"])
    ticked = Page(boxes).form("/accounts/").named("account")[0].value
    summary = browser.get(press(browser, boxes, "/accounts/", {"account": [ticked]})["Location"])
    receipt = browser.get(press(browser, summary, "/confirm/")["Location"])
    answer = press(browser, receipt, "/return/")

    assert status_of(asked) == ConsentStatus.AUTHORISED
    assert [str(one) for one in ConsentAccount.objects.values_list("account_id", flat=True)] == [ticked]
    assert Account.objects.for_sync().count() > 1
    assert cast.exchange(chat, cast.code_of(answer["Location"]), VERIFIER).status_code == 200


def test_way_back_is_good_once(browser: Client, asked: Consent, bank: SandboxBank) -> None:
    announced = browser.get(f"/connect/{asked.id}/bank/{SLUG}/")
    back = at_the_bank(bank, press(browser, announced, f"/{SLUG}/")["Location"], "allow")

    first, second = (browser.get(back) for _ in range(2))

    assert (first.status_code, second.status_code) == (303, 400)
    assert Connection.objects.count() == 1


def test_no_at_the_bank_links_nothing(browser: Client, asked: Consent, bank: SandboxBank) -> None:
    announced = browser.get(f"/connect/{asked.id}/bank/{SLUG}/")
    back = at_the_bank(bank, press(browser, announced, f"/{SLUG}/")["Location"], "refuse")

    answer = browser.get(back)

    assert Page(answer).says("You did not go on at the bank")
    assert not Connection.objects.exists()
    assert browser.get(f"/connect/{asked.id}/accounts/")["Location"] == f"/connect/{asked.id}/bank/"


def test_signing_in_anew_meanwhile_links_nothing(browser: Client, asked: Consent, bank: SandboxBank) -> None:
    announced = browser.get(f"/connect/{asked.id}/bank/{SLUG}/")
    back = at_the_bank(bank, press(browser, announced, f"/{SLUG}/")["Location"], "allow")
    browser.post("/sign-out/")
    browser.post("/sign-in/", {"login": "alice", "password": cast.PASSWORD})

    answer = browser.get(back)

    assert Page(answer).says("Nothing was linked")
    assert not Connection.objects.exists()


def without_a_policy(institution_id: Any) -> None:
    BankPolicy.objects.filter(institution_id=institution_id).delete()


def suspended_by_the_bank(institution_id: Any) -> None:
    BankPolicy.objects.filter(institution_id=institution_id).update(status=PolicyStatus.SUSPEND)


def for_the_stronger_profile_only(institution_id: Any) -> None:
    BankPolicy.objects.filter(institution_id=institution_id).update(requires_fapi2=True)


@pytest.mark.parametrize("policy", [without_a_policy, suspended_by_the_bank, for_the_stronger_profile_only])
def test_nobody_is_sent_to_a_bank_that_does_not_accept_the_platform(
    browser: Client, asked: Consent, bank: SandboxBank, policy: Any
) -> None:
    policy(directory.institution(SLUG).id)
    bank.control("DELETE", "/control/requests")
    announced = browser.get(f"/connect/{asked.id}/bank/{SLUG}/")

    answer = press(browser, announced, f"/{SLUG}/")

    assert answer.status_code == 403
    assert Page(answer).says("does not accept")
    assert status_of(asked) == ConsentStatus.AWAITING_AUTHORISATION
    assert not LinkAttempt.objects.exists()
    assert bank.control("GET", "/control/requests")["requests"] == []


# -- renewing, without any platform ------------------------------------------------------------------------------------


@pytest.fixture
def waiting(browser: Client, asked: Consent, bank: SandboxBank) -> Connection:
    """Allowed by the whole flow; now the bank wants Alice to sign in again."""
    announced = browser.get(f"/connect/{asked.id}/bank/{SLUG}/")
    back = browser.get(at_the_bank(bank, press(browser, announced, f"/{SLUG}/")["Location"], "allow"))
    boxes = browser.get(back["Location"])
    ticked = Page(boxes).form("/accounts/").named("account")[0].value
    summary = browser.get(press(browser, boxes, "/accounts/", {"account": [ticked]})["Location"])
    press(browser, summary, "/confirm/")
    Connection.objects.update(status="REAUTH_REQUIRED")
    return Connection.objects.get()


def renewing(browser: Client, link: Connection) -> str:
    """To the bank's own address, by the page's own form."""
    return str(press(browser, browser.get(f"/links/{link.id}/renew/"), "/renew/")["Location"])


def test_a_link_is_renewed_at_the_bank_and_the_browser_is_told(
    browser: Client, waiting: Connection, bank: SandboxBank
) -> None:
    shared = list(ConsentAccount.objects.values_list("account_id", flat=True))
    assert Page(browser.get("/")).says("your bank link needs you")

    answer = browser.get(at_the_bank(bank, renewing(browser, waiting), "allow"), REMOTE_ADDR="203.0.113.7")

    assert (answer.status_code, answer["Location"]) == (303, "/links/")
    page = Page(browser.get("/links/"))
    assert page.says("First Sandbox Bank is renewed") and page.says("Working")
    assert not Page(browser.get("/")).says("your bank link needs you")
    assert Connection.objects.get().bank_consent_id != waiting.bank_consent_id
    assert list(ConsentAccount.objects.values_list("account_id", flat=True)) == shared
    job = SyncJob.objects.latest("created_at")
    assert (job.trigger, job.customer_ip_address) == ("USER_PRESENT", "203.0.113.7")


def test_a_no_at_the_bank_is_told_and_changes_nothing(browser: Client, waiting: Connection, bank: SandboxBank) -> None:
    before = Connection.objects.values().get()

    answer = browser.get(at_the_bank(bank, renewing(browser, waiting), "refuse"))

    page = Page(answer)
    assert answer.status_code == 200
    assert page.says("was not renewed") and page.says("Nothing has changed")
    assert page.form("/renew/").button.look == page.form("/links/").button.look
    assert Connection.objects.values().get() == before


def test_a_renewal_in_another_browser_of_the_same_person_renews_nothing(
    browser: Client, alice: User, waiting: Connection, bank: SandboxBank
) -> None:
    back = at_the_bank(bank, renewing(browser, waiting), "allow")
    before = Connection.objects.values().get()

    answer = signed_in(alice).get(back)

    assert answer.status_code == 400 and Page(answer).says("Nothing was linked")
    assert Connection.objects.values().get() == before
