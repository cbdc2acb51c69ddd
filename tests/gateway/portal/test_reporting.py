"""'This looks wrong': on hold at once, kept, and taken back."""

from collections.abc import Callable

import pytest
from django.test import Client

from consents import clock, lifecycle
from consents.models import Consent, Report
from consents.states import ConsentStatus, ReportCode
from gateway.identity.models import User
from tests.gateway.portal.conftest import read_by_platform, signed_in, status_of
from tests.gateway.portal.html import Page
from tests.support import cast


def test_page_changes_nothing_and_ticks_nothing(
    browser: Client, sharing: Consent, traces: Callable[[], object]
) -> None:
    before = traces()

    page = Page(browser.get(f"/consents/{sharing.id}/report/"))

    assert traces() == before
    boxes = page.form("/report/").named("code")
    assert [box.value for box in boxes] == list(ReportCode)
    assert not any(box.is_ticked for box in boxes)


def test_t24_report_puts_on_hold_at_once_and_is_kept(browser: Client, alice: User, sharing: Consent) -> None:
    read_by_platform(sharing, request_id="req_that_looks_wrong")

    answer = browser.post(f"/consents/{sharing.id}/report/", {"code": "TOO_OFTEN", "read": "req_that_looks_wrong"})

    assert (answer.status_code, answer["Location"]) == (303, f"/consents/{sharing.id}/")
    assert status_of(sharing) == ConsentStatus.SUSPENDED
    kept = Report.objects.get()
    assert (kept.consent_id, kept.user_id) == (sharing.id, alice.id)
    assert (kept.code, kept.request_id, kept.closed_at) == ("TOO_OFTEN", "req_that_looks_wrong", None)
    page = Page(browser.get(answer["Location"]))
    assert page.says("You said that something looks wrong. Nothing is read while it is on hold.")
    assert page.form("/report/withdraw/").has_csrf_token


def test_each_read_leads_to_it(browser: Client, sharing: Consent) -> None:
    read_by_platform(sharing, request_id="req_one")

    (address,) = Page(browser.get("/reads/")).links_to(f"/consents/{sharing.id}/report/")

    assert address.endswith("?read=req_one")
    assert Page(browser.get(address)).form("/report/").hidden == {"read": "req_one"}


@pytest.mark.parametrize("code", ["", "WHATEVER"])
def test_without_a_choice_nothing_happens(browser: Client, sharing: Consent, code: str) -> None:
    answer = browser.post(f"/consents/{sharing.id}/report/", {"code": code})

    assert answer.status_code == 422
    assert Page(answer).says("Choose what looks wrong")
    assert status_of(sharing) == ConsentStatus.AUTHORISED
    assert not Report.objects.exists()


@pytest.mark.parametrize("read", ["req_of_nobody", "req_\x00"])
def test_a_read_that_never_was_is_not_there(browser: Client, sharing: Consent, read: str) -> None:
    assert browser.get(f"/consents/{sharing.id}/report/", {"read": read}).status_code == 404
    assert browser.post(f"/consents/{sharing.id}/report/", {"code": "NOT_ME", "read": read}).status_code == 404


def test_taken_back_it_goes_on_as_before(browser: Client, sharing: Consent) -> None:
    browser.post(f"/consents/{sharing.id}/report/", {"code": "NOT_ME"})

    for _ in range(2):
        assert browser.post(f"/consents/{sharing.id}/report/withdraw/").status_code == 303

    assert status_of(sharing) == ConsentStatus.AUTHORISED
    assert Report.objects.get().outcome == "WITHDRAWN"
    assert Page(browser.get(f"/consents/{sharing.id}/")).says("You took your report back")


def test_hold_of_others_is_not_lifted_by_taking_back(browser: Client, sharing: Consent) -> None:
    lifecycle.suspend(consent_id=sharing.id, reason="test", actor=cast.BY_OPERATOR, now=clock.now())
    browser.post(f"/consents/{sharing.id}/report/", {"code": "NOT_ME"})

    browser.post(f"/consents/{sharing.id}/report/withdraw/")

    assert status_of(sharing) == ConsentStatus.SUSPENDED


def test_what_has_ended_can_still_be_reported(browser: Client, sharing: Consent) -> None:
    cast.revoke(sharing)

    browser.post(f"/consents/{sharing.id}/report/", {"code": "TOO_MUCH"})

    assert status_of(sharing) == ConsentStatus.REVOKED
    assert Report.objects.get().code == "TOO_MUCH"


def test_somebody_elses_read_is_not_there(bob: User, sharing: Consent) -> None:
    read_by_platform(sharing, request_id="req_of_alice")

    answer = signed_in(bob).post(f"/consents/{sharing.id}/report/", {"code": "NOT_ME", "read": "req_of_alice"})

    assert answer.status_code == 404
    assert not Report.objects.exists()
