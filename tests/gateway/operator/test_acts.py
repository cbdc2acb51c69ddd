"""What an operator may do: each act with a reason, by its own audit entry; stopping takes one, giving back two."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from consents import audit, lifecycle, reports
from consents.models import AccessToken, AuditEntry, Consent, OperatorProposal, Platform
from consents.states import ReportCode
from gateway.identity.models import User
from tests.consents import given
from tests.support import cast, factors, ledger
from tests.support.ledger import BY_USER, NOW

pytestmark = pytest.mark.django_db

STOP, ALLOW = "SUSPECTED_FRAUD", "CAUSE_RESOLVED"
TABLES = {
    Platform: "consents_platform",
    Consent: "consents_consent",
    OperatorProposal: "consents_operatorproposal",
    User: "identity_user",
}


def address(table: str) -> str:
    return reverse(f"operator:{table}_changelist")


def act(browser: Client, action: str, *rows: Any, reason: str = "") -> str:
    """Tick the rows, choose the act, follow where it leads; what the page says then."""
    where = address(TABLES.get(type(rows[0]), f"consents_{type(rows[0])._meta.model_name}"))
    fields = {"action": action, "reason": reason, "_selected_action": [str(row.pk) for row in rows]}
    answer = browser.post(where, fields)
    assert answer.status_code == 303, answer.content[:300]
    told = browser.get(answer["Location"]).content.decode()
    for row in rows:
        row.refresh_from_db()
    return told


@pytest.fixture
def chat(db: None) -> Platform:
    return ledger.platform()


@pytest.fixture
def consent(chat: Platform) -> Consent:
    row = given.authorised(platform=chat)
    Consent.objects.update(expires_at=NOW + timedelta(days=3650))  # the pages live in the present
    row.refresh_from_db()
    return row


# -- platforms ---------------------------------------------------------------------------------------------------------


def test_one_operator_suspends_a_platform_and_the_trail_names_them(browser: Client, ola: User, chat: Platform) -> None:
    told = act(browser, "suspend", chat, reason=STOP)

    assert (chat.status, chat.status_reason) == ("SUSPENDED", STOP)
    assert "Suspended: 1." in told
    entry = AuditEntry.objects.get(action="platform.suspended")
    assert (entry.initiator, entry.actor_pseudonym, entry.reason_code) == ("OPERATOR", ola.pseudonym, STOP)
    assert entry.request_id


@pytest.mark.parametrize(
    ("reason", "answer"),
    [("", "Choose one of these"), (ALLOW, "Choose one of these"), ("because", "No action selected")],
)
def test_nothing_is_stopped_without_a_reason_to_stop(browser: Client, chat: Platform, reason: str, answer: str) -> None:
    told = act(browser, "suspend", chat, reason=reason)

    assert chat.status == "ACTIVE"
    assert answer in told


def test_t15_giving_back_takes_a_second_operator(browser: Client, second: Client, chat: Platform) -> None:
    act(browser, "suspend", chat, reason=STOP)
    act(browser, "ask_to_allow", chat, reason=ALLOW)
    proposal = OperatorProposal.objects.get()

    assert "refused (TwoPeopleNeeded)" in act(browser, "approve", proposal)
    chat.refresh_from_db()
    assert (chat.status, proposal.status) == ("SUSPENDED", "WAITING")

    act(second, "approve", proposal)

    chat.refresh_from_db()
    assert (chat.status, proposal.status) == ("ACTIVE", "SIGNED")


def test_t15_who_no_longer_operates_is_not_one_of_two(
    browser: Client, ola: User, second: Client, chat: Platform
) -> None:
    act(browser, "ask_to_withdraw", chat, reason=STOP)
    proposal = OperatorProposal.objects.get()
    User.objects.filter(id=ola.id).update(is_staff=False)

    assert "refused (TwoPeopleNeeded)" in act(second, "approve", proposal)

    chat.refresh_from_db()
    assert (chat.status, proposal.status) == ("ACTIVE", "WAITING")
    act(second, "refuse", proposal)
    assert proposal.status == "REFUSED"


def test_t15_and_so_does_the_end_for_good(browser: Client, second: Client, consent: Consent) -> None:
    ledger.tokens(consent)
    act(browser, "ask_to_withdraw", consent.platform, reason=STOP)
    assert AccessToken.objects.exists()

    act(second, "approve", OperatorProposal.objects.get())

    assert Platform.objects.get().status == "REVOKED"
    assert not AccessToken.objects.exists()


def test_a_proposal_that_is_refused_does_nothing(browser: Client, second: Client, chat: Platform) -> None:
    act(browser, "ask_to_withdraw", chat, reason=STOP)

    act(second, "refuse", OperatorProposal.objects.get())

    assert (Platform.objects.get().status, OperatorProposal.objects.get().status) == ("ACTIVE", "REFUSED")


def test_a_platform_attests_again(browser: Client, chat: Platform) -> None:
    Platform.objects.update(status="SUSPENDED", status_reason="attestation_overdue")

    act(browser, "attest", chat)

    assert chat.status == "ACTIVE"
    assert chat.attested_at is not None and chat.attested_at > NOW


# -- consents ----------------------------------------------------------------------------------------------------------


def test_a_consent_is_suspended_by_one_and_lifted_by_two(browser: Client, second: Client, consent: Consent) -> None:
    act(browser, "suspend", consent, reason=STOP)
    assert (consent.status, consent.status_initiator) == ("SUSPENDED", "OPERATOR")

    act(browser, "ask_to_lift", consent, reason=ALLOW)
    act(second, "approve", OperatorProposal.objects.get())

    consent.refresh_from_db()
    assert consent.status == "AUTHORISED"


def test_a_consent_is_revoked_for_good(browser: Client, consent: Consent) -> None:
    ledger.tokens(consent)

    act(browser, "revoke", consent, reason=STOP)

    assert (consent.status, consent.status_reason, consent.status_initiator) == ("REVOKED", STOP, "OPERATOR")
    assert not AccessToken.objects.exists()
    assert f"{consent.id}: refused (TransitionRefused)" in act(browser, "revoke", consent, reason=STOP)


def test_what_is_refused_does_not_stop_the_others(browser: Client, consent: Consent) -> None:
    over = given.authorised(ledger.user("bob"), consent.platform)
    lifecycle.revoke(consent_id=over.id, reason="x", actor=BY_USER, now=NOW)

    told = act(browser, "suspend", over, consent, reason=STOP)

    assert consent.status == "SUSPENDED"
    assert "Suspended: 1." in told and f"{over.id}: refused" in told


def test_a_hand_reaches_what_was_ticked_and_not_all_that_the_filter_finds(browser: Client, consent: Consent) -> None:
    other = given.authorised(ledger.user("bob"), consent.platform)
    browser.post(
        address("consents_consent"),
        {"action": "suspend", "reason": STOP, "select_across": "1", "_selected_action": [str(consent.id)]},
    )

    other.refresh_from_db()
    assert other.status == "AUTHORISED"


# -- reports, people, the trail ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "outcome", "status"), [("unfounded", "UNFOUNDED", "AUTHORISED"), ("upheld", "UPHELD", "REVOKED")]
)
def test_a_report_is_closed_with_its_outcome(
    browser: Client, consent: Consent, action: str, outcome: str, status: str
) -> None:
    report = reports.report(
        consent_id=consent.id, user_id=consent.user_id, code=ReportCode.NOT_ASKED_FOR, actor=BY_USER, now=NOW
    )

    act(browser, action, report)

    consent.refresh_from_db()
    assert (report.outcome, consent.status) == (outcome, status)


def test_a_person_is_deactivated_and_everything_they_share_ends(browser: Client, consent: Consent) -> None:
    ledger.tokens(consent)

    act(browser, "deactivate", consent.user, reason=STOP)

    consent.refresh_from_db()
    assert (consent.user.is_active, consent.status) == (False, "REVOKED")
    assert not AccessToken.objects.exists()
    assert User.objects.filter(id=consent.user_id).exists()


def test_the_chain_is_verified_and_a_forged_entry_found(browser: Client, consent: Consent) -> None:
    audit.seal()
    verify = reverse("operator:consents_auditentry_verify")
    answer = browser.post(verify)
    assert answer.status_code == 303
    sealed = AuditEntry.objects.exclude(sequence=None).count()
    assert f"The chain holds: {sealed} sealed entries." in browser.get(answer["Location"]).content.decode()

    AuditEntry.objects.filter(sequence=2).update(reason_code="forged")

    told = browser.get(browser.post(verify)["Location"]).content.decode()
    assert "The chain is broken at entry 2." in told


# -- who gets in -------------------------------------------------------------------------------------------------------


def test_t15_without_a_proved_second_factor_nobody_sees_anything(ola: User, chat: Platform) -> None:
    by_password = factors.browser_of(ola)

    assert by_password.get(reverse("operator:index")).status_code == 403  # told to set one up
    factors.set_up_codes(ola)
    assert by_password.get(reverse("operator:index")).status_code == 303  # sent to prove it


def test_t15_a_stale_proof_still_reads_and_changes_nothing(browser: Client, chat: Platform) -> None:
    factors.age(browser, timedelta(minutes=16))
    where = address("consents_platform")
    assert browser.get(where).status_code == 200

    answer = browser.post(where, {"action": "suspend", "reason": STOP, "_selected_action": [str(chat.id)]})

    assert answer.status_code == 303 and answer["Location"].startswith("/security/confirm/")
    chat.refresh_from_db()
    assert chat.status == "ACTIVE"


@pytest.mark.parametrize("flags", [{}, {"is_staff": True}, {"is_superuser": True}])
def test_t15_whoever_is_no_operator_finds_nothing(chat: Platform, flags: dict[str, bool]) -> None:
    person = cast.person("mallory")
    User.objects.filter(id=person.id).update(**flags)
    browser = factors.proved(person)

    for where in (reverse("operator:index"), address("consents_platform")):
        assert browser.get(where).status_code == 404
    assert browser.post(address("consents_platform"), {"action": "suspend"}).status_code == 404


def test_a_visitor_signs_in_first(client: Client) -> None:
    answer = client.get(address("consents_consent"))

    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/?next=/operator/")


def test_a_form_from_elsewhere_is_refused(ola: User, chat: Platform) -> None:
    browser = factors.proved(ola)
    browser.handler.enforce_csrf_checks = True

    answer = browser.post(address("consents_platform"), {"action": "suspend", "reason": STOP})

    assert answer.status_code == 403


def test_an_id_that_is_none_finds_nothing(browser: Client) -> None:
    where = address("consents_platform")

    assert browser.get(f"{where}not-an-id/change/").status_code == 404
    assert browser.get(f"{where}{uuid4()}/change/").status_code == 404
    assert browser.get(f"{where}?q=%00").status_code in (200, 400)
    assert browser.get(f"{where}?e=1").status_code == 200
