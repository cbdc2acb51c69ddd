"""A person says that something looks wrong: on hold in the same transaction, taken back, or closed by the operator."""

from datetime import timedelta
from uuid import uuid4

import pytest

from consents import lifecycle, reports
from consents.errors import ConsentNotFound, ReportNotFound, TransitionRefused
from consents.models import AuditEntry, Consent, Event, Report
from consents.states import ReportCode, ReportOutcome
from gateway.identity.models import User
from tests.support import cast

pytestmark = pytest.mark.django_db

NOW = cast.NOW
MINUTE = timedelta(minutes=1)


@pytest.fixture
def alice(db: None) -> User:
    return cast.alice()


@pytest.fixture
def consent(alice: User) -> Consent:
    return cast.authorised_consent(alice, cast.chat().platform, now=NOW)


def reported(consent: Consent, code: ReportCode = ReportCode.NOT_ME, *, request_id: str = "") -> Report:
    return reports.report(
        consent_id=consent.id,
        user_id=consent.user_id,
        code=code,
        actor=cast.BY_USER,
        now=NOW + MINUTE,
        request_id=request_id,
    )


def withdrawn(consent: Consent) -> Consent:
    return reports.withdraw(consent_id=consent.id, user_id=consent.user_id, actor=cast.BY_USER, now=NOW + 2 * MINUTE)


def closed(report: Report, outcome: ReportOutcome) -> Report:
    return reports.close(report_id=report.id, outcome=outcome, actor=cast.BY_OPERATOR, now=NOW + 2 * MINUTE)


def status_of(consent: Consent) -> str:
    consent.refresh_from_db()
    return consent.status


def test_t24_a_report_stops_the_reading_it_is_about(consent: Consent) -> None:
    kept = reported(consent, request_id="req_meant")

    assert status_of(consent) == "SUSPENDED"
    assert (consent.status_reason, consent.status_before) == (reports.REPORTED, "AUTHORISED")
    assert (kept.request_id, kept.code, kept.closed_at) == ("req_meant", "NOT_ME", None)
    assert Event.objects.filter(type="consent.suspended", consent_id=consent.id).count() == 1
    assert AuditEntry.objects.get(action="report.opened").reason_code == "NOT_ME"


def test_the_same_report_twice_is_one(consent: Consent) -> None:
    assert reported(consent).id == reported(consent).id


def test_another_report_of_what_is_on_hold_is_kept_beside_it(consent: Consent) -> None:
    reported(consent)
    reported(consent, ReportCode.TOO_OFTEN, request_id="req_other")

    assert {one.code for one in reports.open_reports(consent.id)} == {"NOT_ME", "TOO_OFTEN"}
    assert AuditEntry.objects.filter(action="consent.suspended").count() == 1


def test_taken_back_a_pause_is_a_pause_again(alice: User, consent: Consent) -> None:
    lifecycle.pause(consent_id=consent.id, user_id=alice.id, actor=cast.BY_USER, now=NOW)
    reported(consent)

    withdrawn(consent)

    assert status_of(consent) == "PAUSED"
    assert Report.objects.get().outcome == "WITHDRAWN"


def test_what_was_not_reported_cannot_be_taken_back(consent: Consent) -> None:
    with pytest.raises(ReportNotFound):
        withdrawn(consent)


def test_a_hold_of_the_operator_outlives_the_report(consent: Consent) -> None:
    lifecycle.suspend(consent_id=consent.id, reason="test", actor=cast.BY_OPERATOR, now=NOW)
    reported(consent)

    withdrawn(consent)

    assert status_of(consent) == "SUSPENDED"
    assert consent.status_reason == "test"


@pytest.mark.parametrize(("outcome", "status"), [("UNFOUNDED", "AUTHORISED"), ("UPHELD", "REVOKED")])
def test_the_operator_closes_it_either_way(consent: Consent, outcome: str, status: str) -> None:
    kept = closed(reported(consent), ReportOutcome(outcome))

    assert status_of(consent) == status
    assert (kept.outcome, kept.closed_at) == (outcome, NOW + 2 * MINUTE)
    with pytest.raises(ReportNotFound):
        closed(kept, ReportOutcome(outcome))


def test_it_goes_on_only_with_the_last_report_closed(consent: Consent) -> None:
    first, second = reported(consent), reported(consent, ReportCode.TOO_MUCH)

    closed(first, ReportOutcome.UNFOUNDED)
    assert status_of(consent) == "SUSPENDED"

    closed(second, ReportOutcome.UNFOUNDED)
    assert status_of(consent) == "AUTHORISED"


def test_only_the_person_takes_it_back(consent: Consent) -> None:
    kept = reported(consent)

    with pytest.raises(ValueError, match="only the person"):
        closed(kept, ReportOutcome.WITHDRAWN)


def test_what_has_ended_is_reported_and_stays_ended(consent: Consent) -> None:
    cast.revoke(consent, now=NOW)
    kept = reported(consent, ReportCode.TOO_MUCH)

    closed(kept, ReportOutcome.UPHELD)

    assert status_of(consent) == "REVOKED"


def test_what_ran_out_is_not_brought_back(consent: Consent) -> None:
    reported(consent)
    Consent.objects.update(expires_at=NOW)

    withdrawn(consent)

    assert status_of(consent) == "SUSPENDED"


def test_what_was_never_granted_cannot_be_reported(alice: User) -> None:
    question = cast.requested_consent(alice, cast.chat().platform, now=NOW)

    with pytest.raises(TransitionRefused):
        reported(question)


def test_somebody_elses_is_not_there(consent: Consent) -> None:
    for act in (
        lambda: reports.report(
            consent_id=consent.id, user_id=uuid4(), code=ReportCode.NOT_ME, actor=cast.BY_USER, now=NOW
        ),
        lambda: reports.withdraw(consent_id=consent.id, user_id=uuid4(), actor=cast.BY_USER, now=NOW),
    ):
        with pytest.raises(ConsentNotFound):
            act()
    with pytest.raises(ReportNotFound):
        reports.close(report_id=uuid4(), outcome=ReportOutcome.UPHELD, actor=cast.BY_OPERATOR, now=NOW)
    assert status_of(consent) == "AUTHORISED"
